"""Mistakes in MetaBalance."""

from typing import Any

import numpy as np

from bloop_proofs.methods.mistakes.mistake import wrong
from bloop_proofs.methods.mistakes.pieces import meta_balance, ratio
from bloop_proofs.tolerances import norm

RATIO = "d = m + sum_k (r n_0 / n_k + 1 - r) a_k"
AVERAGE = "n_k <- beta n_k + (1 - beta) ||g_k||"


@wrong("meta_balance", where=AVERAGE, mend="Use the averages with the norms of this step in them.")
def averages_are_updated_afterwards(g: np.ndarray, state: Any, *, r: float, beta: float) -> Any:
    """The ratio is that of the averages of the steps before; of the norms at first."""
    sizes = np.array([norm(v) for v in g])
    old = sizes if state is None else state
    direction, _ = meta_balance(g, old, r=r, beta=1.0)
    return direction, beta * (0 * sizes if state is None else state) + (1 - beta) * sizes


@wrong("meta_balance", where=RATIO, mend="Divide by the auxiliary average: n_0 / n_k.")
def ratio_is_inverted(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The ratio is n_k / n_0."""
    return meta_balance(g, state, **options, weigh=lambda main, own, r: r * ratio(own, main))


@wrong("meta_balance", where=AVERAGE, mend="Average n_0 first: all norms are those of this step.")
def main_average_lags_by_a_step(g: np.ndarray, state: Any, *, r: float, beta: float) -> Any:
    """n_0 is updated after the auxiliary gradients have used it."""
    direction, sizes = meta_balance(g, state, r=r, beta=beta)
    old = sizes[0] if state is None else state[0]
    lagging = np.array([old, *sizes[1:]])
    direction, _ = meta_balance(g, lagging, r=r, beta=1.0)
    return direction, sizes


@wrong("meta_balance", where=AVERAGE, mend="beta is the weight of the old average.")
def beta_is_the_weight_of_the_new_norm(g: np.ndarray, state: Any, *, r: float, beta: float) -> Any:
    """n_k becomes (1 - beta) n_k + beta ||g_k||."""
    return meta_balance(g, state, r=r, beta=1 - beta)


@wrong("meta_balance", where=AVERAGE, mend="Return the averages as the state, and use those given.")
def averages_are_forgotten(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Every step is a first one."""
    return meta_balance(g, None, **options)


@wrong("meta_balance", where=AVERAGE, mend="Start the averages from 0, with the weight 1 - beta.")
def averages_start_from_one(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Before the first step every average is 1."""
    return meta_balance(g, np.ones(len(g)) if state is None else state, **options)


@wrong("meta_balance", where=AVERAGE, mend="Average the norms, not their squares.")
def squares_are_averaged(g: np.ndarray, state: Any, **options: Any) -> Any:
    """n_k are averages of squared norms, and the ratio is that of their roots."""

    def weigh(main: float, own: float, r: float) -> float:
        return r * float(ratio(np.sqrt(main), np.sqrt(own)))

    return meta_balance(g, state, **options, weigh=weigh, size=lambda v: float(v @ v))


@wrong("meta_balance", where=RATIO, mend="The ratio has the weight r, the raw gradient 1 - r.")
def relaxation_is_swapped(g: np.ndarray, state: Any, *, r: float, beta: float) -> Any:
    """The ratio has the weight 1 - r."""
    return meta_balance(g, state, r=1 - r, beta=beta)


@wrong("meta_balance", where=RATIO, mend="Relax: add (1 - r) a.")
def relaxation_is_left_out(g: np.ndarray, state: Any, *, r: float, beta: float) -> Any:
    """The auxiliary gradient is given the main norm whole, whatever r."""
    return meta_balance(g, state, r=1.0, beta=beta)


@wrong("meta_balance", where=RATIO, mend="Enlarge small auxiliary gradients too.")
def large_gradients_are_reduced_only(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The ratio is 1 at most."""

    def weigh(main: float, own: float, r: float) -> float:
        return r * float(np.minimum(ratio(main, own), 1))

    return meta_balance(g, state, **options, weigh=weigh)


@wrong("meta_balance", where=RATIO, mend="Divide by n_k alone; 0 where it is 0.")
def epsilon_beside_the_average(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The ratio is n_0 / (n_k + 1e-5)."""
    return meta_balance(g, state, **options, weigh=lambda main, own, r: r * main / (own + 1e-5))
