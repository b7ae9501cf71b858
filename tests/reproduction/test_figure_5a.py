"""The claim ``figure-5a``: the model, the corpora, and what is read off made-up rows."""

import sysconfig
from collections.abc import Iterator

import pytest
import torch

from bloop_reproduction.claim import Row
from bloop_reproduction.claims import figure_5a
from bloop_reproduction.claims.figure_5a import PARTS, settings
from bloop_reproduction.claims.figure_5a_model import (
    CONTEXT,
    Corpus,
    corpora,
    initial_parameters,
    scores,
)


def test_no_byte_is_predicted_from_what_follows() -> None:
    generator = torch.Generator().manual_seed(0)
    theta = initial_parameters(generator)
    read = torch.randint(256, (2, CONTEXT), generator=generator)
    other, cut = read.clone(), 20
    other[:, cut:] = 0
    found, changed = scores(theta, read), scores(theta, other)
    assert torch.equal(found[:, :cut], changed[:, :cut])
    assert not torch.equal(found[:, cut], changed[:, cut])
    other[:, 0] = 0
    assert not torch.equal(scores(theta, other)[:, cut - 1], found[:, cut - 1])


def test_the_corpora_are_apart_and_told_by_their_digests() -> None:
    source, english = corpora()
    assert len(source.train) > 5 * len(english.train) > 5 * len(english.held_out) > 0
    assert source.digest() != english.digest()
    split = Corpus.of([f"text {k}" for k in range(20)])
    assert bytes(split.held_out.tolist()) == b"text 0\ntext 10"
    assert Corpus.of(["text 1"] * 20).digest() != split.digest()


def test_a_library_without_its_source_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(FileNotFoundError, match="source text of the standard library"):
        corpora.__wrapped__()


def test_a_run_is_the_same_again_and_another_with_another_method() -> None:
    setting = {"lam": 1.0, "seed": 0, "steps": 3, "evaluated": 2}
    runs = [figure_5a.measure({"method": m, **setting}) for m in ("bloop", "bloop", "mixed")]
    assert runs[0] == runs[1]
    assert runs[0]["main train"] != runs[2]["main train"]


def made_up(main_less: float, aux_less: float) -> Iterator[Row]:
    """Rows of two fronts, Bloop's losses being less by so much."""
    for setting in settings(False):
        bloop, lam = setting["method"] == "bloop", setting["lam"]
        main = 2 + lam / 10 - bloop * main_less + 0.001 * setting["seed"] * (1 + bloop)
        aux = 2 + 1 / (10 * lam) - bloop * aux_less
        found = {f"{k} {part}": x for k, x in (("main", main), ("aux", aux)) for part in PARTS}
        yield Row(setting, found, 1.0)


@pytest.mark.parametrize(
    ("main_less", "aux_less", "verdict"),
    [(0.2, 0.2, "holds"), (-0.02, 0.5, "in part"), (-0.2, -0.2, "does not hold")],
)
def test_the_verdict_is_read_off_the_rows(main_less: float, aux_less: float, verdict: str) -> None:
    finding = figure_5a.read(list(made_up(main_less, aux_less)))
    assert finding.verdict == verdict
    assert finding.reason.startswith("not certain: ") == (verdict != "holds")
