"""Files are read if they can be meant, and written as a whole, where they belong, or not at all."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bloop_proofs import vectors
from bloop_proofs.files import MOST_BYTES, check_writable, read_text, write_atomically
from bloop_proofs.serving import reasons_in
from bloop_ref.cli import main
from tests.proofs.subjects import EXAMPLES, HERE

FEW = ("--laws", "rho-zero-keeps-the-ema", "--examples", "1")
STEP = f"{EXAMPLES / 'my_bloop.py'}:step"
MANY_DIGITS = '{"format": ' + "9" * 5000 + "}"


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    link, target = tmp_path / "link", tmp_path / "to" / "target"
    link.symlink_to(target)
    for content in ("new", "old"):
        write_atomically(link, content)
        assert link.is_symlink()
        assert target.read_text() == content
    assert list((tmp_path / "to").iterdir()) == [target]


def test_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "private"
    path.write_text("old")
    path.chmod(0o600)
    write_atomically(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)


def folder(path: Path) -> None:
    path.mkdir()


def circle(path: Path) -> None:
    path.symlink_to(path.name)


def nowhere(path: Path) -> None:
    path.symlink_to("nowhere/file")


@pytest.mark.parametrize(
    ("make", "required"),
    [
        (folder, "must be a file; found a folder"),
        (os.mkfifo, "must be a regular file; found a device, a pipe or a socket"),
        (lambda path: path.symlink_to("/dev/null"), "must be a regular file"),
        (circle, "must lead to a file; found links in a circle"),
        (nowhere, "must lie in a folder that exists; found no "),
    ],
)
def test_what_is_no_regular_file_is_left_alone(
    make: Callable[[Path], None], required: str, tmp_path: Path
) -> None:
    path = tmp_path / "out.json"
    make(path)
    before = path.lstat()
    with pytest.raises(ValueError, match=f"{path} {required}"):
        check_writable(path)
    with pytest.raises(ValueError, match=required):
        write_atomically(path, "new")
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_refused_before_the_judging_and_by_the_vectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*HERE, STEP, *FEW, "--json", "/dev/null"]) == 2
    assert "/dev/null must be a regular file" in capsys.readouterr().err
    (tmp_path / "bloop-vectors.txt").symlink_to("/dev/null")
    with pytest.raises(vectors.VectorError, match="must be a regular file"):
        vectors.write(tmp_path)


def test_relative_paths_are_those_of_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "moves.py").write_text(
        f"import os; from bloop_proofs import load; step = load({STEP!r}); os.chdir('/')"
    )
    monkeypatch.chdir(tmp_path)
    assert main([*HERE, "moves.py:step", *FEW, "--json", "report.json"]) == 0
    assert (tmp_path / "report.json").exists()


def test_a_byte_order_mark_is_no_part_of_a_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step, known = tmp_path / "mine.py", tmp_path / "known.json"
    step.write_text((EXAMPLES / "my_bloop.py").read_text(), encoding="utf-8-sig")
    known.write_text("{}", encoding="utf-8-sig")
    assert main([*HERE, f"{step}:step", *FEW, "--expected-failures", str(known)]) == 0
    (tmp_path / "empty.txt").write_text("format 1", encoding="utf-8-sig")
    with pytest.raises(vectors.VectorError, match="one golden vector at least; found none"):
        vectors.judge(tmp_path / "empty.txt")


@pytest.mark.parametrize(
    ("content", "required"),
    [
        (MANY_DIGITS.encode(), "JSON.*4300 digits"),
        (b"[" * 100_000, "JSON.*recursion"),
        ("{}".encode("utf-16"), "must be a text file in UTF-8"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_file(
    content: bytes, required: str, tmp_path: Path
) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(content)
    for read in (reasons_in, vectors.judge, vectors.load):
        with pytest.raises(ValueError, match=f"{path.name}.*{required}") as raised:
            read(path)
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 400


def test_a_file_that_is_too_large_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "outputs.json"
    with path.open("wb") as file:
        file.truncate(80 << 20)
    started = time.process_time()
    for read in (read_text, reasons_in, vectors.judge, vectors.load):
        with pytest.raises(ValueError, match=f"{path} must have at most {MOST_BYTES} bytes"):
            read(path)
    assert time.process_time() - started < 1, "four times at most 4 MiB"


def test_many_leaves_take_few_words(tmp_path: Path) -> None:
    case = next(case for case in vectors.golden() if "direction" in case.outputs)
    path = tmp_path / "outputs.json"
    numbers = ",".join(["0"] * 1000)
    path.write_text(f'{{"format": 1, "outputs": {{"{case.id}": {{"direction": [{numbers}]}}}}}}')
    with pytest.raises(vectors.VectorError, match=r"numbers; found 1000 leaves$"):
        vectors.judge(path)


@pytest.mark.parametrize("columns", ["0", "1", "19"])
def test_a_screen_without_columns_has_80(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main([*HERE, STEP, *FEW]) == 0
    assert f"{STEP} (numpy, seed 0)" in capsys.readouterr().out.replace("\n", "")
    assert main([*HERE, STEP, *FEW, "--verbose"]) == 0
    assert "rho-zero-keeps-the-ema (Algorithm 1)" in capsys.readouterr().out
