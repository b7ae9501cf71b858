"""The inputs of one check: named values that print as code."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bloop_proofs.frameworks import Framework, number

Gradient = list[np.ndarray]
"""One array per parameter."""


class Case(Mapping[str, Any]):
    """The named inputs of one check: gradients (lists of NumPy arrays), numbers, lists of these.

    The names ``g_main``, ``g_aux``, ``ema``, ``lam`` and ``rho`` are the arguments of a step.
    """

    def __init__(self, **inputs: Any) -> None:
        """Keep the inputs under their names."""
        self._inputs = inputs

    def __getitem__(self, name: str) -> Any:
        return self._inputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_inputs"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return f"Case({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    def but(self, **changes: Any) -> "Case":
        """Return this case with some inputs changed."""
        return Case(**{**self._inputs, **changes})

    def code(self, framework: Framework) -> str:
        """Return Python that builds the inputs, as arrays of a framework, in a dict ``case``."""
        lines = [f"    {name!r}: {literal(value, framework)}," for name, value in self.items()]
        return "\n".join(["case = {", *lines, "}"])


def literal(value: Any, framework: Framework) -> str:
    """Return a value as Python source that rebuilds it bit for bit."""
    if isinstance(value, np.ndarray):
        return framework.literal(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(literal(entry, framework) for entry in value)}]"
    return number(value)
