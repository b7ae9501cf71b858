"""What the method is for: training runs on problems with known answers, and what is proved of them.

The problems, the constants and the proofs are in docs/theory.md. Gradients and parameters are
float64 in the suite; a subject whose framework has float32 only gets and returns that.
"""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bloop_proofs.cases import Case
from bloop_proofs.frameworks import Framework
from bloop_proofs.law import Inputs, law, require
from bloop_proofs.laws.measure import require_close
from bloop_proofs.methods.bloop.definition import VECTORS
from bloop_proofs.problems import LeastSquares, least_squares, quadratic, section_3_3
from bloop_proofs.problems.agreement import scipy_agreement
from bloop_proofs.problems.bounds import Setting, largest_step, radius_constant
from bloop_proofs.problems.proposition_1 import first_order_point, small_direction
from bloop_proofs.problems.rates import radius_over_eta, rate_over_t
from bloop_proofs.problems.recursion import sufficient_steps
from bloop_proofs.problems.theorem_2 import Node, Parameters, children, conditional_links
from bloop_proofs.problems.trajectories import Step, run
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import direction_bound, norm


def numbers(**choices: st.SearchStrategy[Any]) -> Inputs:
    """Return the inputs of a law that draws numbers only, whatever the framework."""

    def strategy(framework: Framework) -> st.SearchStrategy[Case]:
        return st.builds(Case, **choices)

    return strategy


def roundoff(subject: Subject) -> float:
    """Return the unit roundoff of the dtype that a training run is done in."""
    return float(np.finfo(_dtype(subject)).eps) / 2


def _dtype(subject: Subject) -> str:
    return "float64" if "float64" in subject.dtypes else "float32"


def plain(subject: Subject) -> Step:
    """Return a subject as a step on NumPy arrays, of fractions too, which it gets rounded."""

    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: Any, rho: Any) -> Any:
        given = [[np.asarray(x).astype(_dtype(subject)) for x in v] for v in (g_main, g_aux, ema)]
        case = Case(**dict(zip(VECTORS, given, strict=True)), lam=float(lam), rho=float(rho))
        vectors = subject.of(case).vectors.values()
        return tuple(
            [x.astype(np.float64).reshape(like.shape) for x, like in zip(v, given[0], strict=True)]
            for v in vectors
        )

    return step


START = np.array([-1.5, 2.0])


@law(
    group="paper",
    equation="section 3.3",
    inputs=numbers(
        lam=st.sampled_from([1.0, 0.25, 4.0, 16.0]), rho=st.sampled_from([0.5, 0.1, 1.0])
    ),
    cost=25,
)
def section_3_3_reaches_its_solution_for_every_lam(subject: Subject, case: Case) -> None:
    """On L_main = a^2 / 2, L_aux = ((a - 1)^2 + b^2) / 2 and with e not 0, d = (a, lam b).

    So both coordinates shrink geometrically to the bilevel solution (0, 0), which mixed training
    misses by lam / (1 + lam).
    """
    lam, eta = case.lam, 0.5 / max(1.0, case.lam)
    steps = int(np.ceil(np.log(2.0**-6) / np.log(1 - eta * min(1.0, lam)))) + 1
    points = run(
        plain(subject), section_3_3(), START, lam=lam, etas=[eta] * steps, rho=case.rho, leaves=2
    )
    first = np.array(
        [START[0] * (1 - eta) - eta * lam * (START[0] - 1), START[1] * (1 - eta * lam)]
    )
    required = first * np.array([1 - eta, 1 - eta * lam]) ** (steps - 1)
    # neither coordinate grows, so what the steps round away only adds up
    size = norm(START) + eta * lam * norm(START)
    one = direction_bound(roundoff(subject), 2, size, size + 1, lam)
    bound = steps * (eta * one + 4 * roundoff(subject) * size)
    require_close(f"theta after {steps} steps", points[-1], required, bound)


@law(
    group="paper",
    equation="eq. 2",
    inputs=numbers(
        p=st.integers(2, 4),
        rank=st.integers(1, 3),
        pull=st.sampled_from([0.25, 1.0, 4.0]),
        coupling=st.sampled_from([0.0, 0.5, 1.0]),
        lam=st.sampled_from([1.0, 2.0]),
        seed=st.integers(0, 99),
    ),
    cost=50,
)
def quadratic_problems_end_near_the_constrained_minimum(subject: Subject, case: Case) -> None:
    """On a quadratic bilevel problem, steps of a size eta end within C eta of its solution.

    The solution is SciPy's, of the auxiliary loss under the constraint that the main one is
    least; C is the constant of Theorem A (docs/theory.md), and the number of steps the one that
    provably suffices from where the run begins. Each step is a full batch, e = g_main.
    """
    rank = min(case.rank, case.p - 1)
    problem = quadratic(
        case.p,
        rank,
        conditioning=2.0,
        aux_conditioning=2.0,
        pull=case.pull,
        coupling=case.coupling,
        seed=case.seed,
    )
    eta = largest_step(problem, case.lam) / 2
    radius = radius_constant(problem, case.lam) * eta
    away = np.random.default_rng(case.seed).standard_normal(case.p)
    theta = problem.solution + 2 * radius * away / norm(away)
    setting = Setting(problem, case.lam, None, eta)
    steps = sufficient_steps(setting, theta, None, radius, most=2000)
    if steps is None:
        raise ValueError(f"no number of steps suffices for {problem.name}")
    points = run(plain(subject), problem, theta, lam=case.lam, etas=[eta] * steps, rho=None)
    distance = norm(points[-1] - problem.solve_scipy())
    size = norm(problem.grad_main(theta)) + norm(problem.grad_aux(theta)) + case.pull
    one = direction_bound(roundoff(subject), case.p, size, size, case.lam)
    bound = radius + scipy_agreement(problem) + steps * eta * one
    require(
        distance <= bound,
        f"after {steps} steps of {eta:.3g} theta must lie within {bound:.3g} of SciPy's "
        f"constrained minimum; found it at {distance:.3g}",
    )


@law(
    group="paper",
    equation="Proposition 1",
    inputs=numbers(
        p=st.integers(2, 4),
        pull=st.sampled_from([0.0, 0.5, 2.0]),
        lam=st.sampled_from([1.0, 0.25, 4.0]),
        epsilon=st.sampled_from([0.5, 0.125, 0.015625]),
        seed=st.integers(0, 99),
    ),
    cost=4,
)
def small_directions_mean_first_order_points(subject: Subject, case: Case) -> None:
    """A direction of norm eps bounds ||g_main||, ||pi|| and ||g_aux - H v||, and conversely.

    The bounds are eps, eps / lam and (1 / lam + M c^2 ||g_aux|| / 2) eps; at a first-order point
    theta* with multiplier v, ||d(theta* + eps v)|| is at most a constant times eps.
    """
    problem = quadratic(case.p, case.p - 1, conditioning=2.0, pull=case.pull, seed=case.seed)
    theta = problem.start
    size = norm(problem.grad_main(theta)) + norm(problem.grad_aux(theta)) + case.pull
    # what one direction may err by, through the constants above: 1 / lam and c are the largest
    error = direction_bound(roundoff(subject), case.p, size, size, case.lam)
    slack = error * (1 + 1 / case.lam) * (1 + problem.error_bound(theta))
    links = small_direction(plain(subject), problem, theta, case.lam)
    links.append(first_order_point(plain(subject), problem, case.lam, case.epsilon))
    for link in links:
        require(
            link.left <= link.right + slack,
            f"{link.name} must be at most {link.right:.6g}; found {link.left:.6g}",
        )


def _exact(floats: LeastSquares, case: Case) -> tuple[Node, Parameters]:
    """Return a point with an EMA that has nearly caught up, and exact parameters."""
    problem = floats.exact()
    ema = problem.grad_main(problem.start) * Fraction(case.caught_up)
    smooth = Fraction(floats.smoothness(0.0)[0]) * (1 + Fraction(1, 2**30))
    parameters = Parameters(
        Fraction(case.lam), Fraction(case.rho), 1 / (8 * smooth), smooth, Fraction(0)
    )
    return Node(problem.start, ema), parameters


@law(
    group="paper",
    equation="Theorem 2",
    inputs=numbers(
        lam=st.sampled_from([4.0, 1.0, 0.25]),
        rho=st.sampled_from([0.5, 0.25, 1.0]),
        caught_up=st.sampled_from([1.0, 0.75, 0.5]),
        seed=st.integers(0, 99),
    ),
    cost=10,
)
def every_link_of_theorem_2_holds(subject: Subject, case: Case) -> None:
    """The cross term, the tracking error, the drift and the descent of Theorem 2's proof.

    For a finite sum, expectations over the next sample are means over all samples: exactly,
    E ||e' - G||^2 = (1 - rho)^2 ||e - G||^2 + rho^2 V, and <E d, G> >= ||G||^2 - lam A ||e - G||
    for V the variance and A the largest norm of auxiliary gradients; e' is the EMA after the step.
    """
    floats = least_squares(3, 2, 1, pull=4.0, seed=case.seed)
    problem = floats.exact()
    first, parameters = _exact(floats, case)
    after = children(plain(subject), problem, first, parameters)
    grads = [*floats.sample_grads_main(floats.start), *floats.sample_grads_aux(floats.start)]
    size = (1 + case.lam) * (sum(map(norm, grads)) + norm(np.asarray(first.ema, dtype=float)))
    # each side is a sum of at most six products of two vectors that err by a direction's bound
    slack = 6 * size * direction_bound(roundoff(subject), 2, size, size, 1.0)
    for link in conditional_links(problem, first, after, parameters):
        require(
            float(link.left - link.right) <= slack,
            f"{link.name}: must be at most {float(link.right):.6g}; found {float(link.left):.6g}",
        )


@law(group="paper", equation="Theorem 2", inputs=numbers(longest=st.just(9)), cost=100)
def errors_fall_with_the_steps_as_theorem_2_proves(subject: Subject, case: Case) -> None:
    """With eta = T^(-3/4), rho = eta^(2/3), the mean of ||grad L_main||^2 is O(T^(-1/4)).

    A bound on a limit says nothing strict about a slope over finite T: what is required is an
    exponent nearer to the proved one than to 0, that of an estimator which stops elsewhere.
    """
    lengths = [2**k for k in range(6, case.longest + 1)]
    found = rate_over_t(plain(subject), lengths).exponent
    require(found <= -1 / 8, f"the exponent of T must be at most -1/8; found {found:.3g}")


@law(group="paper", equation="Theorem 2", inputs=numbers(least=st.just(4)), cost=100)
def radius_shrinks_with_the_step_as_theorem_2_proves(subject: Subject, case: Case) -> None:
    """Under the PL inequality, L_main - min settles at O(eta^(1/3)) for rho = eta^(2/3).

    Required is, again, an exponent nearer to the proved one than to 0.
    """
    etas = [2.0**-k for k in range(3, case.least + 1)]
    found = radius_over_eta(plain(subject), etas).exponent
    require(found >= 1 / 6, f"the exponent of eta must be at least 1/6; found {found:.3g}")
