"""Bloop for PyTorch: the direction of two gradients, at the speed of memory.

``step`` is the pure function, ``Bloop`` what a training loop uses. ``Surgery`` does the same for
any method of ``bloop_ref.surgery``, and ``IRE`` wraps any optimiser.
"""

from bloop_torch.bloop import Bloop
from bloop_torch.ire import IRE
from bloop_torch.step import step
from bloop_torch.surgery import Surgery

__all__ = ["IRE", "Bloop", "Surgery", "step"]
