"""Writing files as a whole or not at all."""

import os
import tempfile
from pathlib import Path


def check_writable(path: Path) -> None:
    """Raise ``ValueError`` where a file could not be written."""
    if path.is_dir():
        raise ValueError(f"{path} must be a file; found a folder")
    if not path.parent.is_dir():
        raise ValueError(f"{path} must lie in a folder that exists; found no {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(
            f"{path} must lie in a folder that can be written to; {path.parent} cannot"
        )


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
