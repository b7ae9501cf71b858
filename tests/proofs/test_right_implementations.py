"""No false alarm: right implementations, each written in another way, break no law."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from bloop_proofs import LAWS, Case, check_implementation, replay
from bloop_proofs.diagnosis import diagnose
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.law import Law
from bloop_proofs.methods import BLOOP
from bloop_proofs.quiet import silence
from bloop_proofs.runner import try_law
from bloop_proofs.subject import Subject
from tests.proofs.right.catalogue import RIGHT, subject
from tests.proofs.right.libraries import JAX

SEEDS = range(50)
SPREAD = {"numpy": 4, "torch": 10, "jax": 50}
"""One seed in so many tries a given law; the others try the other laws."""
QUICK = [law for law in LAWS if law.cost <= 10]
COSTLY = [law.name for law in LAWS if law.cost > 10]


@cache
def drawn(framework: str) -> list[tuple[Law, int, Case]]:
    """Inputs of each law from many seeds: of each the last of three, the first being trivial."""
    listener = Subject(BLOOP.right.step, FRAMEWORKS[framework], BLOOP.signature)
    found = []
    for seed in SEEDS:
        for law in QUICK[seed % SPREAD[framework] :: SPREAD[framework]]:
            cases = recorded(law, listener, seed)
            found.append((law, seed, cases[-1]))
    return found


def recorded(law: Law, listener: Subject, seed: int) -> list[Case]:
    cases: list[Case] = []
    listening = replace(law, check=lambda _, case: cases.append(case))
    try_law(listening, listener, examples=3, seed=seed)
    return cases


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_no_law_accuses_a_right_implementation(name: str) -> None:
    judged = subject(name)
    with silence():
        for law, seed, case in drawn(RIGHT[name]):
            try:
                law.check(judged, case)
            except Exception as error:
                pytest.fail(f"{law.name}, seed {seed}: {error}\n{case.code(judged.framework)}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["textbook loops", "unit vectors", "the reference", "torch flat"])
def test_costly_laws_accuse_no_right_implementation(name: str) -> None:
    judged = subject(name)
    report = check_implementation(
        judged.step, framework=judged.framework.name, laws=COSTLY, examples=1, seed=len(name)
    )
    assert report.passed, str(report)


@pytest.mark.parametrize(
    ("g_aux", "ema"), [((36864, -63488), (4096, -8192)), ((-60416, 36864), (-13312, 4096))]
)
def test_float16_need_not_hold_the_part_along_the_average_for_d_to_be_held(
    g_aux: tuple[int, int], ema: tuple[int, int]
) -> None:
    a, e = (np.array(x, dtype=np.float16) for x in (g_aux, ema))
    case = {"g_main": [0 * a], "g_aux": [a], "ema": [e], "lam": 1.0, "rho": 0.5, "exponent": 12}
    step = subject("textbook loops").step
    with silence():
        replay("float16-average-of-large-entries-does-not-overflow", step, case)


@pytest.mark.parametrize("name", [name for name in RIGHT if name not in JAX])
def test_right_implementations_make_no_known_mistake(name: str) -> None:
    assert diagnose(subject(name), seed=0) == ()
