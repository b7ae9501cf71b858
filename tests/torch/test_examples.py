"""The training loops of the documentation, every step of them checked against the reference."""

import importlib.util
import logging
import os
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import pytest
import torch

from bloop_torch import Surgery
from tests.torch.loops import Seen
from tests.torch.models import require_like_reference

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
MOST_LINES = 40


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Surgery]:
    """Check every step that is taken, and record by whom."""
    combine = Surgery.combine
    taken: list[Surgery] = []

    def checked(self: Surgery, **options: Any) -> Any:
        main, aux = (
            [None if x is None else x.clone() for x in gathered.values()]
            for gathered in self._gradients._gathered.values()
        )
        result: list[Any] = []
        seen: Any = Seen(self)
        require_like_reference(seen, (main, aux), lambda: result.append(combine(self, **options)))
        taken.append(self)
        return result[0]

    monkeypatch.setattr(Surgery, "combine", checked)
    return taken


@pytest.mark.parametrize("name", ["torch_plain", "torch_two_datasets", "torch_accelerate"])
def test_examples_train_as_the_reference_does(name: str, steps: list[Surgery]) -> None:
    if name == "torch_accelerate":
        pytest.importorskip("accelerate", reason="accelerate is not installed")
    accuracy = load(name).train()
    assert accuracy > 0.9
    assert len(steps) >= 100
    assert steps[0].count == len(steps)


# each is raised by Lightning's own code, or about the machine
@pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
@pytest.mark.parametrize("name", ["torch_lightning", "torch_lightning_automatic"])
def test_the_lightning_examples_train_as_the_reference_does(
    name: str, steps: list[Surgery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lightning", reason="lightning is not installed")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    monkeypatch.chdir(tmp_path)  # Lightning saves a checkpoint
    torch.manual_seed(0)
    assert load(name).train() > 0.9
    assert len(steps) >= 100


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning")  # no GPU
def test_the_trainer_example_trains_as_the_reference_does(
    steps: list[Surgery], tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    assert load("torch_trainer").train(str(tmp_path)) > 0.8
    assert len(steps) >= 50


@pytest.mark.parametrize("path", sorted(FOLDER.glob("torch_*.py")), ids=lambda path: path.stem)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < MOST_LINES
