"""Subjects that take losses and parameters, brought into the protocol's form.

They are given linear losses <g, theta>, whose gradients are the drawn vectors g, bit for bit.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from array_api_compat import is_torch_array

from bloop_proofs.adapters import parts, with_source
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.subject import ProtocolError, Step, describe

START = 2.0**-10
"""The size of the parameters: none is zero, and <g, theta> overflows for no usual g."""


def from_losses(
    make: Callable[..., Any], *, ema: str | Callable[[Any], Any], method: str = "backward"
) -> Step:
    """Return a subject made of one that takes two torch losses and leaves the direction in .grad.

    For every step an object is made anew, for new parameters theta, and its average is set to the
    drawn one. It gets the losses <g_main, theta> and <g_aux, theta>, of which each has a graph of
    its own; their gradients are the drawn vectors, those of complex parameters as torch defines
    them. Then ``.grad`` and the average are read. An average that is made at the first step only is
    brought into being by a step with both gradients zero. One in a wider dtype than the drawn one
    is read rounded to that; a narrower one cannot be set, and the step declines with a
    ``TypeError``.

    Args:
        make: ``make(params, lam=..., rho=...)`` returns an object, ``params`` a list of
            ``torch.nn.Parameter``, as a class does or a function around it.
        ema: the average of an object: the name of the attribute that holds it, or a function that
            returns it. It must be the very tensors that the object goes on with, for they are
            written to: one for each parameter, in a sequence or the values of a mapping, or a
            single one of shape (n,), n the number of entries of all parameters together. One that
            is hidden cannot be judged so, but by ``loop_from_losses``.
        method: the name of its ``backward(main_loss, aux_loss)``; ``"__call__"`` for a function.

    Raises:
        ProtocolError: by the subject, where an object has no such method or average, leaves a
            parameter without ``.grad``, or hands out copies of its average.

    Example:
        >>> import torch
        >>> class Mine:
        ...     def __init__(self, params, lam, rho):
        ...         self.params, self.lam, self.rho = params, lam, rho
        ...         self.average = [torch.zeros_like(p) for p in params]
        ...     def backward(self, main_loss, aux_loss):
        ...         main = torch.autograd.grad(main_loss, self.params)
        ...         aux = torch.autograd.grad(aux_loss, self.params)
        ...         for p, e, m, a in zip(self.params, self.average, main, aux):
        ...             p.grad = m + self.lam * a
        ...             e.lerp_(m, self.rho)
        >>> from bloop_proofs import check_implementation, from_losses
        >>> step = from_losses(Mine, ema="average")
        >>> laws = ["new-ema-weighs-the-new-gradient-by-rho", "direction-is-equation-5"]
        >>> report = check_implementation(step, framework="torch", laws=laws, examples=5)
        >>> {result.law: result.status for result in report.results}
        {'direction-is-equation-5': 'failed', 'new-ema-weighs-the-new-gradient-by-rho': 'passed'}

    Source: eq. 5 and Algorithm 1 of arXiv 2402.02998v2.
    """

    def adapted(g_main: Any, g_aux: Any, old_ema: Any, *, lam: float, rho: float) -> Any:
        params = [_parameter(leaf) for leaf in g_main]
        subject = make(params, lam=lam, rho=rho)
        for name in (method, ema):
            if isinstance(name, str) and not hasattr(subject, name):
                raise ProtocolError(f"{type(subject).__name__} must have {name}; found none")
        backward = getattr(subject, method)
        if len(_average(subject, ema, params)) != len(params):
            zero = [leaf.new_zeros(leaf.shape) for leaf in g_main]
            backward(linear_loss(zero, params), linear_loss(zero, params))
            for parameter in params:
                parameter.grad = None
        _set(subject, ema, params, old_ema)
        backward(linear_loss(g_main, params), linear_loss(g_aux, params))
        average = _average(subject, ema, params, required=True)
        new_ema = [e.detach().to(leaf.dtype) for e, leaf in zip(average, old_ema, strict=True)]
        return _gradients(params), new_ema

    accessor = repr(ema) if isinstance(ema, str) else getattr(ema, "__name__", "ema")
    accessor = accessor if isinstance(ema, str) or accessor.isidentifier() else "ema"
    call = f"from_losses(step, ema={accessor}, method={method!r})"
    return with_source(adapted, make, call)


def loop_from_losses(make: Callable[..., Any], *, method: str = "backward") -> Callable[..., Any]:
    """Return a loop for ``check_loop``, of one that takes two torch losses and hides its average.

    One object takes all steps, ``.grad`` being cleared before each. What would have to read the
    average or to set it, half the laws of Bloop, cannot be judged; the directions of several steps
    tell whether it is there.

    Args:
        make: as in ``from_losses``.
        method: likewise.

    Raises:
        ProtocolError: by the loop, where an object leaves a parameter without ``.grad``.

    Example:
        >>> import torch
        >>> class Mine:
        ...     def __init__(self, params, lam, rho):
        ...         self.params, self.lam = params, lam
        ...     def backward(self, main_loss, aux_loss):
        ...         (main_loss + self.lam * aux_loss).backward()
        >>> from bloop_proofs import check_loop, loop_from_losses
        >>> check_loop(loop_from_losses(Mine)).diagnosis
        'the auxiliary gradient is added without the projection'
    """

    def run(batches: Any, *, lam: float, rho: float) -> Any:
        params = [_parameter(leaf) for leaf in batches[0][0][0][0]]
        subject = make(params, lam=lam, rho=rho)
        directions = []
        for (((main, aux),),) in batches:
            for parameter in params:
                parameter.grad = None
            getattr(subject, method)(linear_loss(main, params), linear_loss(aux, params))
            directions.append([gradient.clone() for gradient in _gradients(params)])
        return directions

    return run


def linear_loss(gradient: Sequence[Any], params: Sequence[Any]) -> Any:
    """Return <g, theta> as a scalar whose gradient with respect to theta is g, bit for bit.

    A complex entry counts as two real ones. The gradient is that of the framework: for torch, which
    conjugates, <g, theta> = Re sum conj(g) theta, and for JAX Re sum g theta. The sums are carried
    in float64, in JAX in float32 at least.

    Args:
        gradient: the g, a torch tensor or JAX array for each parameter.
        params: the theta, of the same shapes.

    Example:
        >>> import torch
        >>> theta = torch.ones(2, requires_grad=True)
        >>> linear_loss([torch.tensor([3.0, -4.0])], [theta]).backward()
        >>> theta.grad
        tensor([ 3., -4.])
    """
    product = _of_torch if any(map(is_torch_array, gradient)) else _of_jax
    total: Any = 0.0
    for g, p in zip(gradient, params, strict=True):
        total = total + product(g, p)
    return total


def _of_torch(g: Any, p: Any) -> Any:
    torch: Any = FRAMEWORKS["torch"].xp
    if g.is_complex():  # a product with 1 + 0i would make NaN of infinity
        g, p = torch.view_as_real(g), torch.view_as_real(p)
    return (g.detach() * p).sum(dtype=torch.float64)


def _of_jax(g: Any, p: Any) -> Any:
    xp: Any = FRAMEWORKS["jax"].xp
    terms = g.real * p.real - g.imag * p.imag if xp.iscomplexobj(g) else g * p
    return terms.sum(dtype=xp.promote_types(terms.dtype, xp.float32))


def _parameter(like: Any) -> Any:
    """Return a parameter of the form of a gradient, in which no entry is zero."""
    torch: Any = FRAMEWORKS["torch"].xp
    signs = 1 - 2 * (torch.arange(like.numel()) % 2)
    return torch.nn.Parameter((START * signs).reshape(like.shape).to(like))


def _average(
    subject: Any, ema: str | Callable[[Any], Any], params: Sequence[Any], *, required: bool = False
) -> list[Any]:
    """Return the tensors of the average of an object; raise where they are required and not all."""
    held = getattr(subject, ema) if isinstance(ema, str) else ema(subject)
    size = sum(p.numel() for p in params)
    if getattr(held, "shape", None) == (size,):
        return parts(held, params)
    tensors = list(held.values()) if isinstance(held, Mapping) else held
    known = [*tensors] if isinstance(tensors, list | tuple) else []
    shapes = [getattr(e, "shape", None) for e in known]
    if shapes == [p.shape for p in params]:
        return known
    if required:
        form = (
            f"a tensor for each of the {len(params)} parameters, or a flat one of shape ({size},)"
        )
        raise ProtocolError(f"ema must be {form}; found {describe(held)}")
    return []


def _set(
    subject: Any, ema: str | Callable[[Any], Any], params: Sequence[Any], values: Sequence[Any]
) -> None:
    """Write values over the average of an object; raise where it cannot hold them."""
    torch: Any = FRAMEWORKS["torch"].xp
    for e, value in zip(_average(subject, ema, params, required=True), values, strict=True):
        if torch.promote_types(e.dtype, value.dtype) != e.dtype:
            raise TypeError(f"an average in {e.dtype} cannot be set to one in {value.dtype}")
        with torch.no_grad():
            e.copy_(value)
    held = _average(subject, ema, params, required=True)
    if not all(
        torch.equal(torch.nan_to_num(e), torch.nan_to_num(value.to(e.dtype)))
        for e, value in zip(held, values, strict=True)
    ):
        form = "the tensors that hold the average, to be written to"
        raise ProtocolError(f"ema must return {form}; found copies of them")


def _gradients(params: Sequence[Any]) -> list[Any]:
    """Return what lies in ``.grad``; raise where nothing does."""
    for i, parameter in enumerate(params):
        if parameter.grad is None:
            raise ProtocolError(f".grad of params[{i}] must hold the direction; found None")
    return [parameter.grad for parameter in params]
