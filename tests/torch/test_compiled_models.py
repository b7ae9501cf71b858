"""Two losses out of one forward pass of a model that is compiled, checkpointed, or has adapters."""

import os
from collections.abc import Callable
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import pytest
import torch
from torch import Tensor, nn
from torch._functorch import config as functorch
from torch.utils.checkpoint import checkpoint

from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import direction_bound, norm, unit_roundoff
from bloop_torch import Bloop
from tests.torch.agreement import arrays
from tests.torch.loops import LAM, RHO, Judge
from tests.torch.models import batches, gradients, two_losses

# raised by the compiler's own imports, and where it looks at features
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]

STEPS = 2
Wrap = Callable[[Any], Any]
Autocast = torch.autocast("cpu", dtype=torch.bfloat16)


@pytest.fixture(autouse=True)
def fresh() -> Any:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


class Checkpointed(nn.Module):
    """The two losses, whose trunk is computed again in each backward pass."""

    def __init__(self, model: Any, *, use_reentrant: bool) -> None:
        super().__init__()
        self.model, self.use_reentrant = model, use_reentrant

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        def trunk(x: Tensor) -> Tensor:
            return torch.tanh(self.model.trunk(x))

        hidden = checkpoint(trunk, x, use_reentrant=self.use_reentrant)
        main, aux = self.model.main_head(hidden), self.model.aux_head(hidden)
        return main.square().mean(), (aux - 1).square().mean()


def compiled(model: Any) -> Any:
    return torch.compile(model, backend="aot_eager")


def two_compiled_losses(model: Any) -> Any:
    """Compile each loss, out of features that are not."""

    def loss(head: Any, shift: float) -> Any:
        return torch.compile(lambda h: (head(h) - shift).square().mean(), backend="aot_eager")

    main, aux = loss(model.main_head, 0.0), loss(model.aux_head, 1.0)

    def losses(x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(model.trunk(x))
        return main(hidden), aux(hidden)

    return losses


def shared(bloop: Bloop, model: Any, x: Tensor, scaler: Any) -> None:
    bloop.backward(*model(x), scaler=scaler)


def phases(bloop: Bloop, model: Any, x: Tensor, scaler: Any) -> None:
    for k in range(2):
        with bloop.gradient(k):
            loss = model(x)[k]
            (loss if scaler is None else scaler.scale(loss)).backward()
    bloop.combine(scaler=scaler)


def directions(
    wrap: Wrap, step: Any = shared, autocast: Any = None, scaler: Any = None
) -> list[list[Any]]:
    """Return the directions of some steps of a model as it is, or wrapped."""
    model = two_losses()
    bloop, run = Bloop(model.named_parameters(), lam=LAM, rho=RHO), wrap(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = []
    for x in batches(STEPS):
        # the reentrant kind of checkpoint passes gradients on to its inputs alone
        with autocast or torch.enable_grad():
            step(bloop, run, x.requires_grad_(), scaler)
        if scaler is not None:
            scaler.unscale_(optimizer)
            scaler.update()
        found.append([p.grad for p in model.parameters()])
        optimizer.step()
    return found


def require_same(found: Any, required: Any) -> None:
    pairs = [pair for rows in zip(found, required, strict=True) for pair in zip(*rows, strict=True)]
    assert all(x is y or torch.equal(x, y) for x, y in pairs)


WRAPS: dict[str, Wrap] = {
    "compiled": compiled,
    "two compiled losses": two_compiled_losses,
    "reentrant": lambda model: Checkpointed(model, use_reentrant=True),
    "checkpointed": lambda model: Checkpointed(model, use_reentrant=False),
    "compiled and checkpointed": lambda model: compiled(Checkpointed(model, use_reentrant=False)),
}


@pytest.mark.parametrize("amp", [False, True], ids=["plain", "bf16 and a scaler"])
@pytest.mark.parametrize("name", WRAPS)
def test_shared_forward_passes_give_the_directions_of_the_model_as_it_is(
    name: str, amp: bool
) -> None:
    def run(wrap: Wrap) -> Any:
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8) if amp else None
        return directions(wrap, autocast=Autocast if amp else None, scaler=scaler)

    require_same(run(WRAPS[name]), run(lambda model: model))


def test_a_forward_pass_for_each_loss_gives_the_same() -> None:
    require_same(directions(compiled, phases), directions(lambda model: model, phases))


def warmed(model: Any) -> Any:
    """Compile a model, and train it on one loss for a while."""
    run = compiled(model)
    sum(run(next(batches(1)).requires_grad_())).backward()
    return run


def test_a_backward_pass_that_was_compiled_to_run_once_is_named_with_the_mend() -> None:
    with pytest.raises(RuntimeError, match="compiled to run once") as caught:
        directions(warmed)
    for words in ("donated_buffer = False", "before anything is compiled", "surgery.gradient(k)"):
        assert words in str(caught.value)
    assert "donated buffers" in str(caught.value.__cause__)
    torch.compiler.reset()
    require_same(directions(warmed, phases), directions(lambda model: model, phases))
    torch.compiler.reset()
    with functorch.patch(donated_buffer=False):
        require_same(directions(warmed), directions(lambda model: model))


def test_a_graph_that_is_gone_is_named_with_the_mend() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    (x,) = batches(1)
    with pytest.raises(RuntimeError, match="need shared_graph=True"):
        bloop.backward(*model(x), shared_graph=False)
    main, aux = model(x)
    main.backward()
    with pytest.raises(
        RuntimeError, match=r"no backward pass of their own.*surgery\.gradient\(k\)"
    ):
        bloop.backward(main, aux)
    bloop.backward(*model(x))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("out of memory", "^out of memory"),
        ("accessing tensor output of CUDAGraphs that has been overwritten", "without mode="),
    ],
)
def test_other_errors_of_a_backward_pass_come_as_they_are_and_cuda_graphs_with_the_mend(
    said: str, told: str
) -> None:
    def refuse(_: Tensor) -> None:
        raise RuntimeError(said)

    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    main, aux = model(next(batches(1)))
    aux.register_hook(refuse)
    with pytest.raises(RuntimeError, match=told):
        bloop.backward(main, aux)


@pytest.mark.slow
def test_inductor_on_a_shared_forward_pass_is_as_good_as_eager() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    (x,) = batches(1)
    like = list(model.parameters())
    main, aux = (arrays(g, like) for g in gradients(model(x), like))
    bloop.backward(*torch.compile(model)(x))
    found = flat(arrays([p.grad for p in like], like))
    u, (g, a) = unit_roundoff(main), (norm(flat(v)) for v in (main, aux))
    # the average is empty, so that nothing is projected
    required = flat(main) + LAM * flat(aux)
    require_close("direction", found, required, direction_bound(u, found.size, g, a, LAM))


# raised by peft
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_adapters_train_and_the_frozen_base_does_not() -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    transformers: Any = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    shape = {"n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 8, "vocab_size": 16}
    shape |= {"bos_token_id": 0, "eos_token_id": 0}
    base = transformers.GPT2LMHeadModel(transformers.GPT2Config(**shape))
    lora = peft.LoraConfig(target_modules=["c_attn"], r=2, fan_in_fan_out=True)
    model = peft.get_peft_model(base, lora).eval()  # without dropout
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    judge = Judge()
    tokens = torch.arange(12).view(2, 6)

    def losses() -> tuple[Tensor, Tensor]:
        outputs = model(input_ids=tokens, labels=tokens)
        return outputs.loss, outputs.logits.square().mean()

    with judge.watching():
        for _ in range(3):
            judge.see(model, losses())
            bloop.backward(*losses())
            optimizer.step()
    assert judge.steps == 3
    for name, parameter in model.named_parameters():
        assert ("lora" in name) == parameter.requires_grad == (name in bloop.ema)
        assert torch.equal(parameter, before[name]) != ("lora" in name)
