"""Writing the golden vectors to files, and ``bloop-ref vectors``."""

import argparse
import sys
from pathlib import Path

from bloop_proofs.files import read_text, write_atomically
from bloop_proofs.vectors import decoding
from bloop_proofs.vectors.golden import FILES, golden, shipped
from bloop_proofs.vectors.model import Golden, VectorError


def schema() -> str:
    """Return the JSON Schema of golden vectors and of outputs."""
    return shipped(FILES[-1])


def write(directory: str | Path) -> list[Path]:
    """Write the golden vectors as JSON and as plain text, and the JSON Schema, into a folder.

    They are the files that are shipped in ``bloop_proofs/vectors/v1``.

    The folder is made where there is none; every file is written as a whole or not at all.

    Raises:
        VectorError: the path is a file, or nothing can be written there.
    """
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            write_atomically(folder / name, shipped(name))
    except FileExistsError as error:
        raise VectorError(f"{folder} must be a folder; found a file") from error
    except OSError as error:
        raise VectorError(f"cannot write to {folder}: {error.strerror or error}") from error
    except ValueError as error:  # a file of that name is a device, say
        raise VectorError(str(error)) from error
    return [folder / name for name in FILES]


def load(path: str | Path) -> tuple[Golden, ...]:
    """Return the golden vectors in a JSON file that ``write`` wrote.

    Raises:
        VectorError: the file cannot be read or is no such file; the message is one line.
    """
    try:
        content = read_text(Path(path))
    except OSError as error:
        raise VectorError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise VectorError(str(error)) from error
    try:
        return decoding.goldens(content)
    except VectorError as error:
        raise VectorError(f"{path}: {error}") from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``bloop-ref vectors``."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder to write to"
    )


def run(args: argparse.Namespace) -> int:
    """Write the golden vectors and print what was written; return 2 where that cannot be done."""
    try:
        paths = write(args.out)
    except VectorError as error:
        print(f"bloop-ref vectors: {error}", file=sys.stderr)
        return 2
    for path in paths:
        print(f"{path} ({path.stat().st_size} bytes)")
    print(f"{len(golden())} cases; judge outputs with: bloop-ref verify --vectors FILE")
    return 0
