"""Theorem 2 over whole trees of paths: the links between expectations."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.base import Inequality
from bloop_proofs.problems.least_squares import LeastSquares
from bloop_proofs.problems.theorem_2 import Node, Parameters, children, mean, root, square
from bloop_proofs.subject import Step


def levels(
    step: Step, problem: LeastSquares, first: Node, at: Parameters, depth: int
) -> list[list[Node]]:
    """Return all nodes at times 0 .. depth, every path equally likely."""
    tree = [[first]]
    for _ in range(depth):
        tree.append([c for node in tree[-1] for c in children(step, problem, node, at)])
    return tree


def tracking_errors(problem: LeastSquares, tree: Sequence[Sequence[Node]]) -> list[Any]:
    """Return phi_t = E ||e_{t+1} - grad L_main(theta_t)||^2 for t = 0 .. depth - 1."""
    return [
        mean([square(c.ema - problem.grad_main(c.before.theta)) for c in nodes if c.before])
        for nodes in tree[1:]
    ]


def expected_links(
    problem: LeastSquares, tree: Sequence[Sequence[Node]], at: Parameters
) -> Iterator[Inequality]:
    """Yield the links between expectations, with the constants C, D and B of the tree's nodes."""
    inner = [node for nodes in tree[:-1] for node in nodes]
    noise = max(_variance(problem, node.theta) for node in inner)
    steps = max(mean([square(np.asarray(c.direction)) for c in nodes]) for nodes in tree[1:])
    aux = root(max(square(a) for node in inner for a in problem.sample_grads_aux(node.theta)))
    phi = tracking_errors(problem, tree)
    floor = at.rho**2 * noise + 2 * (at.smoothness * at.eta) ** 2 / at.rho * steps
    lagging = [root(square(tree[0][0].ema - problem.grad_main(tree[0][0].theta)))]
    for t in range(1, len(phi)):
        yield Inequality("recursion", phi[t], (1 - at.rho / 2) * phi[t - 1] + floor)
        unrolled = (1 - at.rho / 2) ** t * phi[0] + 2 / at.rho * floor
        yield Inequality("unrolled", phi[t], unrolled)
        lagging.append(root(phi[t - 1]) + at.smoothness * at.eta * root(steps))
    values = [mean([problem.main(node.theta) for node in nodes]) for nodes in tree]
    grads = [mean([square(problem.grad_main(n.theta)) for n in nodes]) for nodes in tree[:-1]]
    bent = at.smoothness * at.eta * steps / 2
    rests = [at.lam * aux * late + bent for late in lagging]
    least = problem.main(problem.solution)
    for t, rest in enumerate(rests):
        fallen = values[t] + at.eta * (rest - grads[t])
        yield Inequality("one step", values[t + 1], fallen)
        shrunk = (1 - 2 * at.eta * at.curvature) * (values[t] - least)
        yield Inequality("one step, PL", values[t + 1] - least, shrunk + at.eta * rest)
    total = (values[0] - least) / (at.eta * len(grads)) + mean(rests)
    yield Inequality("mean square gradient", mean(grads), total)


def _variance(problem: LeastSquares, theta: Array) -> Any:
    """Return E ||g - grad L_main||^2 over single samples."""
    gradient = problem.grad_main(theta)
    return mean([square(g - gradient) for g in problem.sample_grads_main(theta)])
