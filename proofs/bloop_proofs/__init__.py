"""The conformance suite of Bloop and its neighbours: laws that judge any implementation."""

from bloop_proofs.adapters import from_class, from_dict, from_flat
from bloop_proofs.cases import Case
from bloop_proofs.law import Law, LawViolation
from bloop_proofs.loops import LoopReport, check_loop
from bloop_proofs.loss_functions import from_loss_functions
from bloop_proofs.losses import from_losses, linear_loss, loop_from_losses
from bloop_proofs.methods import LAWS, METHODS
from bloop_proofs.parametrize import parametrize_with_laws
from bloop_proofs.replay import replay
from bloop_proofs.report import Diagnosis, Report, Result
from bloop_proofs.runner import check_implementation
from bloop_proofs.source import LoadError, load
from bloop_proofs.subject import ProtocolError, StepRaised

__all__ = [
    "LAWS",
    "METHODS",
    "Case",
    "Diagnosis",
    "Law",
    "LawViolation",
    "LoadError",
    "LoopReport",
    "ProtocolError",
    "Report",
    "Result",
    "StepRaised",
    "check_implementation",
    "check_loop",
    "from_class",
    "from_dict",
    "from_flat",
    "from_loss_functions",
    "from_losses",
    "linear_loss",
    "load",
    "loop_from_losses",
    "parametrize_with_laws",
    "replay",
]
