"""The inputs on which a subject and the known mistakes are compared."""

from functools import lru_cache

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.gradients import spoiled, times
from bloop_proofs.methods.bloop.definition import VECTORS
from bloop_proofs.mistakes.looks import Look, Probe, Probes, form, history, memory, values
from bloop_proofs.mistakes.probes import MANY, SEVERAL
from bloop_proofs.strategies import Shapes
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm


def drawn(generator: np.random.Generator, shapes: Shapes, dtype: str, **but: object) -> Case:
    """Return a case of small dyadic numbers whose vectors are neither near orthogonal nor parallel.

    <g_aux, ema> and <g_aux, g_main> are negative. Where a mistake divides by a cosine, or by the
    norm of a combination, that is not small.
    """
    while True:
        vectors = [[generator.integers(-24, 25, shape) / 8 for shape in shapes] for _ in VECTORS]
        main, aux, ema = map(flat, vectors)
        products = aux @ main, aux @ ema, main @ ema
        sizes = norm(aux) * norm(main), norm(aux) * norm(ema), norm(main) * norm(ema)
        if all(0.25 * size < abs(p) < 0.75 * size for p, size in zip(products, sizes, strict=True)):
            break
    with_main, with_ema, _ = np.sign(products)
    g_main, g_aux, e = vectors
    g_main, g_aux = times(g_main, with_main * with_ema), times(g_aux, -with_ema)
    case = Case(g_main=g_main, g_aux=g_aux, ema=e, lam=0.5, rho=0.25)
    return cast(case.but(**but), dtype)


def cast(case: Case, dtype: str, ema_dtype: str | None = None) -> Case:
    """Return a case in given dtypes."""
    return case.but(
        **{
            name: [
                leaf.astype(ema_dtype or dtype if name == "ema" else dtype) for leaf in case[name]
            ]
            for name in VECTORS
        }
    )


def scaled(case: Case, exponent: int, names: tuple[str, ...] = VECTORS) -> Case:
    """Return a case with some vectors times a power of two."""
    return case.but(
        **{name: [x * x.dtype.type(2.0**exponent) for x in case[name]] for name in names}
    )


@lru_cache(maxsize=8)
def probes_for(
    right: Subject, takes: frozenset[str], dtypes: tuple[str, ...], mutable: bool, seed: int
) -> Probes:
    """Return the inputs for a framework that has some dtypes, and arrays to write to or not."""
    generator = np.random.default_rng(seed)

    def probe(look: Look, case: Case) -> Probe:
        return Probe(look, case, right)

    plain = drawn(generator, SEVERAL, "float32")
    called = probe(history, drawn(generator, SEVERAL, "float32"))
    ordinary = [probe(values, case) for case in _ordinary(generator, "float64" in dtypes)]
    special = [probe(values, case) for case in _values(generator, dtypes)]
    special += [probe(form, case) for case in _forms(dtypes)]
    if mutable:
        special += [
            probe(memory, plain.but(lam=lam, rho=rho))
            for lam, rho in ((1.0, 0.5), (0.0, 0.5), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
        ]
    return Probes((*ordinary, called), tuple(special), called)


def _ordinary(generator: np.random.Generator, double: bool) -> list[Case]:
    """Return inputs of both signs, all sizes that float32 squares, and several weights."""
    several = drawn(generator, SEVERAL, "float32")
    many = drawn(generator, MANY, "float32", lam=2.0, rho=0.75)
    agreeing = many.but(g_aux=times(many.g_aux, -1))
    cases = [
        several,
        agreeing,
        several.but(g_main=times(several.g_main, -1), lam=3.0, rho=0.1),
        agreeing.but(g_main=times(many.g_main, -1), lam=0.125),
        scaled(agreeing, -3, ("g_main",)).but(lam=10.0),
        scaled(several, -10),
        scaled(agreeing, -20),
        scaled(several, 10),
        scaled(agreeing, -14, ("ema",)),
        scaled(several, -24, ("ema",)),
    ]
    if double:
        wide = [cast(drawn(generator, MANY, "float64", lam=0.3, rho=0.01), "float64")]
        wide += [wide[0].but(g_aux=times(wide[0].g_aux, -1), lam=1.5)]
        cases = [*wide, *cases]
    return [cast(case, case.ema[0].dtype.name) for case in cases]


def _values(generator: np.random.Generator, dtypes: tuple[str, ...]) -> list[Case]:
    """Return inputs on whose entries simple code may fail."""
    several = drawn(generator, SEVERAL, "float32")
    scalar = drawn(generator, ((), (2,), (2, 1)), "float32")
    zero = [np.zeros_like(leaf) for leaf in several.ema]
    cases = [several.but(ema=zero, **change) for change in ({}, {"rho": 0.0}, {"g_main": zero})]
    cases += [scalar, scaled(scalar, 7), _long(generator)]
    cases += [several.but(lam=1e4), several.but(rho=1e-6)]
    for name in ("g_aux", "g_main"):
        bad = [spoiled(several[name], 1, value) for value in (np.nan, np.inf)]
        cases += [several.but(**{name: vector}) for vector in bad]
    if "float64" in dtypes:
        double = cast(several, "float64")
        cases += [scaled(double, exponent) for exponent in (70, 150)]
        cases += [scaled(double, exponent, ("ema",)) for exponent in (-10, -44)]
    if "float16" in dtypes:
        cases += [scaled(cast(several, "float16", "float32"), 7)]
        # so small a rho that a half-precision EMA stays where it is
        short = cast(drawn(generator, ((2,),), "float32", rho=2.0**-20), "float16", "float32")
        cases += [short.but(ema=[leaf * np.float32(1 + 2.0**-12) for leaf in short.ema])]
    kinds = [dtype for dtype in ("complex128", "complex64") if dtype in dtypes]
    return [*cases, *(_complex(generator, dtype) for dtype in kinds[:1])]


def _complex(generator: np.random.Generator, dtype: str) -> Case:
    real, imaginary = (drawn(generator, SEVERAL, "float64") for _ in range(2))
    phased = {
        # the real part is larger, so that the sum of e e is no more negative than that of |e|^2
        name: [x + 0.5j * y for x, y in zip(real[name], imaginary[name], strict=True)]
        for name in VECTORS
    }
    return cast(real.but(**phased), dtype)


def _long(generator: np.random.Generator) -> Case:
    shapes = ((150,), (3,))
    vectors = {name: [generator.standard_normal(shape) for shape in shapes] for name in VECTORS}
    # what the first entries say of the projection, the last ones deny
    vectors["g_aux"][0][:100] += vectors["ema"][0][:100]
    vectors["g_aux"][0][100:] -= 2 * vectors["ema"][0][100:]
    return cast(Case(**vectors, lam=1.0, rho=0.5), "float32")


def _forms(dtypes: tuple[str, ...]) -> list[Case]:
    """Return inputs whose leaves have odd shapes and several dtypes."""
    generator = np.random.default_rng(0)
    odd = drawn(generator, ((3,), (2, 1), (), (1,)), "float32")
    gaps = drawn(generator, ((0,), (4,), (2, 0)), "float32")
    cases = [odd, gaps]
    for main, ema in (("float32", "float64"), ("float16", "float32"), ("float64", "float64")):
        if main in dtypes and ema in dtypes:
            cases.append(cast(drawn(generator, SEVERAL, "float32"), main, ema))
    if "float64" in dtypes:
        mixed = drawn(generator, SEVERAL, "float32")
        halves = {
            name: [
                leaf.astype(t) for leaf, t in zip(mixed[name], ("float32", "float64"), strict=True)
            ]
            for name in VECTORS
        }
        cases.append(mixed.but(**halves))
    return cases
