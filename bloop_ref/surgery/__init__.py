"""The methods that Bloop is compared with, and Bloop among them, in one protocol.

Every method is an immutable value with ``init(like, losses=2) -> state`` and
``step([g_main, g_aux, ...], state) -> (direction, state)``; see ``Method``. Most read the gradients
through inner products only and return a combination of them, which is what ``GramMethod`` says;
``SamGS`` and ``PerLeaf`` do not. Called, a method returns the direction of a first step.

Notation: m is the main and a an auxiliary gradient, pi(u; v) = u - <u, v> / ||v||^2 v with
pi(u; 0) = u.
"""

from bloop_ref.bloop import Bloop
from bloop_ref.driver import State
from bloop_ref.gram_method import GramMethod
from bloop_ref.hierarchy import HierarchicalBloop
from bloop_ref.method import Method
from bloop_ref.surgery.balance import MetaBalance
from bloop_ref.surgery.cagrad import CAGrad
from bloop_ref.surgery.conflict import GradVac, PCGrad
from bloop_ref.surgery.gates import AGem, CosineGate, DynamicBarrier, Mixed
from bloop_ref.surgery.mgda import MGDA
from bloop_ref.surgery.per_leaf import PerLeaf
from bloop_ref.surgery.sam_gs import SamGS, sam_gs_post_step

__all__ = [
    "MGDA",
    "AGem",
    "Bloop",
    "CAGrad",
    "CosineGate",
    "DynamicBarrier",
    "GradVac",
    "GramMethod",
    "HierarchicalBloop",
    "MetaBalance",
    "Method",
    "Mixed",
    "PCGrad",
    "PerLeaf",
    "SamGS",
    "State",
    "sam_gs_post_step",
]
