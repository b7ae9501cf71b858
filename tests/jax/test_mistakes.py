"""What users of JAX get wrong, each with the message that it gets."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax
from bloop_ref import Bloop
from bloop_ref.surgery import DynamicBarrier, MetaBalance, Mixed

G = {"b": jnp.ones(3), "w": jnp.ones(2)}
BLOOP = bloop_jax.bloop(0.5, 0.25)
STATE = BLOOP.init(G)
TREE = "PyTreeDef({'b': *, 'w': *})"
ANOTHER: Any = jnp.full(3, 2.0)


class Mistake(NamedTuple):
    call: Callable[[], Any]
    error: type[Exception]
    message: str


def update(aux: Any = G, state: Any = STATE, **options: Any) -> Any:
    return BLOOP.update(G, state, aux_grads=aux, **options)


def of_levels(losses: int) -> Any:
    return bloop_jax.surgery(Mixed(1), losses=losses)


MISTAKES = {
    "no auxiliary gradient": Mistake(
        lambda: BLOOP.update(G, STATE),
        TypeError,
        "update needs aux_grads=, the gradient of every auxiliary loss, or Gradients(main, aux) in "
        "the place of updates; for a step without an auxiliary loss give aux_grads=None",
    ),
    "auxiliary gradients twice": Mistake(
        lambda: BLOOP.update(bloop_jax.Gradients(G, G), STATE, aux_grads=G),
        TypeError,
        "update takes auxiliary gradients once: give aux_grads= or Gradients(main, aux); both were "
        "given",
    ),
    "a part of the tree": Mistake(
        lambda: update({"w": G["w"]}),
        ValueError,
        f"gradients[1] must have the tree structure of gradients[0]: required {TREE}, "
        "found PyTreeDef({'w': *})",
    ),
    "a sequence for one auxiliary loss": Mistake(
        lambda: update((G,)),
        ValueError,
        f"gradients[1] must have the tree structure of gradients[0]: required {TREE}, "
        "found PyTreeDef(({'b': *, 'w': *},))",
    ),
    "one gradient for two auxiliary losses": Mistake(
        lambda: of_levels(3).update(G, of_levels(3).init(G), aux_grads=G),
        TypeError,
        "aux_grads must be a sequence of 2 gradients; found dict",
    ),
    "too few gradients": Mistake(
        lambda: of_levels(3).update(G, of_levels(3).init(G), aux_grads=[G]),
        ValueError,
        "aux_grads must have one gradient per auxiliary loss: required 2, found 1",
    ),
    "another shape": Mistake(
        lambda: update(G | {"b": jnp.ones(1)}),
        ValueError,
        "gradients[1]['b'] must have the shape of gradients[0]['b']: required (3,), found (1,)",
    ),
    "integers": Mistake(
        lambda: update(G | {"b": jnp.ones(3, int)}),
        TypeError,
        "gradients[1]['b'] must have a real or complex floating dtype of at most 64 bits a part; "
        "found int32",
    ),
    "a Python number": Mistake(
        lambda: update(G | {"b": 1.0}),
        TypeError,
        "gradients[1]['b'] must be an array of a library that follows the array API standard, or "
        "None; found float",
    ),
    "NumPy's arrays": Mistake(
        lambda: update(G | {"b": np.ones(3)}),
        TypeError,
        "gradients[1]['b'] must be an array of the library of gradients[0]['b']: "
        "required jax.numpy, found array_api_compat.numpy",
    ),
    "the parameters are no arrays": Mistake(
        lambda: BLOOP.init({"w": 1.0}),
        TypeError,
        "like['w'] must be an array of a library that follows the array API standard, or None; "
        "found float",
    ),
    "the state of a chain": Mistake(
        lambda: update(state=(STATE, optax.EmptyState())),
        TypeError,
        "state must be a State, as init and step return it; found tuple",
    ),
    "the state of another method": Mistake(
        lambda: update(state=bloop_jax.surgery(MetaBalance()).init(G)),
        ValueError,
        "state must be one of Bloop for 2 gradients: required (1, 0) remembered vectors and "
        "scalars, found (0, 2)",
    ),
    "the state of another model": Mistake(
        lambda: update(state=BLOOP.init({"w": G["w"]})),
        ValueError,
        f"state.memory[0] must have the tree structure of gradients[0]: required {TREE}, "
        "found PyTreeDef({'w': *})",
    ),
    "the state of a wider model": Mistake(
        lambda: update(state=BLOOP.init(G | {"b": jnp.ones(5)})),
        ValueError,
        "state.memory[0]['b'] must have the shape of gradients[0]['b']: required (3,), found (5,)",
    ),
    "a count that is no integer": Mistake(
        lambda: update(state=STATE._replace(count=jnp.ones(()))),
        TypeError,
        "state.count must be an integer >= 0; found an array of shape () and dtype float32",
    ),
    "no lam": Mistake(
        lambda: bloop_jax.bloop(None, 0.1),
        TypeError,
        "lam must be a finite number >= 0; found None",
    ),
    "rho is a half-life": Mistake(
        lambda: bloop_jax.bloop(0.5, 2), ValueError, "rho must be a number in [0, 1]; found 2"
    ),
    "a class for a method": Mistake(
        lambda: bloop_jax.surgery(Bloop),  # type: ignore[arg-type]
        TypeError,
        "method must be a bloop_ref.surgery.Method; found <class 'bloop_ref.bloop.Bloop'>",
    ),
    "three losses for Bloop": Mistake(
        lambda: bloop_jax.surgery(Bloop(0.5, 0.1), losses=3),
        ValueError,
        "losses must be as many as Bloop takes: required 2, found 3",
    ),
    "no main loss for a level": Mistake(
        lambda: bloop_jax.surgery(DynamicBarrier(level=0.0)).update(
            G, bloop_jax.surgery(DynamicBarrier(level=0.0)).init(G), aux_grads=G
        ),
        ValueError,
        "main_loss must be given with a level: required the value of L_main, found none",
    ),
    "a method to accumulate for": Mistake(
        lambda: bloop_jax.accumulate(Mixed(1), 2),
        TypeError,
        f"optimiser must be an optax transformation; found {Mixed(1)!r}",
    ),
    "no number of micro-batches": Mistake(
        lambda: bloop_jax.accumulate(BLOOP, None),  # type: ignore[arg-type]
        TypeError,
        "every must be an integer; found None",
    ),
    "micro-batches of another shape": Mistake(
        lambda: bloop_jax.accumulate(BLOOP, 2).update(
            G, bloop_jax.accumulate(BLOOP, 2).init(G), aux_grads=G | {"b": jnp.ones(1)}
        ),
        ValueError,
        "gradients[1] must have the tree structure and shapes of the parameters that init was "
        "given: required (3,), found (1,)",
    ),
    "an array donated twice": Mistake(
        lambda: bloop_jax.step(G["b"], ANOTHER, ANOTHER, lam=0.5, rho=0.1, donate=True),
        ValueError,
        "with donate, g_aux and ema must hold arrays of their own; found one that is in g_main or "
        "twice",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_its_message(name: str) -> None:
    mistake = MISTAKES[name]
    with pytest.raises(mistake.error, match=f"^{re.escape(mistake.message)}$"):
        mistake.call()


@pytest.mark.parametrize("name", ["another shape", "integers", "the state of another model"])
def test_under_jit_the_message_is_the_same(name: str) -> None:
    mistake = MISTAKES[name]
    with pytest.raises(mistake.error, match=f"^{re.escape(mistake.message)}"):
        jax.jit(mistake.call)()
