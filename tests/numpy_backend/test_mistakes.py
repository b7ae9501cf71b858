"""What users of NumPy get wrong, each with the message that it gets, and nothing is written."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

import bloop_numpy
from bloop_ref import Bloop


class Mistake(NamedTuple):
    """What is given in the place of good arguments, and what is said to it."""

    given: dict[str, Any]
    error: type[Exception]
    message: str


def vector(*shapes: Any, dtype: Any = "float32") -> list[np.ndarray]:
    return [np.ones(shape, dtype) for shape in shapes or (3, 2)]


def locked() -> list[np.ndarray]:
    found = vector()
    found[1].flags.writeable = False
    return found


SAME = vector(3)
TREE = "PyTreeSpec([*, *], NoneIsLeaf)"

MISTAKES = {
    "lists of numbers": Mistake(
        {"g_main": [1.0, 2.0]},
        TypeError,
        "g_main[0] must be an array of a library that follows the array API standard, or None; "
        "found float",
    ),
    "integers": Mistake(
        {"g_aux": vector(dtype=int)},
        TypeError,
        "g_aux[0] must have a real or complex floating dtype of at most 64 bits a part; "
        "found int64",
    ),
    "no auxiliary gradient": Mistake(
        {"g_aux": None},
        ValueError,
        f"g_aux must have the tree structure of g_main: required {TREE}, "
        "found PyTreeSpec(*, NoneIsLeaf)",
    ),
    "a gradient too few": Mistake(
        {"g_aux": vector(3)},
        ValueError,
        f"g_aux must have the tree structure of g_main: required {TREE}, "
        "found PyTreeSpec([*], NoneIsLeaf)",
    ),
    "another shape": Mistake(
        {"g_aux": vector((3, 1), 2)},
        ValueError,
        "g_aux[0] must have the shape of g_main[0]: required (3,), found (3, 1)",
    ),
    "the average of another model": Mistake(
        {"ema": vector(3, 5)},
        ValueError,
        "ema[1] must have the shape of g_main[1]: required (2,), found (5,)",
    ),
    "a state for an average": Mistake(
        {"ema": Bloop(0.5, 0.25).init(vector())},
        ValueError,
        f"ema must have the tree structure of g_main: required {TREE}, found PyTreeSpec("
        "State(memory=([*, *],), scalars=(), count=*, skipped=*), NoneIsLeaf)",
    ),
    "no lam": Mistake({"lam": None}, TypeError, "lam must be a finite number >= 0; found None"),
    "a negative lam": Mistake(
        {"lam": -1}, ValueError, "lam must be a finite number >= 0; found -1"
    ),
    "rho is a half-life": Mistake(
        {"rho": 2}, ValueError, "rho must be a number in [0, 1]; found 2"
    ),
    "one array for both gradients": Mistake(
        {"g_main": SAME, "g_aux": SAME, "ema": vector(3)},
        ValueError,
        "in place, g_main and g_aux must not share memory; leaf 0 of the one and leaf 0 of the "
        "other do",
    ),
    "an auxiliary gradient in another precision": Mistake(
        {"g_aux": vector(dtype="float64")},
        TypeError,
        "in place, g_aux must have the dtypes of g_main, which the direction has: "
        "required float32 for leaf 0, found float64",
    ),
    "an average that cannot be written": Mistake(
        {"ema": locked()}, ValueError, "in place, ema must be writeable; found leaf 1 read-only"
    ),
    "fractions": Mistake(
        {name: vector(dtype=object) for name in ("g_main", "g_aux", "ema")},
        TypeError,
        "bloop_numpy takes NumPy arrays of floating dtypes, bloop_ref others, too; "
        "found arrays of Python objects",
    ),
}


def leaves(arguments: dict[str, Any]) -> Sequence[np.ndarray]:
    vectors = [arguments[name] for name in ("g_main", "g_aux", "ema")]
    return [x for v in vectors if type(v) is list for x in v if isinstance(x, np.ndarray)]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_its_message_and_nothing_is_written(name: str) -> None:
    mistake = MISTAKES[name]
    good: dict[str, Any] = {"g_main": vector(), "g_aux": vector(), "ema": vector()}
    arguments = good | {"lam": 0.5, "rho": 0.25} | mistake.given
    before = [x.copy() for x in leaves(arguments)]
    with pytest.raises(mistake.error, match=f"^{re.escape(mistake.message)}$"):
        bloop_numpy.step(**arguments, inplace=True)
    for x, y in zip(leaves(arguments), before, strict=True):
        np.testing.assert_array_equal(x, y)
