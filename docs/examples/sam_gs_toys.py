"""SAM-GS on its two illustrations, from the published starts: who arrives, and what it hangs on.

``python docs/examples/sam_gs_toys.py [sam_gs.png]`` prints a table and draws the paths, in float64.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

# Mirrored terms cancel only if both products are rounded: no fused multiply and add.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_max_isa=AVX")

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

import bloop_jax
from bloop_proofs.problems.two_tasks import QUADRATIC, SEXTIC, TwoTasks, distance
from bloop_ref.surgery import Method, Mixed, PCGrad, SamGS, sam_gs_post_step

Step = Callable[[jax.Array], jax.Array]
Carry = tuple[jax.Array, optax.OptState]


def clipped(direction: jax.Array, losses: int = 2) -> jax.Array:
    """Return K d, clipped to norm 1: what the authors' training code hands to Adam, with K = 2."""
    return jnp.asarray(sam_gs_post_step(direction, losses=losses))


def as_it_is(direction: jax.Array) -> jax.Array:
    """Return d: what the published algorithm says."""
    return direction


@dataclass(frozen=True)
class Run:
    """A problem, a method, what is done to its direction, and the steps of Adam."""

    name: str
    problem: TwoTasks
    method: Method
    post_step: Step = clipped
    steps: int = 20_000

    def paths(self) -> np.ndarray:
        """Return the points of the paths from all starts, of shape (starts, steps + 1, 2)."""
        clip = optax.stateless(lambda direction, _: self.post_step(direction))
        optimiser = optax.chain(bloop_jax.surgery(self.method), clip, optax.adam(1e-3))

        def advance(carry: Carry, _: None) -> tuple[Carry, jax.Array]:
            point, state = carry
            main, aux = self.problem.gradients(point)
            update, state = optimiser.update(main, state, point, aux_grads=aux)
            point = point + update
            return (point, state), point

        def path(start: jax.Array) -> jax.Array:
            carry = start, optimiser.init(start)
            points = jax.lax.scan(advance, carry, None, length=self.steps)[1]
            return jnp.concatenate([start[None], points])

        return np.asarray(jax.jit(jax.vmap(path))(jnp.array(self.problem.starts)))

    def arrivals(self, points: np.ndarray, radius: float = 0.1) -> list[int | None]:
        """Return for each path the first step within a radius of an optimum, if there is one."""
        near = distance(self.problem, points) <= radius
        return [int(hits.argmax()) if hits.any() else None for hits in near]


PUBLISHED = {
    "problem 1": Run("SAM-GS", QUADRATIC, SamGS(beta2=0.99)),
    "problem 2": Run("SAM-GS", SEXTIC, SamGS(beta2=0.9), steps=21_000),
}
# Psi over all pairs, each gradient's with itself included, is (1 + Psi) / 2 for two tasks: never
# below 0.1, and 1 - Psi is halved, which doubles d if epsilon is four times as large.
PRINTED = SamGS(beta2=0.99, gamma=0, epsilon=4e-8)
RUNS = (
    PUBLISHED["problem 1"],
    Run("SAM-GS, not clipped", QUADRATIC, SamGS(beta2=0.99), as_it_is),
    Run("SAM-GS, clipped, K left out", QUADRATIC, SamGS(beta2=0.99), lambda d: clipped(d, 1)),
    Run("SAM-GS, Psi as printed", QUADRATIC, PRINTED, lambda d: clipped(2 * d)),
    Run("mixed", QUADRATIC, Mixed(1.0)),
    Run("PCGrad", QUADRATIC, PCGrad()),
    PUBLISHED["problem 2"],
    Run("SAM-GS, not clipped", SEXTIC, SamGS(beta2=0.9), as_it_is, steps=21_000),
)


# Okabe and Ito's colours, which colour-blind readers can tell apart, then black
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def draw(file: str) -> None:
    """Draw the paths of SAM-GS over the sum of the losses."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 6), layout="constrained")
    for axis, (title, run) in zip(axes, PUBLISHED.items(), strict=True):
        plane = np.stack(np.meshgrid(np.linspace(-11, 11, 300), np.linspace(-13, 11, 300)), -1)
        heights = sum(run.problem.losses(plane))
        filled = axis.contourf(plane[..., 0], plane[..., 1], heights, 40, cmap="Greys")
        figure.colorbar(filled, ax=axis, label="sum of the losses")
        paths = run.paths()
        for path, colour in zip(paths, COLOURS, strict=False):
            start = f"from ({path[0, 0]:g}, {path[0, 1]:g})"
            axis.plot(*path.T, color=colour, linewidth=1.8, label=start)
        marks = {"markeredgecolor": "white", "linestyle": "none"}
        axis.plot(*paths[:, 0].T, "ko", markersize=7, label="start", **marks)
        axis.plot(*paths[:, -1].T, "ks", markersize=8, label="end", **marks)
        optima = np.transpose(run.problem.optima)
        axis.plot(*optima, "*", color="#F0E442", markersize=15, label="optimum", **marks)
        axis.lines[-1].set_markeredgecolor("black")
        axis.set(title=f"{title}: {run.problem.name}", xlabel="x", ylabel="y")
        axis.legend(loc="upper center", bbox_to_anchor=(0.6, -0.12), ncols=3, fontsize=9)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Run, print and draw."""
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    table = Table("problem", "method", "arrive", "step within 0.1 of an optimum", box=box.MARKDOWN)
    for run in track(RUNS, "runs", console=Console(stderr=True)):
        steps = run.arrivals(run.paths())
        arrived = [step for step in steps if step is not None]
        firsts = " ".join("-" if step is None else str(step) for step in steps)
        table.add_row(run.problem.name, run.name, f"{len(arrived)} of {len(steps)}", firsts)
    Console().print(table)
    if sys.argv[1:]:
        draw(sys.argv[1])


if __name__ == "__main__":
    main()
