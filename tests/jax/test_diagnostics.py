"""Diagnostics out of a compiled step: the long vectors leaf by leaf, and names for loggers."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

import bloop_jax
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import diagnostics_bound
from bloop_ref import Bloop, Diagnostics
from bloop_ref.surgery import PerLeaf
from tests.jax.cases import Case, U, batches


def there(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


@pytest.mark.parametrize("method", [PerLeaf(Bloop(0.5, 0.25, project_on="updated"))])
def test_what_is_remembered_leaf_by_leaf_is_seen_as_long_vectors(method: Any) -> None:
    first, second = batches(Case(method), 2)
    _, state = method.step(first, method.init(first[0]))
    found: Any = jax.jit(lambda g, s: bloop_jax.diagnostics(method, g, s))(
        there(second), there(state)
    )
    required = method.diagnostics(second, state)
    assert found.names == required.names == ("main", "aux", "ema")
    for name, value in required.as_dict().items():
        error = abs(float(found.as_dict()[name]) - float(value))
        assert error <= diagnostics_bound(U, flat(first[0]).size, max(1, abs(float(value)))), name


def test_loggers_get_numbers_of_the_host() -> None:
    bloop = Bloop(0.5, 0.5)

    @jax.jit
    def step(gradients: Any, state: Any) -> Any:
        seen = bloop_jax.diagnostics(bloop, gradients, state)
        return bloop.step(gradients, state), seen, seen.as_dict("bloop/")

    g, a = there([[3.0, 4.0], [-5.0, 0.0]])
    (_, state), _, _ = step([g, a], bloop.init(g))
    _, found, named = step([g, a], state)
    assert isinstance(found, Diagnostics)
    assert jax.device_get(found.as_dict("bloop/")) == jax.device_get(named)
    values = {name: round(float(x), 6) for name, x in jax.device_get(named).items()}
    assert values["bloop/norm_main"] == 5.0
    assert values["bloop/cos_aux_ema"] == -0.6
    assert values["bloop/coefficient"] == -1.2
