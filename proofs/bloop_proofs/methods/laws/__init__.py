"""The laws of every method, in the order in which they are tried."""

from collections.abc import Iterable

from bloop_proofs.law import Law
from bloop_proofs.methods.laws import balance, conflict, gates, least_norm
from bloop_proofs.methods.laws.numerics import NUMERICS, own_state
from bloop_proofs.methods.laws.relations import (
    LawOf,
    antiparallel,
    definition,
    definition_for_more,
    degree_one,
    rotation,
    scale_free,
    signed_permutation,
    splitting,
    symmetric,
    zeros,
)
from bloop_proofs.methods.registry import METHODS

__all__ = ["METHOD_LAWS"]

GRAM: tuple[LawOf, ...] = (degree_one, rotation, signed_permutation, splitting)
"""What holds where a method reads inner products only."""

RELATIONS: dict[str, tuple[LawOf, ...]] = {
    "mixed": (
        degree_one,
        rotation,
        signed_permutation,
        zeros("d = lam a for m = 0, and d = m for a = 0."),
    ),
    "a_gem": (
        *GRAM,
        scale_free,
        zeros("d = m for a = 0, and d = 0 for m = 0."),
        antiparallel("d = 0 for a = -s m."),
    ),
    "dynamic_barrier": (
        *GRAM,
        zeros("d = lam a for m = 0, and d = m for a = 0."),
        antiparallel("d = m for a = -s m."),
    ),
    "mgda": (
        *GRAM,
        symmetric,
        zeros("d = 0 where a gradient is 0."),
        antiparallel("d = 0 for a = -s m."),
    ),
    "cosine_gate": (
        *GRAM,
        zeros("d = m for a = 0: the cosine with a zero vector is 0.", which=((1,),)),
        antiparallel("d = m for a = -s m."),
    ),
    "grad_vac": (
        *GRAM,
        symmetric,
        conflict.per_loss_scale,
        zeros("d = m + a where one of the two is 0: the cosine with it is 0."),
        antiparallel("d = 0 for a = -s m: opposed gradients cancel."),
    ),
    "pcgrad": (
        *GRAM,
        symmetric,
        conflict.per_loss_scale,
        zeros("d = m + lam a where one of the two is 0."),
        antiparallel("d = 0 for a = -s m: opposed gradients cancel."),
    ),
    "meta_balance": (
        *GRAM,
        zeros("Where n_k = 0 a_k adds nothing; where n_0 = 0 the others have the weight 1 - r."),
    ),
    "cagrad": (
        *GRAM,
        symmetric,
        zeros("||d - g_0|| <= c ||g_0|| where a gradient is 0, and d = 0 where both are."),
        antiparallel("d = (1 - c) g_0 for a = -s m, 0 for s = 1."),
    ),
    "sam_gs": (
        symmetric,
        signed_permutation,
        splitting,
        zeros("A zero gradient adds nothing but counts in mean(n); Psi = 1 for two of them."),
    ),
}

OWN: dict[str, tuple[Law, ...]] = {
    "mixed": (
        gates.without_weight_d_is_the_main_gradient,
        gates.direction_is_linear_in_the_weight,
    ),
    "a_gem": (
        gates.protected_loss_never_rises,
        gates.what_has_been_projected_stays,
        gates.direction_is_no_longer_than_the_main_gradient,
    ),
    "dynamic_barrier": (
        gates.main_loss_falls_by_the_barrier_or_more,
        gates.in_conflict_it_is_full_batch_bloop,
    ),
    "mgda": (
        least_norm.every_loss_falls_by_the_square_of_d,
        least_norm.no_point_of_the_hull_is_shorter,
    ),
    "cosine_gate": (
        gates.opposing_gradients_are_left_out,
        gates.main_loss_falls_as_under_its_own_gradient_or_faster,
        gates.orthogonal_gradients_are_a_tie,
    ),
    "grad_vac": (
        conflict.first_step_is_pcgrad,
        conflict.cosines_below_the_target_are_lifted_to_it,
        conflict.aligned_gradients_raise_the_target,
    ),
    "pcgrad": (
        conflict.two_gradients_are_projected_off_each_other,
        conflict.neither_of_two_losses_rises,
        conflict.no_gradient_is_projected_off_itself,
    ),
    "meta_balance": (
        balance.first_ratio_is_that_of_the_norms,
        balance.without_relaxation_gradients_are_added,
        balance.full_relaxation_gives_both_the_main_norm,
        balance.constant_gradients_give_a_constant_direction,
    ),
    "cagrad": (
        least_norm.distance_from_the_mean_is_c_times_its_norm,
        least_norm.worst_off_loss_falls_as_fast_as_can_be,
    ),
    "sam_gs": (
        balance.unlike_gradients_are_equalised,
        balance.first_momentum_is_the_gradient,
        balance.constant_gradients_are_their_own_momentum,
        balance.modulated_direction_is_of_degree_two,
        balance.momentum_turns_no_sign,
        balance.threshold_decides_between_the_branches,
    ),
}


def _laws(name: str) -> Iterable[Law]:
    method = METHODS[name]
    yield definition(method)
    if method.most_losses > 2:
        yield definition_for_more(method)
    yield from OWN[name]
    yield from (law_of(method) for law_of in RELATIONS[name])
    yield from (law_of(method) for law_of in NUMERICS)
    if method.stateful:
        yield own_state(method)


METHOD_LAWS: dict[str, tuple[Law, ...]] = {name: tuple(_laws(name)) for name in METHODS}
"""The ordered catalogue of laws of every method."""
