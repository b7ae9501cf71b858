"""IRE, implicit regularisation enhancement: larger steps along the flat coordinates only.

Near a valley of minima a step of the base optimiser does two things: along sharp coordinates it
is as large as stability allows, along flat ones it moves towards flatter minima, slowly. IRE
multiplies the step by 1 + kappa on the flat coordinates; a diagonal estimate of the curvature says
which they are. ``curvature``, ``mask`` and ``amplify`` are the three parts; ``IRE`` puts them
together.

Source: Wang, Wang, He, Wang, Huang, Xiong, Li, E and Wu, "Improving Generalization and Convergence
by Enhancing Implicit Regularization", NeurIPS 2024, arXiv 2405.20763.
"""

from bloop_ref.ire.amplification import amplify
from bloop_ref.ire.enhancement import IRE, IREState
from bloop_ref.ire.fisher import curvature
from bloop_ref.ire.flatness import mask

__all__ = ["IRE", "IREState", "amplify", "curvature", "mask"]
