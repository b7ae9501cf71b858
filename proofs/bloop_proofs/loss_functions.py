"""JAX steps that take parameters and two loss functions, brought into the protocol's form."""

import importlib
from collections.abc import Callable
from typing import Any

from bloop_proofs.adapters import with_source
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.losses import START, linear_loss
from bloop_proofs.subject import Step


def from_loss_functions(step: Callable[..., Any]) -> Step:
    """Return a subject made of a JAX step that takes parameters and two loss functions.

    The losses are <g_main, theta> and <g_aux, theta>; what ``jax.grad`` returns for them is the
    drawn vectors, complex ones too. Both are pytrees, of type ``jax.tree_util.Partial``, and go
    through ``jax.jit`` like arrays.

    Args:
        step: ``step(params, main_loss, aux_loss, ema, *, lam, rho) -> (direction, new_ema)``, with
            ``params``, ``ema`` and what it returns lists of arrays, and ``main_loss(params)`` a
            scalar. Updates, which descend, are the direction with the sign turned.

    Example:
        >>> import jax
        >>> def mine(params, main_loss, aux_loss, ema, *, lam, rho):
        ...     main, aux = jax.grad(main_loss)(params), jax.grad(aux_loss)(params)
        ...     new_ema = [(1 - rho) * e + rho * m for e, m in zip(ema, main)]
        ...     return [m + lam * a for m, a in zip(main, aux)], new_ema
        >>> from bloop_proofs import check_implementation, from_loss_functions
        >>> step, laws = from_loss_functions(mine), "new-ema-weighs-the-new-gradient-by-rho"
        >>> check_implementation(step, framework="jax", laws=laws, examples=3).passed
        True

    Source: eq. 5 and Algorithm 1 of arXiv 2402.02998v2.
    """

    def adapted(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        xp: Any = FRAMEWORKS["jax"].xp
        partial = importlib.import_module("jax").tree_util.Partial
        params = [xp.full_like(leaf, START) for leaf in g_main]
        losses = (partial(linear_loss, gradient) for gradient in (g_main, g_aux))
        return step(params, *losses, ema, lam=lam, rho=rho)

    return with_source(adapted, step, "from_loss_functions(step)")
