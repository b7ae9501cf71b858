"""Bloop for PyTorch: the direction of two gradients, at the speed of memory.

``step`` is the pure function, ``Bloop`` what a training loop uses.
"""

from bloop_torch.bloop import Bloop
from bloop_torch.step import step

__all__ = ["Bloop", "step"]
