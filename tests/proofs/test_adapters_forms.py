"""A subject of another form than its adapter's is told so in one line."""

from typing import Any

import pytest

from bloop_proofs import (
    ProtocolError,
    check_implementation,
    from_class,
    from_dict,
    from_flat,
)
from bloop_proofs.subject import Step


class Without:
    def __init__(self, lam: float, rho: float) -> None:
        self.ema = None

    def step(self, g_main: Any, g_aux: Any) -> Any:
        return g_main


class Forgets(Without):
    def step(self, g_main: Any, g_aux: Any) -> Any:
        self.ema = None
        return g_main


WRONG: dict[str, tuple[Step, str]] = {
    "flat: one array": (
        from_flat(lambda g, a, e, *, lam, rho: g),
        "must return a pair (direction, new_ema); found ndarray",
    ),
    "flat: lists": (
        from_flat(lambda g, a, e, *, lam, rho: ([g], e)),
        "direction must be a flat array of shape (3,); found list of 1",
    ),
    "flat: short": (
        from_flat(lambda g, a, e, *, lam, rho: (g, e[:2])),
        "new_ema must be a flat array of shape (3,); found shape (2,)",
    ),
    "dict: one dict": (
        from_dict(lambda g, a, e, *, lam, rho: g),
        "must return a pair (direction, new_ema); found dict of 2",
    ),
    "dict: lists": (
        from_dict(lambda g, a, e, *, lam, rho: (list(g.values()), e)),
        "direction must be a dict with the names ['parameter_0', 'parameter_1']; found list of 2",
    ),
    "dict: names": (
        from_dict(lambda g, a, e, *, lam, rho: (g, {"w": 0.0, 1: 2.0}), names="w{}"),
        "new_ema must be a dict with the names ['w0', 'w1']; found ['1', 'w']",
    ),
    "class: attribute": (from_class(Without, ema="average"), "Without must have average"),
    "class: method": (from_class(Without, method="update"), "Without must have update"),
    "class: no EMA": (from_class(Forgets), "found NoneType for new_ema"),
}


@pytest.mark.parametrize("form", WRONG)
def test_another_form_than_the_adapters_is_said_in_one_line(form: str) -> None:
    step, message = WRONG[form]
    with pytest.raises(ProtocolError) as raised:
        check_implementation(step)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
