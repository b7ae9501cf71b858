"""The methods that Bloop is compared with, in one protocol on the same two primitives.

Every method is an immutable object with ``init(like, losses=2) -> state`` and
``step([g_main, g_aux, ...], state) -> (direction, state)``; see ``Method``. Most read the gradients
through inner products only and return a combination of them: see ``GramMethod``. Their equations
are the functions of ``bloop_ref.surgery.rows``. The functions in lower case are a first step each.

Notation: m is the main and a an auxiliary gradient, pi(u; v) = u - <u, v> / ||v||^2 v with
pi(u; 0) = u.
"""

from bloop_ref.surgery._method import GramMethod, Method
from bloop_ref.surgery.balance import MetaBalance, MetaBalanceState, meta_balance
from bloop_ref.surgery.barrier import DynamicBarrier, dynamic_barrier
from bloop_ref.surgery.conflict import (
    GradVac,
    GradVacState,
    PCGrad,
    PCGradState,
    grad_vac,
    pcgrad,
)
from bloop_ref.surgery.gates import AGem, CosineGate, Mixed, a_gem, cosine_gate, mixed
from bloop_ref.surgery.groups import Hierarchy, PerLeaf
from bloop_ref.surgery.least_norm import MGDA, CAGrad, cagrad, mgda
from bloop_ref.surgery.sam_gs import SamGS, SamGSState, sam_gs, sam_gs_post_step

__all__ = [
    "MGDA",
    "AGem",
    "CAGrad",
    "CosineGate",
    "DynamicBarrier",
    "GradVac",
    "GradVacState",
    "GramMethod",
    "Hierarchy",
    "MetaBalance",
    "MetaBalanceState",
    "Method",
    "Mixed",
    "PCGrad",
    "PCGradState",
    "PerLeaf",
    "SamGS",
    "SamGSState",
    "a_gem",
    "cagrad",
    "cosine_gate",
    "dynamic_barrier",
    "grad_vac",
    "meta_balance",
    "mgda",
    "mixed",
    "pcgrad",
    "sam_gs",
    "sam_gs_post_step",
]
