"""The suite for the methods beside Bloop: their protocol, their laws, their known mistakes."""

from bloop_proofs.methods.check import check_method
from bloop_proofs.methods.laws import METHOD_LAWS
from bloop_proofs.methods.registry import METHODS

__all__ = ["METHODS", "METHOD_LAWS", "check_method"]
