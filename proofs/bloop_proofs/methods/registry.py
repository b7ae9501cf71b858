"""The methods that ``check_method`` judges, by name: the table of their protocols."""

from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.methods.method import Method, any_of, every_order
from bloop_proofs.strategies import nonzero
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm
from bloop_ref import surgery

LAMS = (1.0, 2.0, 0.5, 0.125, 3.0, 0.1)
BETAS = (0.5, 0.25, 0.1, 0.01)
OBLIQUE = 1 / 8
"""The least cosine, in size, at which a gate by its sign is judged in rounded arithmetic."""


def off_the_tie(case: Case) -> Case:
    """Return a case whose auxiliary gradients are neither zero nor near orthogonal to the main."""
    main = nonzero(case.gradients[0])
    return case.but(gradients=[main, *(_oblique(main, aux) for aux in case.gradients[1:])])


def _oblique(main: Gradient, aux: Gradient) -> Gradient:
    m, a = flat(main), flat(nonzero(aux))
    while abs(m @ a) < OBLIQUE * norm(m) * norm(a):
        aux = [(x + y).astype(x.dtype) for x, y in zip(aux, main, strict=True)]
        a = flat(aux)
    return aux


def _grad_vac(*, beta: float, orders: Any) -> surgery.Method:
    return surgery.GradVac(beta, orders=orders)


def _pcgrad(*, orders: Any, lam: float) -> surgery.Method:
    return surgery.PCGrad(lam, orders=orders)


def _meta_balance(*, r: float, beta: float) -> surgery.Method:
    return surgery.MetaBalance(relaxation=r, beta=beta)


def _sam_gs(*, beta1: float, beta2: float, gamma: float, eps: float) -> surgery.Method:
    return surgery.SamGS(beta1=beta1, beta2=beta2, gamma=gamma, epsilon=eps)


METHODS = {
    method.name: method
    for method in (
        Method(
            "mixed",
            "d = m + lam sum_k a_k.",
            "the weighted sum of the losses",
            surgery.Mixed,
            options={"lam": any_of(*LAMS, 0.0)},
        ),
        Method(
            "a_gem",
            "d = m where <m, a> >= 0, else pi(m; a).",
            "Chaudhry et al. 2019",
            surgery.AGem,
            most_losses=2,
        ),
        Method(
            "dynamic_barrier",
            "d = lam a + max(1 - lam <m, a> / ||m||^2, 0) m.",
            "Gong et al. 2021, with lam",
            surgery.DynamicBarrier,
            options={"lam": any_of(*LAMS)},
            most_losses=2,
        ),
        Method(
            "mgda",
            "d is the point of least norm of the convex hull of the gradients; for two, "
            "d = w m + (1 - w) a with w = <a - m, a> / ||m - a||^2 held in [0, 1].",
            "Sener and Koltun 2018",
            surgery.MGDA,
        ),
        Method(
            "cosine_gate",
            "d = m + sum_k gate_k a_k, the gate max(0, cos(m, a_k)) if weighted, else 1 where "
            "<m, a_k> > 0 and 0 where it is negative.",
            "Du et al. 2018",
            surgery.CosineGate,
            options={"weighted": any_of(True, False)},
            prepared=off_the_tie,
        ),
        Method(
            "grad_vac",
            "d = sum_i g_i', g_i' lifted in turn to the target cosine t_ij with g_j if below it; "
            "t_ij, 0 at first, becomes (1 - beta) t_ij + beta c, c the cosine before the lift.",
            "Wang et al. 2021",
            _grad_vac,
            options={"beta": any_of(*BETAS)},
            optional={"orders": (every_order, None)},
            stateful=True,
        ),
        Method(
            "pcgrad",
            "d = sum_i lam_i g_i', g_i' projected in turn off every g_j that it conflicts with; "
            "lam_0 = 1, the other lam_i = lam, 1 in the original.",
            "Yu et al. 2020",
            _pcgrad,
            optional={"orders": (every_order, None), "lam": (any_of(1.0, 0.5, 2.0), 1.0)},
        ),
        Method(
            "meta_balance",
            "d = m + sum_k (r n_0 / n_k + 1 - r) a_k, n_k <- beta n_k + (1 - beta) ||g_k|| from 0.",
            "He et al. 2022",
            _meta_balance,
            options={"r": any_of(0.5, 0.75, 0.25, 0.7, 1.0), "beta": any_of(*BETAS, 0.9, 0.0)},
            stateful=True,
        ),
        Method(
            "cagrad",
            "d = g_0 + c ||g_0|| g_w / ||g_w||, g_0 the mean, g_w the point of the hull that "
            "minimises <g_w, g_0> + c ||g_0|| ||g_w||.",
            "Liu et al. 2021",
            surgery.CAGrad,
            options={"c": any_of(0.5, 0.25, 0.75, 0.4)},
        ),
        Method(
            "sam_gs",
            "With Psi the mean over pairs of 2 n_i n_j / (n_i^2 + n_j^2), n_k = ||g_k||: "
            "d = mean(n) sum_k g_k / n_k where Psi < gamma, else sum_k |M^_k| * g_k / sqrt(h^).",
            "Borsani et al. 2025",
            _sam_gs,
            options={
                "beta1": any_of(0.5, 0.9, 0.25, 0.0),
                "beta2": any_of(0.5, 0.99, 0.25),
                "gamma": any_of(0.1, 0.5, 0.9, 0.0),
                "eps": any_of(2.0**-10, 1e-8),
            },
            stateful=True,
        ),
    )
}
"""Every method by its name."""


def method_named(name: str) -> Method:
    """Return a method; raise ``ValueError`` for a name that none has."""
    if name not in METHODS:
        raise ValueError(f"method must be bloop or one of {', '.join(METHODS)}; found {name!r}")
    return METHODS[name]


def vectors(case: Case) -> np.ndarray:
    """Return the gradients of the last step as the rows of a float64 matrix."""
    return np.array([flat(gradient) for gradient in case.gradients])
