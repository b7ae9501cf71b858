"""How gradients reach a transformation: in one value or beside, in chains, masked, absent."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax
from bloop_jax import Gradients
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm, row_rounding
from bloop_ref import Bloop
from bloop_ref.surgery import MetaBalance, Mixed, PerLeaf

LAM, RHO = 0.5, 0.25
TREE = {"frozen": jnp.array([8.0, 1.0]), "w": jnp.array([3.0, 4.0])}
AUX = {"frozen": jnp.array([2.0, 0.0]), "w": jnp.array([-5.0, 0.0])}
OTHER = {"frozen": jnp.array([0.0, 1.0]), "w": jnp.array([1.0, -1.0])}


def same(found: Any, required: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, found, required)


def bloop(*behind: Any, **options: Any) -> Any:
    return optax.chain(bloop_jax.bloop(LAM, RHO, **options), *behind)


def step(optimiser: Any, updates: Any, params: Any = TREE, **extra: Any) -> Any:
    """Return what a first step does, without ``jit``: nothing is compiled for one test alone."""
    return optimiser.update(updates, optimiser.init(params), params, **extra)


@pytest.mark.parametrize("aux", [AUX, (AUX, OTHER)], ids=["two", "three"])
@pytest.mark.parametrize("around", [lambda x, _: x, lambda x, n: bloop_jax.accumulate(x, 1, **n)])
def test_one_value_does_what_an_extra_argument_does(around: Any, aux: Any) -> None:
    losses = 2 if aux is AUX else 3
    optimiser = optax.chain(bloop_jax.surgery(Mixed(lam=0.5), losses=losses), optax.adam(0.1))
    optimiser = around(optimiser, {"losses": losses})
    same(step(optimiser, Gradients(TREE, aux)), step(optimiser, TREE, aux_grads=aux))


def test_what_stands_before_changes_all_gradients_of_one_value() -> None:
    """Clipped together to norm 1: ||d|| <= ||g|| + lam ||a|| <= (1 + lam^2)^(1/2)."""
    first = optax.chain(optax.clip_by_global_norm(1.0), bloop())
    both = Gradients(*(jax.tree.map(lambda x: 1000 * x, g) for g in (TREE, AUX)))
    found, _ = step(first, both)
    size = norm(flat([np.asarray(x) for x in jax.tree.leaves(found)]))
    assert size <= (1 + LAM**2) ** 0.5 + row_rounding(2.0**-24, 2, 1 + LAM)
    clipped, _ = optax.clip_by_global_norm(1.0).update(both, optax.EmptyState())
    same(found, step(bloop(), clipped)[0])


def test_what_stands_before_sees_no_extra_argument() -> None:
    """Which no transformation can notice; the guide says so."""
    first = optax.chain(optax.clip_by_global_norm(1.0), bloop())
    clipped, _ = optax.clip_by_global_norm(1.0).update(TREE, optax.EmptyState())
    same(step(first, TREE, aux_grads=AUX)[0], step(bloop(), clipped, aux_grads=AUX)[0])


@pytest.mark.parametrize(
    "around",
    [
        lambda x: bloop_jax.accumulate(x, 1),
        lambda x: bloop_jax.ire(x, kappa=1.0, fraction=0.5, warmup=2),
    ],
    ids=["accumulate", "ire"],
)
def test_wrappers_hand_gradients_on_as_they_came(around: Any) -> None:
    first = optax.chain(optax.scale(0.5), bloop())
    together = step(around(first), Gradients(TREE, AUX))[0]
    beside = step(around(first), TREE, aux_grads=AUX)[0]
    same(together, step(first, Gradients(TREE, AUX))[0])
    same(beside, step(first, TREE, aux_grads=AUX)[0])
    assert not all(map(np.array_equal, *map(jax.tree.leaves, (together, beside))))


ELSEWHERE = {
    "adam": lambda: optax.chain(optax.adam(0.1), bloop()),
    "momentum": lambda: optax.chain(optax.trace(0.9), bloop()),
    "weight decay": lambda: optax.chain(optax.add_decayed_weights(0.1), bloop()),
    "MultiSteps": lambda: optax.MultiSteps(bloop(), 2),
    "apply_if_finite": lambda: optax.apply_if_finite(bloop(), 2),
    "masked": lambda: optax.masked(bloop(), {"frozen": False, "w": True}),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_expects_vectors_like_the_parameters_takes_no_gradients_in_one_value(
    name: str,
) -> None:
    with pytest.raises((TypeError, ValueError), match="Gradients"):
        step(ELSEWHERE[name](), Gradients(TREE, AUX))


@pytest.mark.parametrize("bad", [0, 1], ids=["main", "auxiliary"])
def test_apply_if_finite_behind_the_surgery_keeps_what_is_bad_from_the_parameters(
    bad: int,
) -> None:
    optimiser = bloop(optax.apply_if_finite(optax.adam(0.1), 5))
    gradients = [TREE, AUX]
    _, good = step(optimiser, Gradients(*gradients))
    gradients[bad] = gradients[bad] | {"w": jnp.array([jnp.nan, 1.0])}
    updates, state = optimiser.update(Gradients(*gradients), good, TREE)
    same(updates, jax.tree.map(jnp.zeros_like, TREE))
    same(state[1].inner_state, good[1].inner_state)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(state[0].ema))
    assert int(state[0].skipped) == (bad == 0)


MASK, LABELS = {"frozen": False, "w": True}, {"frozen": "still", "w": "moves"}
OF_A_PART: dict[str, Any] = {
    "partition": lambda x: optax.partition({"moves": x, "still": optax.set_to_zero()}, LABELS),
    "partition, masked": lambda x: optax.partition(
        {"moves": x, "still": optax.set_to_zero()}, LABELS, mask_compatible_extra_args=True
    ),
    "selective_transform": lambda x: optax.selective_transform(
        x, freeze_mask={"frozen": True, "w": False}
    ),
    "masked": lambda x: optax.chain(
        optax.masked(x, MASK), optax.masked(optax.set_to_zero(), {"frozen": True, "w": False})
    ),
}


@pytest.mark.parametrize("name", OF_A_PART)
@pytest.mark.parametrize("aux", [AUX, (AUX, OTHER), None], ids=["two", "three", "none"])
def test_frozen_parameters_stay_and_do_not_count(name: str, aux: Any) -> None:
    """The same steps as without them, whatever their gradients are: adapters, for example."""
    losses = 3 if type(aux) is tuple else 2
    inner = optax.chain(bloop_jax.surgery(MetaBalance(), losses=losses), optax.adam(0.1))

    def spoiled(tree: Any) -> Any:
        return tree | {"frozen": jnp.full(2, jnp.nan)}

    def part(tree: Any) -> Any:
        return {"w": tree["w"]}

    optimiser = OF_A_PART[name](inner)
    # what is passed through untouched has to be finite, to be set to zero
    updates, _ = step(
        optimiser, TREE, aux_grads=jax.tree.map(spoiled, aux, is_leaf=lambda x: type(x) is dict)
    )
    required, _ = step(
        inner,
        part(TREE),
        part(TREE),
        aux_grads=jax.tree.map(part, aux, is_leaf=lambda x: type(x) is dict),
    )
    same(updates["w"], required["w"])
    same(updates["frozen"], jnp.zeros(2))


@pytest.mark.parametrize(
    "method",
    [Bloop(LAM, RHO), MetaBalance(), PerLeaf(MetaBalance())],
    ids=lambda x: type(x).__name__,
)
def test_a_step_without_an_auxiliary_loss_is_one_whose_gradient_is_zero(method: Any) -> None:
    ours = bloop_jax.surgery(method)
    zero = jax.tree.map(jnp.zeros_like, TREE)
    _, state = step(ours, TREE, aux_grads=AUX)
    update = ours.update
    required = update(TREE, state, aux_grads=zero)
    same(update(TREE, state, aux_grads=None), required)
    same(update(Gradients(TREE, None), state), required)


def test_one_of_several_auxiliary_losses_may_be_absent() -> None:
    ours = bloop_jax.surgery(Mixed(lam=[0.5, 2]), losses=3)
    zero = jax.tree.map(jnp.zeros_like, TREE)
    same(step(ours, Gradients(TREE, (None, AUX))), step(ours, Gradients(TREE, (zero, AUX))))


def test_a_micro_batch_without_an_auxiliary_loss_counts_as_zero() -> None:
    optimiser = bloop_jax.accumulate(bloop(optax.sgd(1.0)), 2)
    update = optimiser.update
    state = optimiser.init(TREE)
    for aux in (AUX, None):
        updates, state = update(Gradients(TREE, aux), state, TREE)
    required, _ = step(bloop(optax.sgd(1.0)), TREE, aux_grads=jax.tree.map(lambda x: x / 2, AUX))
    same(updates, required)


def test_micro_batches_of_three_losses() -> None:
    inner = optax.chain(bloop_jax.surgery(Mixed(lam=[0.5, 2]), losses=3), optax.sgd(1.0))
    optimiser = bloop_jax.accumulate(inner, 2, losses=3)
    update, state = optimiser.update, optimiser.init(TREE)
    for aux in ((AUX, TREE), (OTHER, AUX)):
        updates, state = update(TREE, state, TREE, aux_grads=aux)
    means = tuple(
        jax.tree.map(lambda x, y: (x + y) / 2, *pair) for pair in ((AUX, OTHER), (TREE, AUX))
    )
    same(updates, step(inner, TREE, aux_grads=means)[0])
