r"""A small decoder-only transformer that predicts the next byte, and the two corpora it reads.

All parameters lie in one flat tensor, which the optimiser and the methods see; the weights are
views into it. Blocks normalise before they compute, as in GPT-2; the embedding is also the last
layer.
"""

import hashlib
import math
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bloop_ref.surgery import Method
from bloop_reproduction.demo.adam import Adam, cosine_rate

BYTES, CONTEXT, WIDTH, HEADS, BLOCKS = 256, 64, 48, 4, 2
SHAPES: dict[str, tuple[int, ...]] = {
    "bytes": (BYTES, WIDTH),
    "places": (CONTEXT, WIDTH),
    **{
        f"{k} {name}": shape
        for k in range(BLOCKS)
        for name, shape in {
            "gain": (WIDTH,),
            "attention": (3 * WIDTH, WIDTH),
            "out": (WIDTH, WIDTH),
            "gain again": (WIDTH,),
            "up": (4 * WIDTH, WIDTH),
            "down": (WIDTH, 4 * WIDTH),
        }.items()
    },
    "last gain": (WIDTH,),
}
"""The parameters; as usual, weights are (outputs, inputs), and there are no biases."""
BATCH, RATE, DECAY = 8, 3e-3, 0.1
HELD_OUT = 10
"""Every tenth file, and every tenth topic, is held out."""


def initial_parameters(generator: torch.Generator) -> Tensor:
    """Draw all weights from a normal distribution; gains are 1.

    The variance of a matrix is 1 / inputs, less where it adds to the residual stream: so many
    times less as there are such layers. Embeddings have the deviation 0.05.

    >>> len(initial_parameters(torch.Generator().manual_seed(0)))
    70896
    """
    parts = []
    for name, shape in SHAPES.items():
        deviation = 0.05 if name in ("bytes", "places") else shape[-1] ** -0.5
        if name.endswith(("out", "down")):
            deviation /= math.sqrt(2 * BLOCKS)
        drawn = deviation * torch.randn(math.prod(shape), generator=generator)
        parts.append(torch.ones_like(drawn) if "gain" in name else drawn)
    return torch.cat(parts)


def scores(flat: Tensor, read: Tensor) -> Tensor:
    """Return the logits of each next byte, shape (n, bytes read, 256)."""
    parts = torch.split(flat, [math.prod(shape) for shape in SHAPES.values()])
    weights = {
        name: part.view(shape) for (name, shape), part in zip(SHAPES.items(), parts, strict=True)
    }
    stream = weights["bytes"][read] + weights["places"][: read.shape[1]]
    for k in range(BLOCKS):
        stream = _block(stream, {n: weights[f"{k} {n}"] for n in _BLOCK})
    return _normal(stream, weights["last gain"]) @ weights["bytes"].T


def loss(flat: Tensor, windows: Tensor) -> Tensor:
    """Return the mean cross-entropy of each next byte, in nats.

    ``windows`` has the shape (n, CONTEXT + 1): each byte but the last is read, and each but the
    first is predicted.
    """
    found = scores(flat, windows[:, :-1])
    return functional.cross_entropy(found.flatten(0, 1), windows[:, 1:].flatten())


_BLOCK = ("gain", "attention", "out", "gain again", "up", "down")


def _block(stream: Tensor, weights: dict[str, Tensor]) -> Tensor:
    inner = _normal(stream, weights["gain"]) @ weights["attention"].T
    query, key, value = (
        x.reshape(*x.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2)
        for x in inner.chunk(3, dim=2)
    )
    seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    stream = stream + seen.transpose(1, 2).flatten(2) @ weights["out"].T
    up = functional.gelu(_normal(stream, weights["gain again"]) @ weights["up"].T)
    return stream + up @ weights["down"].T


def _normal(stream: Tensor, gain: Tensor) -> Tensor:
    return functional.layer_norm(stream, (WIDTH,), gain)


@dataclass(frozen=True)
class Corpus:
    """Bytes to train on, and bytes held out."""

    train: Tensor
    held_out: Tensor

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Corpus":
        """Split texts, every tenth of which is held out."""
        held = [text for k, text in enumerate(texts) if k % HELD_OUT == 0]
        rest = [text for k, text in enumerate(texts) if k % HELD_OUT]
        return cls(*(_as_bytes("\n".join(part)) for part in (rest, held)))

    def digest(self) -> str:
        """Return what tells this text from another one."""
        whole = bytes(torch.cat([self.train, self.held_out]).tolist())
        return hashlib.sha256(whole).hexdigest()[:16]


def _as_bytes(text: str) -> Tensor:
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


@cache
def corpora() -> tuple[Corpus, Corpus]:
    """Return the large corpus and the small one: source text and English.

    The one is what the running Python has at the top of its standard library, less what the build
    has written there; the other what ``help()`` knows of Python's topics.
    """
    folder = Path(sysconfig.get_paths()["stdlib"])
    paths = [p for p in sorted(folder.glob("*.py")) if not p.name.startswith("_sysconfigdata")]
    if not paths:
        raise FileNotFoundError(
            f"the source text of the standard library must lie in {folder}; found no *.py there:"
            " take a Python that is installed with its source"
        )
    source = Corpus.of([path.read_text(encoding="utf-8") for path in paths])
    return source, Corpus.of([topics[name] for name in sorted(topics)])


def windows(text: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw pieces of CONTEXT + 1 bytes.

    >>> windows(torch.arange(256).byte(), 3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 65])
    """
    starts = torch.randint(len(text) - CONTEXT, (count, 1), generator=generator)
    return text[starts + torch.arange(CONTEXT + 1)].long()


def train(method: Method, *, seed: int, steps: int, evaluated: int) -> dict[str, float | str]:
    """Train with AdamW and return the final losses of both corpora, of training and held-out text.

    The seed fixes parameters and batches, alike for all methods. The final losses are of the same
    pieces for all seeds. Beside them stands which corpora they are of.
    """
    generator = torch.Generator().manual_seed(seed)
    theta = initial_parameters(generator).requires_grad_()
    state = method.init(theta.detach())
    weights = theta.detach().numpy()  # the same memory
    adam = Adam(weights)
    source, english = corpora()
    for step in range(steps):
        gradients = [
            torch.autograd.grad(loss(theta, windows(corpus.train, BATCH, generator)), theta)[0]
            for corpus in (source, english)
        ]
        direction, state = method.step(gradients, state)
        rate = cosine_rate(step, steps, peak=RATE, warm_up=max(1, steps // 12))
        weights *= np.float32(1 - rate * DECAY)
        adam.step(weights, direction.numpy(), rate)
    found: dict[str, float | str] = {}
    for name, corpus in (("main", source), ("aux", english)):
        found[f"{name} corpus"] = corpus.digest()
        for part, text in (("train", corpus.train), ("held out", corpus.held_out)):
            pieces = windows(text, evaluated, torch.Generator().manual_seed(0))
            with torch.no_grad():
                found[f"{name} {part}"] = float(loss(theta, pieces))
    return found
