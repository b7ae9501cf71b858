"""The training loops of the documentation, every step of them checked against the reference."""

import importlib.util
import logging
from pathlib import Path
from types import ModuleType

import pytest
import torch

from bloop_torch import Bloop
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
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Bloop]:
    """Check every step that is taken, and record by whom."""
    combine = Bloop.combine
    taken: list[Bloop] = []

    def checked(self: Bloop) -> None:
        main, aux = (
            [None if x is None else x.clone() for x in gathered.values()]
            for gathered in self._gradients._gathered.values()
        )
        require_like_reference(self, (main, aux), lambda: combine(self))
        taken.append(self)

    monkeypatch.setattr(Bloop, "combine", lambda self, **_: checked(self))
    return taken


@pytest.mark.parametrize("name", ["torch_plain", "torch_accelerate"])
def test_examples_train_as_the_reference_does(name: str, steps: list[Bloop]) -> None:
    if name == "torch_accelerate":
        pytest.importorskip("accelerate", reason="accelerate is not installed")
    accuracy = load(name).train()
    assert accuracy > 0.9
    assert len(steps) >= 100
    assert steps[0].count == len(steps)


# each is raised by Lightning's own code, or about the machine
@pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
def test_the_lightning_example_trains_as_the_reference_does(
    steps: list[Bloop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lightning", reason="lightning is not installed")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    monkeypatch.chdir(tmp_path)  # Lightning saves a checkpoint
    torch.manual_seed(0)
    assert load("torch_lightning").train() > 0.9
    assert len(steps) >= 100


@pytest.mark.parametrize("path", sorted(FOLDER.glob("torch_*.py")), ids=lambda path: path.stem)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < MOST_LINES
