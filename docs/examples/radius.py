"""How near constant steps come to the solution of a bilevel problem: the radius, over the step.

``python docs/examples/radius.py`` prints the table of docs/theory.md, section 7.
"""

from statistics import median
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bloop_proofs.problems import Quadratic, quadratic

Array = np.ndarray[Any, Any]
ETAS = (0.02, 0.01, 0.005, 0.0025)
SEEDS = range(5)
COLUMNS = ("no EMA", "rho = 0.5", "rho = 0.1", "rho = eta^(2/3)")


def rho(column: str, eta: float) -> float | None:
    """Return what a column says of rho."""
    return {"no EMA": None, "rho = 0.5": 0.5, "rho = 0.1": 0.1}.get(column, eta ** (2 / 3))


def problem(seed: int) -> Quadratic:
    """Return a problem in four dimensions whose main Hessian has rank 2, with W = 1."""
    return quadratic(
        4, 2, conditioning=2.0, aux_conditioning=2.0, coupling=0.5, pull=1.0, seed=seed
    )


def radius(of: Quadratic, eta: float, weight: float | None, time: float = 60.0) -> float:
    """Return the largest distance in the last quarter of a run of length ``time / eta``, over eta.

    It starts at the solution, with lam = 1 and full gradients.
    """
    theta, e = of.solution.copy(), np.zeros_like(of.solution)
    steps, largest = int(time / eta), 0.0
    for step in range(steps):
        g, a = of.grad_main(theta), of.grad_aux(theta)
        on = g if weight is None else e
        square = on @ on
        d = g + a - ((a @ on) / square if square else 0.0) * on
        e = e if weight is None else (1 - weight) * e + weight * g
        theta = theta - eta * d
        if step > 3 * steps // 4:
            largest = max(largest, float(np.linalg.norm(theta - of.solution)))
    return largest / eta


def table(seeds: range = SEEDS, etas: tuple[float, ...] = ETAS) -> Table:
    """Return the medians over the seeds, and the least and the largest."""
    made = Table("eta", *COLUMNS, box=box.MARKDOWN)
    problems = [problem(seed) for seed in seeds]
    for eta in track(etas, "steps", console=Console(stderr=True)):
        cells = []
        for column in COLUMNS:
            found = [radius(of, eta, rho(column, eta)) for of in problems]
            cells.append(f"{median(found):.2f} ({min(found):.2f} to {max(found):.2f})")
        made.add_row(f"{eta:g}", *cells)
    return made


if __name__ == "__main__":
    Console(width=140).print(table())
