"""The problem in one picture: section 3.3's two losses, and where three methods lead.

``python docs/examples/the_problem.py docs/images/problem.svg`` draws it.
"""

import sys
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from bloop_proofs.problems.toy import section_3_3
from bloop_ref.surgery import Bloop, Method, Mixed

Array = np.ndarray[Any, Any]
START = np.array([1.6, 1.5])
PROBLEM = section_3_3()
PATHS: dict[str, tuple[str, str, Method | None]] = {
    # Okabe and Ito's colours, and a mark of its own for each
    "main loss alone": ("#000000", "s", None),
    "mixed training": ("#D55E00", "^", Mixed(1.0)),
    "Bloop": ("#0072B2", "o", Bloop(1.0, 0.1)),
}


def path(method: Method | None, steps: int = 200, rate: float = 0.05) -> Array:
    """Return the points that a method visits under plain gradient descent."""
    points = [START]
    state: Any = method.init(START) if method else None
    for _ in range(steps):
        direction = PROBLEM.grad_main(points[-1])
        if method:
            direction, state = method.step([direction, PROBLEM.grad_aux(points[-1])], state)
        points.append(points[-1] - rate * direction)
    return np.array(points)


def draw(file: str) -> None:
    """Draw the paths over the auxiliary loss, and the valley of the main one."""
    plt.rcParams.update({"svg.hashsalt": "bloop", "font.size": 11})
    figure = plt.figure(figsize=(8.2, 4.3))
    axis = figure.add_axes((0.1, 0.13, 0.64, 0.84))
    a, b = np.meshgrid(np.linspace(-1.3, 1.85, 120), np.linspace(-0.4, 1.75, 120))
    axis.contour(a, b, (a - 1) ** 2 + b**2, 9, colors="#bbbbbb", linewidths=0.8)
    axis.axvline(0, color="#009E73", linewidth=6, alpha=0.35)
    text: dict[str, Any] = {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}
    axis.text(
        -0.09, 0.75, "valley: on this line\nthe main loss is least", ha="right", va="center", **text
    )
    axis.text(1, -0.07, "here the auxiliary\nloss is least", ha="center", va="top", **text)
    axis.plot(1, 0, "+", color="#666666", markersize=11)
    for name, (colour, mark, method) in PATHS.items():
        points = path(method)
        axis.plot(*points.T, color=colour, linewidth=2)
        axis.plot(*points[-1], mark, color=colour, markersize=11, label=name)
    axis.plot(*START, "D", color="#666666", markersize=7, label="start of all three")
    axis.set(xlabel="a", ylabel="b", xlim=(-1.3, 1.85), ylim=(-0.4, 1.75), aspect="equal")
    place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    axis.legend(**place, frameon=False, title="ends of", alignment="left")
    figure.savefig(file, metadata={"Date": None} if file.endswith("svg") else None)


if __name__ == "__main__":
    draw(sys.argv[1])
