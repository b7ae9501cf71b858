r"""The auxiliary loss: an upper bound on the logarithm of the network's Lipschitz constant.

ReLU is 1-Lipschitz, so the network's Lipschitz constant is at most the product of the spectral
norms of its weight matrices, and

.. math:: L_{\mathrm{aux}} = \log \prod_k \sigma_k = \sum_k \log \sigma_k, \qquad
          \nabla_{W_k} L_{\mathrm{aux}} = u_k v_k^\top / \sigma_k

with :math:`u_k, v_k` the leading singular vectors of :math:`W_k`.
"""

from typing import Self

import numpy as np

from bloop_reproduction.demo.network import Floats, Layer


def log_lipschitz_bound(network: list[Layer]) -> float:
    """Return the auxiliary loss, from full singular value decompositions.

    >>> two = Layer(weights=np.diag([3.0, 1.0]), biases=np.zeros(2))
    >>> bool(log_lipschitz_bound([two, two]) == 2 * np.log(3.0))
    True
    """
    norms = [np.linalg.norm(layer.weights.astype(np.float64), ord=2) for layer in network]
    return float(np.sum(np.log(norms)))


class PowerIteration:
    r"""The leading singular triplet of a matrix that changes a little from step to step.

    One call costs two products of the matrix with a vector: :math:`u \propto W v`, then
    :math:`v \propto W^\top u`. Between calls only :math:`v` is kept; because the matrix moves
    slowly, one iteration per step is enough to follow it, and no decomposition is needed.
    """

    def __init__(self, right: Floats) -> None:
        self.right = right

    @classmethod
    def exact(cls, matrix: Floats) -> Self:
        """Start from the leading right singular vector of `matrix`."""
        return cls(np.linalg.svd(matrix, full_matrices=False)[2][0])

    def __call__(self, matrix: Floats) -> tuple[Floats, float, Floats]:
        r"""Iterate once and return :math:`(u, \sigma, v)`."""
        left = matrix @ self.right
        left /= np.sqrt(left @ left)
        right = left @ matrix
        norm = float(np.sqrt(right @ right))
        self.right = right / norm
        return left, norm, self.right


def log_lipschitz_gradient(
    network: list[Layer], iterations: list[PowerIteration], out: list[Layer]
) -> None:
    """Write the gradient of the auxiliary loss into `out`; the biases' part is 0 and left alone."""
    for layer, iteration, gradient in zip(network, iterations, out, strict=True):
        left, norm, right = iteration(layer.weights)
        np.multiply((left / norm)[:, None], right, out=gradient.weights)
