"""Reading files of a sensible size, and writing files as a whole or not at all."""

import os
import stat
import tempfile
from pathlib import Path

MOST_BYTES = 4 << 20
"""Ten times the largest file that the suite writes itself; a larger one is read by mistake."""


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with a byte order mark or without.

    Raises:
        ValueError: the file is too large to be meant, or no such text.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"{path} must have at most {MOST_BYTES} bytes; found more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be a text file in UTF-8; {error}") from error


def check_writable(path: Path) -> None:
    """Raise ``ValueError`` where a file could not be written, or should not."""
    if path.is_dir():
        raise ValueError(f"{path} must be a file; found a folder")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} must be a regular file; found a device, a pipe or a socket")
    if path.exists() and not os.access(path, os.W_OK):
        raise ValueError(f"{path} must be a file that can be written to; it cannot")
    target = _target(path)
    if target.is_symlink():
        raise ValueError(f"{path} must lead to a file; found links in a circle")
    if not target.parent.is_dir():
        raise ValueError(f"{path} must lie in a folder that exists; found no {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise ValueError(
            f"{path} must lie in a folder that can be written to; {target.parent} cannot"
        )


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file, the one that a link leads to, so that nobody ever sees half of it.

    Raises:
        ValueError, OSError: the file cannot be written, or is no regular file.
    """
    check_writable(path)
    target = _target(path)
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, _mode(target))
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _target(path: Path) -> Path:
    """Return the file that a path leads to: to rename over a link would cut it."""
    return Path(os.path.realpath(path))


def _mode(path: Path) -> int:
    """Return the permissions of a file, those of a new one where there is none yet."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
