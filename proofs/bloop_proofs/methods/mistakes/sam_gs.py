"""Mistakes in SAM-GS."""

from typing import Any

import numpy as np

from bloop_proofs.methods.mistakes.mistake import wrong
from bloop_proofs.methods.mistakes.pieces import pair_mean, ratio, sam_gs, similarities
from bloop_proofs.tolerances import norm

PSI = "Psi, the mean over pairs i < j"
EVEN = "d = mean(n) sum_k g_k / n_k"
UNEVEN = "d = sum_k |M^_k| * g_k / sqrt(h^)"
AVERAGES = "M and h, and their bias corrections"


@wrong("sam_gs", where=PSI, mend="Average over pairs of two different gradients.")
def similarity_includes_the_diagonal(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Psi is the mean over all i and j, a gradient with itself included, as the paper prints it."""
    return sam_gs(g, state, **options, psi=lambda g: float(np.mean(similarities(g))))


@wrong("sam_gs", where=PSI, mend="Take the mean over the pairs, not the least of them.")
def similarity_is_the_least_of_the_pairs(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Psi is the least similarity of a pair."""
    return sam_gs(g, state, **options, psi=lambda g: float(np.min(similarities(g))))


@wrong("sam_gs", where=PSI, mend="Compare magnitudes, 2 x y / (x^2 + y^2), not directions.")
def similarity_is_a_cosine(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Psi is the mean cosine of the pairs."""

    def psi(g: np.ndarray) -> float:
        units = np.array([ratio(v, norm(v)) for v in g])
        return float(np.mean((units @ units.T)[np.triu_indices(len(g), 1)]))

    return sam_gs(g, state, **options, psi=psi)


@wrong("sam_gs", where=UNEVEN, mend="Take the absolute value of the momentum.")
def momentum_keeps_its_sign(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The modulated direction is sum_k M^_k * g_k / sqrt(h^)."""
    return sam_gs(g, state, **options, modulate=lambda m, g: m * g)


@wrong("sam_gs", where=UNEVEN, mend="Multiply the gradient, and not its absolute value.")
def gradient_loses_its_sign(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The modulated direction is sum_k M^_k * |g_k| / sqrt(h^)."""
    return sam_gs(g, state, **options, modulate=lambda m, g: m * np.abs(g))


@wrong("sam_gs", where=UNEVEN, mend="Multiply by the momentum, not by the gradient once more.")
def gradient_takes_the_place_of_the_momentum(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The modulated direction is sum_k |g_k| * g_k / sqrt(h^)."""
    return sam_gs(g, state, **options, modulate=lambda m, g: np.abs(g) * g)


@wrong("sam_gs", where=UNEVEN, mend="Modulate each gradient by its own momentum.")
def main_momentum_modulates_all_gradients(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The modulated direction is sum_k |M^_0| * g_k / sqrt(h^)."""
    return sam_gs(g, state, **options, modulate=lambda m, g: np.abs(m[0]) * g)


@wrong("sam_gs", where=EVEN, mend="Add the equalised gradients; do not square them.")
def equalised_gradients_are_squared(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The equalised direction is sum_k (n / n_k) g_k * g_k, as the paper prints it."""

    def even(g: np.ndarray) -> np.ndarray:
        sizes = [norm(v) for v in g]
        terms = (ratio(v * v, n) for v, n in zip(g, sizes, strict=True))
        return np.asarray(np.mean(sizes) * sum(terms))

    return sam_gs(g, state, **options, even=even)


@wrong("sam_gs", where=EVEN, mend="Give each gradient the mean norm, not the first one's.")
def gradients_are_brought_to_the_first_norm(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The equalised direction is n_0 sum_k g_k / n_k."""

    def even(g: np.ndarray) -> np.ndarray:
        return np.asarray(norm(g[0]) * sum(ratio(v, norm(v)) for v in g))

    return sam_gs(g, state, **options, even=even)


@wrong("sam_gs", where="the gate", mend="Equalise where the similarity is below gamma.")
def branches_are_exchanged(g: np.ndarray, state: Any, *, gamma: float, **options: Any) -> Any:
    """Gradients are equalised where Psi >= gamma, and modulated where it is below."""
    other = 2.0 if pair_mean(g) >= gamma else 0.0
    return sam_gs(g, state, gamma=other, **options)


@wrong("sam_gs", where="the gate", mend="Equalise where the similarity is below gamma.")
def never_equalises(g: np.ndarray, state: Any, *, gamma: float, **options: Any) -> Any:
    """The direction is always the modulated one."""
    return sam_gs(g, state, gamma=0.0, **options)


@wrong("sam_gs", where=AVERAGES, mend="Divide M by 1 - beta1^t and h by 1 - beta2^t.")
def averages_are_not_corrected(g: np.ndarray, state: Any, **options: Any) -> Any:
    """M and h are used as they are."""
    return sam_gs(g, state, **options, corrected=(False, False))


@wrong("sam_gs", where=AVERAGES, mend="Divide M by 1 - beta1^t.")
def momentum_is_not_corrected(g: np.ndarray, state: Any, **options: Any) -> Any:
    """M is used as it is."""
    return sam_gs(g, state, **options, corrected=(False, True))


@wrong("sam_gs", where=AVERAGES, mend="Divide h by 1 - beta2^t.")
def dissimilarity_is_not_corrected(g: np.ndarray, state: Any, **options: Any) -> Any:
    """h is used as it is."""
    return sam_gs(g, state, **options, corrected=(True, False))


@wrong("sam_gs", where=AVERAGES, mend="Use beta1 for the momentum and beta2 for h.")
def betas_are_exchanged(
    g: np.ndarray, state: Any, *, beta1: float, beta2: float, **options: Any
) -> Any:
    """beta2 is the momentum's."""
    return sam_gs(g, state, beta1=beta2, beta2=beta1, **options)


@wrong("sam_gs", where=AVERAGES, mend="Average the squares of 1 - Psi.")
def dissimilarity_is_not_squared(g: np.ndarray, state: Any, **options: Any) -> Any:
    """h averages 1 - Psi."""
    return sam_gs(g, state, **options, unlike=lambda similarity: 1 - similarity)


@wrong("sam_gs", where=AVERAGES, mend="Average (1 - Psi)^2, not Psi^2.")
def similarity_is_averaged(g: np.ndarray, state: Any, **options: Any) -> Any:
    """h averages Psi^2."""
    return sam_gs(g, state, **options, unlike=lambda similarity: similarity**2)


@wrong("sam_gs", where=UNEVEN, mend="Divide by the root of h^.")
def root_is_left_out(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The modulated direction is divided by h^."""
    return sam_gs(g, state, **options, over=lambda h: h)


@wrong("sam_gs", where=AVERAGES, mend="Add eps to h in every step.")
def eps_is_added_to_the_root(g: np.ndarray, state: Any, *, eps: float, **options: Any) -> Any:
    """h averages without eps, and eps is added to sqrt(h^)."""
    return sam_gs(g, state, eps=0.0, **options, over=lambda h: np.sqrt(h) + eps)


@wrong("sam_gs", where=AVERAGES, mend="Update the averages in both branches, before the gate.")
def averages_rest_while_equalising(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Where gradients are equalised, M, h and t stay what they were."""
    direction, new = sam_gs(g, state, **options)
    return direction, state if pair_mean(g) < options["gamma"] else new


@wrong("sam_gs", where="d itself", mend="Leave the factor K and the clip to the training loop.")
def direction_is_multiplied_by_the_losses(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The direction is K d, as the authors' training code scales it."""
    direction, new = sam_gs(g, state, **options)
    return len(g) * direction, new
