"""Several steps and several losses: Algorithm 1's order, what it is for, and section 2.3."""

from itertools import combinations

import numpy as np

from bloop_proofs import exact
from bloop_proofs.cases import Case, Gradient
from bloop_proofs.gradients import nonzero, unflatten
from bloop_proofs.law import law
from bloop_proofs.laws.measure import require_close, require_small
from bloop_proofs.methods.bloop.definition import (
    direction_tolerance,
    inputs,
    require_average,
    require_direction,
)
from bloop_proofs.methods.bloop.invariances import mix
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm

BATCHES = ("g_main", "second_main", "third_main")
AUXES = ("g_aux", "second_aux", "third_aux")


@law(
    group="paper",
    equation="Algorithm 1",
    inputs=inputs(more=BATCHES[1:] + AUXES[1:], zero_ema=True),
    cost=2,
)
def each_step_projects_on_the_ema_before_its_update(subject: Subject, case: Case) -> None:
    """Over three steps, d_t uses the EMA of the gradients before t, and only then g_t enters it."""
    ema = case.ema
    for t, (main, aux) in enumerate(zip(BATCHES, AUXES, strict=True), start=1):
        now = case.but(g_main=case[main], g_aux=case[aux], ema=ema)
        output = subject.of(now)
        require_direction(output, now, f"direction of step {t}")
        require_average(output, now, f"new_ema of step {t}")
        ema = unflatten(flat(output.new_ema), case.ema)  # its form is for other laws


@law(group="paper", equation="section 2.2", inputs=inputs(more=BATCHES[1:] + AUXES[1:]), cost=3)
def expected_direction_is_the_direction_of_the_expectations(subject: Subject, case: Case) -> None:
    """E[d] = E[g_main] + lam pi(E[g_aux]; e): the e in use does not depend on the batch.

    The loss is a sum of three terms and a batch is any two of them; every batch is tried, so the
    expectation is exact.
    """
    batches = list(combinations(range(3), 2))
    total = np.zeros(flat(case.ema).size)
    bound = 0.0
    for i, j in batches:
        main = mix((0.5, case[BATCHES[i]]), (0.5, case[BATCHES[j]]))
        aux = mix((0.5, case[AUXES[i]]), (0.5, case[AUXES[j]]))
        batch = case.but(g_main=main, g_aux=aux)
        total += flat(subject.of(batch).direction)
        bound += direction_tolerance(batch)
    mean_main = np.mean([flat(case[name]) for name in BATCHES], axis=0)
    mean_aux = unflatten(np.mean([flat(case[name]) for name in AUXES], axis=0), _wide(case.ema))
    required = mean_main + case.lam * exact.projected(mean_aux, case.ema)
    require_close("mean direction over all batches", total / len(batches), required, bound)


def _wide(gradient: Gradient) -> Gradient:
    return [leaf.astype(np.float64) for leaf in gradient]


def _pi(subject: Subject, case: Case, vector: Gradient, onto: Gradient) -> Gradient:
    """Return the subject's own projection: its direction for g_main = 0 and lam = 1."""
    zero = [np.zeros_like(leaf) for leaf in vector]
    part = subject.of(case, g_main=zero, g_aux=vector, ema=onto, lam=1.0).direction
    return unflatten(flat(part), vector)


@law(group="paper", equation="section 2.3, eq. 6", inputs=inputs(more=("g_third",)), cost=3)
def deeper_levels_never_disturb_shallower_ones(subject: Subject, case: Case) -> None:
    """With r_1 = pi(g_1; g_0): what a third loss adds is orthogonal to g_0 and to g_1.

    The hierarchy is built of the subject's own projections, pi(pi(g_2; g_0); r_1).
    """
    zeroth = nonzero(case.g_main)
    alone = case.but(g_main=[np.zeros_like(leaf) for leaf in zeroth], lam=1.0)
    first = _pi(subject, case, case.g_aux, zeroth)
    of_first = direction_tolerance(alone)
    if norm(flat(first)) <= of_first:  # g_1 lies in the span of g_0 as far as can be told
        first = [np.zeros_like(leaf) for leaf in first]
    third = _pi(subject, case, _pi(subject, case, case.g_third, zeroth), first)
    of_third = direction_tolerance(alone.but(g_aux=case.g_third))
    left = norm(flat(first))
    # an error in r_1 turns it, and with it what is taken out of g_2, by error / ||r_1||
    turned = of_first / left * norm(flat(case.g_third)) if left else 0.0
    for name, level in (("g_0", zeroth), ("g_1", case.g_aux)):
        found = float(flat(third) @ flat(level))
        bound = (3 * of_third + 2 * turned) * norm(flat(level))
        require_small(f"<pi(g_2; span(g_0, g_1)), {name}>", found, bound)
