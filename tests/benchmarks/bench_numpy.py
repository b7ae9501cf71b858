"""``python -m tests.benchmarks.bench_numpy``: the NumPy step against the limit and the textbook."""

import numpy as np

import bloop_numpy
import bloop_ref
from tests.benchmarks.harness import LAM, RHO, Contestant, Run, main
from tests.benchmarks.workloads import Leaves


def _in_place(g_main: Leaves, g_aux: Leaves, ema: Leaves) -> Run:
    return lambda: bloop_numpy.step(g_main, g_aux, ema, lam=LAM, rho=RHO, inplace=True)


def _pure(g_main: Leaves, g_aux: Leaves, ema: Leaves) -> Run:
    return lambda: bloop_numpy.step(g_main, g_aux, ema, lam=LAM, rho=RHO)


def _textbook(g_main: Leaves, g_aux: Leaves, ema: Leaves) -> Run:
    def run() -> object:
        aux_ema = sum(float(np.vdot(a, e)) for a, e in zip(g_aux, ema, strict=True))
        k = aux_ema / sum(float(np.vdot(e, e)) for e in ema)
        direction = [g + LAM * (a - k * e) for g, a, e in zip(g_main, g_aux, ema, strict=True)]
        return direction, [(1 - RHO) * e + RHO * g for g, e in zip(g_main, ema, strict=True)]

    return run


def _reference(g_main: Leaves, g_aux: Leaves, ema: Leaves) -> Run:
    bloop = bloop_ref.Bloop(LAM, RHO, nonfinite="propagate")
    state = bloop.init(g_main)._replace(memory=(ema,))
    return lambda: bloop.step([g_main, g_aux], state)


CONTESTANTS = (
    Contestant("bloop_numpy, in place", _in_place),
    Contestant("bloop_numpy, pure", _pure),
    Contestant("textbook expressions", _textbook),
    Contestant("bloop_ref", _reference),
)

if __name__ == "__main__":
    main("bloop_numpy", CONTESTANTS)
