"""``bloop-ref reproduce``: what it runs, what it runs again, what it keeps, and its errors."""

import dataclasses
import json
import os
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import bloop_ref
from bloop_ref.cli import main
from bloop_reproduction import pages, reproduce
from bloop_reproduction.claim import Claim
from bloop_reproduction.results import Results, plain, restored
from tests.docs.pages import DOCS
from tests.reproduction import fake

SCHEMA = json.loads((DOCS / "reproduction" / "results.schema.json").read_text())


@pytest.fixture(autouse=True)
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake claim stands for every claim; files go to a folder of the test."""
    use(fake.CLAIM, monkeypatch)
    monkeypatch.chdir(tmp_path)
    fake.CALLS.clear()
    fake.STOPS.clear()


def use(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (reproduce, pages):
        monkeypatch.setattr(module, "load", lambda name: dataclasses.replace(claim, name=name))


def call(*options: str) -> int:
    return main(["reproduce", *options, "--jobs", "1"])


def rows(file: str = "bloop_reproduction.json") -> list[dict[str, Any]]:
    return list(json.loads(Path(file).read_text())["rows"])


def test_a_claim_is_run_recorded_drawn_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("figure-2", "--format", "pdf") == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "figure-2 │ in part │ x: 2 [" in words
    assert fake.CALLS == [row["setting"]["seed"] for row in rows()] == [0, 1, 2]
    assert Path("bloop_reproduction/figure-2.pdf").read_bytes()[:5] == b"%PDF-"
    found = json.loads(Path("bloop_reproduction.json").read_text())
    jsonschema.validate(found, SCHEMA)
    assert found["environments"][0]["versions"]["bloop-ref"] == bloop_ref.__version__


def test_the_recorded_results_are_of_the_schema() -> None:
    jsonschema.validate(json.loads((DOCS / "reproduction" / "results.json").read_text()), SCHEMA)


def test_what_is_recorded_is_not_run_again() -> None:
    assert call("figure-2") == call("figure-2") == 0
    assert fake.CALLS == [0, 1, 2]


def test_a_changed_setting_runs_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    call("figure-2")
    changed = [*fake.settings(False)[:2], {"seed": 2, "quick": False, "steps": 9}]
    use(dataclasses.replace(fake.CLAIM, settings=lambda quick: changed), monkeypatch)
    assert call("figure-2") == 0
    assert fake.CALLS == [0, 1, 2, 2]
    # of no setting any more: the run of seed 2 as it was
    assert [row["setting"].get("steps") for row in rows()] == [None, None, 9]


def test_changed_code_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    call("figure-2")
    monkeypatch.setattr(reproduce, "revision", lambda function: "another")
    assert call("figure-2") == 0
    assert fake.CALLS == [0, 1, 2, 0, 1, 2]
    assert {row["revision"] for row in rows()} == {"another"}


def test_another_version_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    call("figure-2")
    monkeypatch.setattr(bloop_ref, "__version__", "99.0")
    assert call("figure-2") == 0
    assert fake.CALLS == [0, 1, 2, 0, 1, 2]
    assert len(json.loads(Path("bloop_reproduction.json").read_text())["environments"]) == 1


def test_an_interrupted_call_goes_on_where_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    fake.STOPS.append(2)
    assert call("figure-2") == 130
    error = capsys.readouterr().err
    assert "call again to go on" in error
    assert error.count("\n") == 1
    assert len(rows()) == 2
    fake.STOPS.clear()
    assert call("figure-2") == 0
    assert fake.CALLS == [0, 1, 2]


def test_an_interrupted_write_leaves_the_file_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    call("figure-2", "--quick")
    before = Path("bloop_reproduction.json").read_text()

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert call("figure-2") == 2
    assert Path("bloop_reproduction.json").read_text() == before
    assert sorted(os.listdir()) == ["bloop_reproduction", "bloop_reproduction.json"]


def test_miniatures_stand_beside_the_others_and_have_no_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("figure-2", "--quick") == 0
    assert "in part" not in capsys.readouterr().out
    assert call("figure-2") == 0
    assert len(rows()) == 4


def test_a_report_runs_nothing() -> None:
    call("figure-2")
    fake.STOPS.extend([0, 1, 2])
    assert call("figure-2", "--report", "--figures", "here", "--format", "png") == 0
    assert os.listdir("here") == ["figure-2.png"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["figure-99"], "NAME must be all or one of figure-2, section-3.3, "),
        ([], "NAME must be given"),
        (["all", "--jobs", "0"], "--jobs must be at least 1; found 0"),
        (["all", "--results", "no/r.json"], "must lie in a folder that exists"),
        (["all", "--results", "notes.txt"], "notes.txt must be a results file of format 1"),
        (["all", "--results", "newer.json"], "its format is 2"),
        (["all", "--results", "other.json"], "has a run of 'figure-99', which is no claim"),
        (["all", "--figures", "notes.txt"], "notes.txt must be a folder; found a file"),
        (["all", "--figures", "no/where"], "must lie in a folder that exists"),
        (["all", "--docs", "."], "index.md"),
        (["all", "--docs", ".", "--quick"], "--docs must stand without --quick"),
        (["all", "--docs", ".", "--format", "png"], "and with svg"),
        (["figure-2", "--report"], "must have all 3 runs of figure-2; found 0"),
    ],
)
def test_a_wrong_call_is_one_line_and_2(
    options: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "notes.txt": "mine",
        "newer.json": '{"format": 2}',
        "other.json": '{"format": 1, "environments": [], "rows": [{"claim": "figure-99"}]}',
    }
    for name, text in files.items():
        Path(name).write_text(text)
    jobs = [] if "--jobs" in options else ["--jobs", "1"]
    assert main(["reproduce", *options, *jobs]) == 2
    captured = capsys.readouterr()
    assert line in captured.err
    assert captured.err.count("\n") == 1
    assert {path.name: path.read_text() for path in Path().iterdir()} == files
    assert fake.CALLS == []


def test_what_a_claim_needs_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(dataclasses.replace(fake.CLAIM, needs=("no_such_framework",)), monkeypatch)
    assert call("figure-2") == 2
    assert 'pip install "bloop-ref[reproduce]"' in capsys.readouterr().err


def test_the_list_says_what_every_claim_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--list"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("|x| is 1, 2 and 3.") == printed.count("Figure 0") == 13


def test_values_survive_the_file() -> None:
    values = {"a": np.float32(0.1), "b": [np.int64(3), "text", True], "c": {"d": (1.5, -np.inf)}}
    back = restored(json.loads(json.dumps(plain(values))))
    assert back["a"] == float(np.float32(0.1))
    assert back["b"] == [3, "text", True]
    assert back["c"]["d"][0] == 1.5
    assert np.isnan(back["c"]["d"][1])


def test_a_task_can_be_sent_to_a_process() -> None:
    task = reproduce.Task("figure-2", fake.settings(True)[0])
    assert pickle.loads(pickle.dumps(task)) == task
    sent, row = pickle.loads(pickle.dumps(reproduce.measured))(task)
    assert (sent, row.measured["x"]) == (task, 1.0)


def test_the_docs_are_filled(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    region = f"before\n{pages.BEGIN}old\n{pages.END}after\n"
    for name in ("index", "figure-2", "figure-4"):
        (folder / f"{name}.md").write_text(region)
    assert call("figure-2", "--docs", str(folder)) == 0
    index, page = ((folder / f"{name}.md").read_text() for name in ("index", "figure-2"))
    assert index.startswith("before\n")
    assert page.endswith("after\n")
    assert "[Figure 0](figure-2.md) | \\|x\\| is 1, 2 and 3. | x: 2 [" in index
    assert "figure-4" not in index
    assert "**Here:** in part. A miniature." in page
    assert (folder / "figure-4.md").read_text() == region
    assert (folder / "images" / "figure-2.svg").exists()
    # what is made of the same results is the same
    results = Results(Path("bloop_reproduction.json"))
    assert [p.text(results) for p in pages.pages(folder)[:2]] == [index, page]
