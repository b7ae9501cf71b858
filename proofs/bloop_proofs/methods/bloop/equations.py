"""The paper's equations, one by one: what a step must return."""

import numpy as np

from bloop_proofs import exact
from bloop_proofs.cases import Case
from bloop_proofs.gradients import nonzero
from bloop_proofs.law import law
from bloop_proofs.laws.measure import require_close, require_small
from bloop_proofs.methods.bloop.definition import (
    average_tolerance,
    direction_tolerance,
    inputs,
    require_average,
    require_direction,
)
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm, rounding


def full_batch(case: Case) -> Case:
    """Return a case whose EMA is its main gradient, which is not zero."""
    main = nonzero(case.g_main)
    return case.but(g_main=main, ema=[leaf.copy() for leaf in main])


@law(group="paper", equation="eq. 5", inputs=inputs())
def direction_is_equation_5(subject: Subject, case: Case) -> None:
    """d = g_main + lam (g_aux - <g_aux, e> / ||e||^2 e), e the EMA before the step."""
    require_direction(subject.of(case), case)


@law(group="paper", equation="eq. 3", inputs=inputs(then=full_batch))
def full_batch_direction_is_equation_3(subject: Subject, case: Case) -> None:
    """With e = g_main, d = g_main + lam (g_aux - <g_aux, g_main> / ||g_main||^2 g_main)."""
    require_direction(subject.of(case), case)


@law(group="paper", equation="section 2.2", inputs=inputs())
def what_is_added_is_orthogonal_to_the_ema(subject: Subject, case: Case) -> None:
    """<d - g_main, e> = 0, the inner product over all parameters together."""
    added = flat(subject.of(case).direction) - flat(case.g_main)
    e = flat(case.ema)
    require_small("<d - g_main, ema>", float(added @ e), direction_tolerance(case) * norm(e))


@law(group="paper", equation="eq. 4", inputs=inputs(then=full_batch))
def main_loss_falls_as_under_gradient_descent(subject: Subject, case: Case) -> None:
    """With e = g_main, <d, g_main> = ||g_main||^2: the first-order decrease of gradient descent."""
    d, g = flat(subject.of(case).direction), flat(case.g_main)
    require_small(
        "<d, g_main> - ||g_main||^2", float((d - g) @ g), direction_tolerance(case) * norm(g)
    )


def _with_hessian(case: Case) -> Case:
    """Make the main gradient that of theta H theta / 2 at a point theta."""
    theta = flat(nonzero(case.theta))
    factor = np.resize(flat(case.factor), (theta.size, theta.size))
    hessian = factor.T @ factor + np.eye(theta.size)
    ends = np.cumsum([leaf.size for leaf in case.theta])[:-1]
    main = [
        part.reshape(leaf.shape).astype(leaf.dtype)
        for part, leaf in zip(np.split(hessian @ theta, ends), case.theta, strict=True)
    ]
    return case.but(g_main=main, ema=[leaf.copy() for leaf in main])


@law(
    group="paper",
    equation="eq. 4",
    inputs=inputs(
        dtypes=("float64",),
        more=("theta", "factor"),
        numbers={"eta": (1.0, 0.5, 0.01)},
        then=_with_hessian,
    ),
)
def quadratic_main_loss_falls_by_the_exact_amount(subject: Subject, case: Case) -> None:
    """For L_main = theta H theta / 2 and e = g_main the first-order decrease is exact.

    L_main(theta - eta d) - L_main(theta) = -eta ||g_main||^2 + eta^2 d H d / 2.
    """
    theta = flat(case.theta)
    factor = np.resize(flat(case.factor), (theta.size, theta.size))
    hessian = factor.T @ factor + np.eye(theta.size)
    d, g = flat(subject.of(case).direction), flat(case.g_main)
    after = theta - case.eta * d
    # L(after) - L(theta) as an inner product, which subtracts no two nearly equal losses
    found = 0.5 * float((after - theta) @ (hessian @ (after + theta)))
    required = -case.eta * float(g @ g) + 0.5 * case.eta**2 * float(d @ hessian @ d)
    size = norm(d) * np.linalg.norm(hessian) * (norm(theta) + case.eta * norm(d))
    bound = case.eta * (direction_tolerance(case) * norm(g) + rounding(size, theta.size))
    require_small("decrease of the main loss minus what eq. 4 gives", found - required, bound)


@law(group="paper", equation="Algorithm 1", inputs=inputs(zero_ema=True))
def new_ema_weighs_the_new_gradient_by_rho(subject: Subject, case: Case) -> None:
    """The new EMA is (1 - rho) e + rho g_main, rho the weight of the new gradient."""
    require_average(subject.of(case), case)


@law(group="paper", equation="Algorithm 1, the first step", inputs=inputs())
def first_ema_is_rho_times_the_gradient(subject: Subject, case: Case) -> None:
    """With e = 0 the new EMA is rho g_main: the first gradient has the weight of all others."""
    first = case.but(ema=[np.zeros_like(leaf) for leaf in case.ema])
    require_average(subject.of(first), first)


@law(group="paper", equation="section 3.1, footnote 1", inputs=inputs(zero_ema=True))
def zero_ema_leaves_the_auxiliary_gradient_whole(subject: Subject, case: Case) -> None:
    """pi(u; 0) = u: with e = 0, d = g_main + lam g_aux."""
    zero = [np.zeros_like(leaf) for leaf in case.ema]
    required = flat(case.g_main) + case.lam * flat(case.g_aux)
    found = flat(subject.of(case, ema=zero).direction)
    require_close("direction", found, required, direction_tolerance(case))


@law(group="paper", equation="eq. 5", inputs=inputs(lams=(0.0,)))
def lam_zero_gives_the_main_gradient(subject: Subject, case: Case) -> None:
    """With lam = 0, d = g_main."""
    found = flat(subject.of(case).direction)
    require_close("direction", found, flat(case.g_main), direction_tolerance(case))


@law(group="paper", equation="Algorithm 1", inputs=inputs(rhos=(0.0,), zero_ema=True))
def rho_zero_keeps_the_ema(subject: Subject, case: Case) -> None:
    """With rho = 0 the EMA stays what it was."""
    found = flat(subject.of(case).new_ema)
    require_close("new_ema", found, flat(case.ema), average_tolerance(case))


@law(group="paper", equation="Algorithm 1", inputs=inputs(rhos=(1.0,), zero_ema=True))
def rho_one_replaces_the_ema(subject: Subject, case: Case) -> None:
    """With rho = 1 the new EMA is g_main."""
    found = flat(subject.of(case).new_ema)
    require_close("new_ema", found, flat(case.g_main), average_tolerance(case))


@law(group="paper", equation="eq. 3", inputs=inputs(then=full_batch))
def norms_add_as_in_pythagoras(subject: Subject, case: Case) -> None:
    """With e = g_main, ||d||^2 = ||g_main||^2 + lam^2 ||pi(g_aux; g_main)||^2."""
    d, g = flat(subject.of(case).direction), flat(case.g_main)
    part = case.lam * exact.projected(case.g_aux, case.g_main)
    found = float(d @ d) - float(g @ g) - float(part @ part)
    bound = direction_tolerance(case) * (norm(d) + norm(g) + norm(part))
    bound += rounding(d @ d + g @ g + part @ part, d.size)
    require_small("||d||^2 - ||g_main||^2 - lam^2 ||pi||^2", found, bound)


def _opposed(case: Case) -> Case:
    case = full_batch(case)
    return case.but(g_aux=[-leaf for leaf in case.g_main])


@law(group="paper", equation="section 3.1", inputs=inputs(then=_opposed))
def opposed_losses_give_gradient_descent(subject: Subject, case: Case) -> None:
    """If L_aux = -L_main then, with e = g_main, d = g_main for every lam."""
    found = flat(subject.of(case).direction)
    require_close("direction", found, flat(case.g_main), direction_tolerance(case))
