"""Every method as a person would write it from the paper: loops over lists of NumPy leaves."""

import math

import numpy as np


def wide(x):
    return x.astype(np.result_type(x.dtype, np.float64))


def inner(x, y):
    return sum(float(np.vdot(wide(p), wide(q)).real) for p, q in zip(x, y, strict=True))


def size(x):
    return math.sqrt(inner(x, x))


def total(*terms):
    _, like = terms[0]
    return [
        np.asarray(sum(c * wide(x[i]) for c, x in terms), like[i].dtype) for i in range(len(like))
    ]


def minus_part_along(x, y):
    return total((1.0, x), (-inner(x, y) / inner(y, y), y))


def mixed(gradients, *, lam):
    return total((1.0, gradients[0]), *((lam, a) for a in gradients[1:]))


def a_gem(gradients):
    m, a = gradients
    return total((1.0, m)) if inner(m, a) >= 0 else minus_part_along(m, a)


def dynamic_barrier(gradients, *, lam):
    m, a = gradients
    if inner(m, m) == 0:
        return total((1.0, m), (lam, a))
    weight = 1 - lam * inner(m, a) / inner(m, m)
    return total((0.0 if weight < 0 else weight, m), (lam, a))


def mgda(gradients):
    if len(gradients) > 2:
        return frank_wolfe(gradients)
    m, a = gradients
    if inner(m, a) >= inner(m, m):
        return total((1.0, m))
    if inner(m, a) >= inner(a, a):
        return total((1.0, a))
    difference = total((1.0, a), (-1.0, m))
    w = inner(difference, a) / inner(difference, difference)
    return total((w, m), (1 - w, a))


def frank_wolfe(gradients):
    point = total(*((1 / len(gradients), g) for g in gradients))
    for _ in range(100):
        corner = min(gradients, key=lambda g: inner(g, point))
        step = total((1.0, corner), (-1.0, point))
        if not inner(step, step):
            break
        point = total((1.0, point), (min(1.0, -inner(step, point) / inner(step, step)), step))
    return point


def cosine_gate(gradients, *, weighted):
    m, *others = gradients
    terms = [(1.0, m)]
    for a in others:
        product = inner(m, a)
        if weighted:
            sizes = size(m) * size(a)
            gate = 0.0 if sizes == 0 or product < 0 else product / sizes
        else:
            gate = 0.0 if product <= 0 else 1.0 if product > 0 else math.nan
        terms.append((gate, a))
    return total(*terms)


def grad_vac(gradients, state, *, beta, orders):
    count = len(gradients)
    targets = np.zeros((count, count)) if state is None else state.copy()
    parts = []
    for i, order in enumerate(orders):
        g = gradients[i]
        for j in order:
            other = gradients[j]
            sizes = size(g) * size(other)
            c = max(-1.0, min(1.0, inner(g, other) / sizes)) if sizes else 0.0
            t = targets[i, j]
            if sizes and not c >= t:
                w = t * math.sqrt(1 - c * c) - c * math.sqrt(1 - t * t)
                w *= size(g) / (size(other) * math.sqrt(1 - t * t))
                g = total((1.0, g), (w, other))
            targets[i, j] = (1 - beta) * t + beta * c
        parts.append((1.0, g))
    return total(*parts), targets


def pcgrad(gradients, *, orders, lam):
    parts = []
    for i, order in enumerate(orders):
        g = gradients[i]
        for j in order:
            if inner(g, gradients[j]) < 0:
                g = minus_part_along(g, gradients[j])
        parts.append((lam if i else 1.0, g))
    return total(*parts)


def meta_balance(gradients, state, *, r, beta):
    old = [0.0] * len(gradients) if state is None else state
    new = [beta * n + (1 - beta) * size(g) for n, g in zip(old, gradients, strict=True)]
    terms = [(1.0, gradients[0])]
    for n, a in zip(new[1:], gradients[1:], strict=True):
        ratio = new[0] / n if n else 0.0
        terms.append((r * ratio + (1 - r), a))
    return total(*terms), new


def cagrad(gradients, *, c):
    """By golden sections of the dual for two gradients, by coordinates of it for more."""
    mean = total(*((1 / len(gradients), g) for g in gradients))
    radius = c * size(mean)
    gram = np.array([[inner(x, y) for x in gradients] for y in gradients])

    def dual(weights):
        along = gram @ weights
        return along.mean() + radius * math.sqrt(max(weights @ along, 0.0))

    weights = np.full(len(gradients), 1 / len(gradients))
    for _ in range(1 if len(gradients) == 2 else 60):
        for i in range(len(gradients)):
            for j in range(i):
                weights = best_between(dual, weights, i, j)
    pull = total(*zip(weights, gradients, strict=True))
    length = size(pull)
    return total((1.0, mean), (radius / length if length else 0.0 * length, pull))


def best_between(dual, weights, i, j):
    """Move weight between two gradients so that the dual is least."""
    both = weights[i] + weights[j]

    def moved(share):
        new = weights.copy()
        new[i], new[j] = share * both, (1 - share) * both
        return new

    low, high, golden = 0.0, 1.0, (math.sqrt(5) - 1) / 2
    for _ in range(40):
        first, second = high - golden * (high - low), low + golden * (high - low)
        if dual(moved(first)) < dual(moved(second)):
            high = second
        else:
            low = first
    return min((moved(x) for x in (0.0, (low + high) / 2, 1.0)), key=dual)


def sam_gs(gradients, state, *, beta1, beta2, gamma, eps):
    zero = [np.zeros(x.shape) for x in gradients[0]]
    momenta, h, t = state or ([zero for _ in gradients], 0.0, 0)
    sizes = [size(g) for g in gradients]
    pairs = [(x, y) for i, x in enumerate(sizes) for y in sizes[i + 1 :]]
    similarity = sum(2 * x * y / (x * x + y * y) if x or y else 1.0 for x, y in pairs) / len(pairs)
    t += 1
    momenta = [
        [beta1 * old + (1 - beta1) * new for old, new in zip(m, g, strict=True)]
        for m, g in zip(momenta, gradients, strict=True)
    ]
    h = beta2 * h + (1 - beta2) * (1 - similarity) ** 2 + eps
    if similarity < gamma:
        mean = sum(sizes) / len(sizes)
        terms = [(mean / n if n else 0.0, g) for n, g in zip(sizes, gradients, strict=True)]
    else:
        scale = 1 / ((1 - beta1**t) * math.sqrt(h / (1 - beta2**t)))
        products = [
            [np.abs(x) * y for x, y in zip(m, g, strict=True)]
            for m, g in zip(momenta, gradients, strict=True)
        ]
        terms = [(scale, product) for product in products]
    direction = total(*terms)
    cast = [np.asarray(x, like.dtype) for x, like in zip(direction, gradients[0], strict=True)]
    return cast, (momenta, h, t)


STEPS = {
    step.__name__: step
    for step in (
        mixed,
        a_gem,
        dynamic_barrier,
        mgda,
        cosine_gate,
        grad_vac,
        pcgrad,
        meta_balance,
        cagrad,
        sam_gs,
    )
}
