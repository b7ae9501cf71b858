"""Fresh mistakes are found and named: a sixth here, all by ``python -m tests.proofs.fresh``.

What is required is that of the whole, so a sixth may fall short where the whole does not: it is
chosen by number, and stays what it is.
"""

from collections import Counter
from functools import cache

import pytest

from bloop_proofs.methods import METHODS
from tests.proofs.fresh.__main__ import REQUIRED
from tests.proofs.fresh.catalogue import ENTRIES, MODULES
from tests.proofs.fresh.entries import Entry
from tests.proofs.fresh.measure import Verdict, first_broken, fits, measured

EVERY = 6
KINDS = ("singles", "pairs")
TELLING = [
    "direction-is-equation-5",
    "new-ema-weighs-the-new-gradient-by-rho",
    "half-precision-gradients-do-not-overflow",
    "float16-average-of-large-entries-does-not-overflow",
    "large-models-count-to-the-last-entry",
    "layout-in-memory-does-not-matter",
    "zero-ema-leaves-the-auxiliary-gradient-whole",
    "first-ema-is-rho-times-the-gradient",
    "no-epsilon-is-added-to-a-small-ema",
    "float32-ema-of-half-gradients-keeps-moving",
    "complex-leaves-use-the-real-inner-product",
    "bad-main-gradient-shows-in-the-direction",
    "inputs-are-not-written",
    "the-same-inputs-give-the-same-bits",
]
"""The laws of Bloop, of all that a run tries, that tell these entries from right steps."""

pytestmark = pytest.mark.xdist_group("fresh")


@cache
def verdicts(kind: str) -> list[Verdict]:
    """Of a sixth of the entries, by the laws that are quick to try."""
    chosen = ENTRIES[kind][1::EVERY]
    laws = {"bloop": TELLING}
    return [measured(entry, laws.get(entry.method, "all")) for entry in chosen]


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_enough_on_either_half(kind: str) -> None:
    halves = Counter(entry.held_out for entry in ENTRIES[kind])
    assert sum(halves.values()) >= 60
    assert abs(halves[True] - halves[False]) <= len(MODULES)


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_in_the_catalogue(kind: str) -> None:
    for entry in ENTRIES[kind]:
        known = [mistake.name for mistake in METHODS[entry.method].mistakes]
        lost = [x for x in (*entry.names, *entry.like) if not any(fits(k, (x,)) for k in known)]
        assert not lost, f"{entry.name} names {lost}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_one_breaks_a_law(kind: str) -> None:
    assert [str(verdict) for verdict in verdicts(kind) if not verdict.found] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_main_mistake_is_named_first(kind: str) -> None:
    missed = [str(verdict) for verdict in verdicts(kind) if not verdict.named]
    assert len(missed) <= (1 - REQUIRED[kind]) * len(verdicts(kind)), "\n".join(missed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_said_to_be_proved_that_is_wrong(kind: str) -> None:
    assert [str(verdict) for verdict in verdicts(kind) if verdict.wrong_is] == []


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES["gaps"], ids=lambda entry: entry.name)
def test_gaps_are_found(entry: Entry) -> None:
    assert first_broken(entry, TELLING), entry.wrong
