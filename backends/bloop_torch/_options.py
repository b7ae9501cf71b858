"""The choices of ``Bloop``, checked once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from bloop_torch.step import checked

Schedule: TypeAlias = float | Callable[[int], float]
"""A number, or a function of the number of steps taken."""

CHOICES = {
    "project_on": ("previous", "updated"),
    "init": ("zeros", "first"),
    "nonfinite": ("skip", "raise", "propagate"),
}


@dataclass(frozen=True)
class Options:
    """The hyper-parameters of ``Bloop``, as it documents them."""

    lam: Schedule
    rho: Schedule
    project_on: str
    init: str
    rescale: bool
    nonfinite: str
    ema_dtype: torch.dtype | None

    def __post_init__(self) -> None:
        """Check the choices, and the numbers that are no functions."""
        for name, choices in CHOICES.items():
            if (found := getattr(self, name)) not in choices:
                raise ValueError(f"{name} must be one of {choices}; found {found!r}")
        if self.ema_dtype not in (None, torch.float32, torch.float64):
            raise ValueError(
                "ema_dtype must be None, torch.float32 or torch.float64: a narrower average stops "
                "moving once rho times the difference is below its spacing; "
                f"found {self.ema_dtype!r}"
            )
        for name, most in (("lam", float("inf")), ("rho", 1.0)):
            if not callable(getattr(self, name)):
                checked(name, getattr(self, name), most=most)

    def lam_at(self, count: int) -> float:
        """Return the weight of the auxiliary loss after some steps."""
        return _at("lam", self.lam, count)

    def rho_at(self, count: int) -> float:
        """Return the weight of the new gradient after some steps."""
        return _at("rho", self.rho, count, most=1.0)

    def plain(self) -> dict[str, Any]:
        """Return the options as values that a checkpoint can hold; ``None`` for a function."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["ema_dtype"] = None if self.ema_dtype is None else str(self.ema_dtype)
        return {name: None if callable(value) else value for name, value in values.items()}


def _at(name: str, value: Schedule, count: int, *, most: float = float("inf")) -> float:
    return float(checked(name, value(count) if callable(value) else value, most=most))
