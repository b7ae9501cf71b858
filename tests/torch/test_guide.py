"""The blocks of docs/torch.md run as printed, one after another, as in a session."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.docs.pages import DOCS, Block, blocks

PAGE = DOCS / "torch.md"
ELSEWHERE = {"class MyTrainer": "test_trainer.py", "class Digits": "test_lightning.py"}
"""How the blocks begin that take a library of their own, and who runs them."""


def parts() -> list[Block]:
    return [block for block in blocks(PAGE) if block.language == "python"]


def the_block(beginning: str) -> str:
    """The text of the one block that begins so."""
    (text,) = (block.text for block in parts() if block.text.startswith(beginning))
    return text


def main(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (model(x) - y).square().mean()


def aux(model: nn.Module, x: Tensor) -> Tensor:
    return (model(x) - 1).square().mean()


def three_losses(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    return main(model, x, y), aux(model, x), model(x).square().mean()


def readers(folder: Path) -> dict[str, Any]:
    """What the reader of the page has before its first line."""
    torch.manual_seed(0)
    loader = [(torch.randn(4, 3), torch.randn(4, 2)) for _ in range(6)]
    return {
        "model": nn.Linear(3, 2),
        "loader": loader,
        "losses": lambda *batch: three_losses(*batch)[:2],
        "micro_batches": loader[:3],
        "main": main,
        "aux": aux,
        "three_losses": three_losses,
        "device": "cpu",
        "scaler": torch.amp.GradScaler("cpu", init_scale=2.0),
        "folder": str(folder / "checkpoint"),
    }


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled, unavailable:UserWarning")
def test_the_blocks_run_and_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope = readers(tmp_path)
    model = scope["model"]
    for block in parts():
        if block.text.startswith(tuple(ELSEWHERE)):
            continue
        before = model.weight.clone()
        program = "\n" * block.line + block.text
        exec(compile(program, str(PAGE), "exec"), scope)
        steps = "optimizer" in block.text
        assert steps != torch.equal(before, model.weight), f"line {block.line}"

    bloop, checkpoint = scope["bloop"], dict[str, Any]()
    owner = SimpleNamespace(bloop=bloop)
    scope["on_save_checkpoint"](owner, checkpoint)
    counted = bloop.state_dict()["count"]
    bloop.load_state_dict(bloop.state_dict() | {"count": counted + 1})
    scope["on_load_checkpoint"](owner, checkpoint)
    assert bloop.state_dict()["count"] == counted


def test_every_block_is_run_by_somebody() -> None:
    for beginning, module in ELSEWHERE.items():
        assert the_block(beginning)
        assert f'the_block("{beginning}")' in (Path(__file__).parent / module).read_text()
