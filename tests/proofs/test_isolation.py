"""What a subject does to its process: the exit status holds, and what is known is told."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bloop_ref.cli import main
from tests.proofs.subjects import EXAMPLES, HERE

STEPS = f"""
import bloop_proofs, ctypes, os, subprocess, time

right, calls = bloop_proofs.load({str(EXAMPLES / "my_bloop.py:step")!r}), []

class Odd(BaseException):
    pass

def at_call(number, act):
    def step(g_main, g_aux, ema, *, lam, rho):
        calls.append(lam)
        if len(calls) == number:
            act()
        return right(g_main, g_aux, ema, lam=lam, rho=rho)
    return step

def odd():
    raise Odd("one\\ntwo")

def waits():
    open("waiting", "w").close()
    time.sleep(60)

def prints():
    print("from Python")
    os.system("echo from a program")
    os.chdir("/")

def leaves_another_behind():
    subprocess.Popen(["sleep", "60"])  # holds all that was open here
    os._exit(0)

crashes = at_call(10, lambda: ctypes.string_at(0))
hangs = at_call(10, lambda: time.sleep(60))
raises = at_call(10, odd)
leaves = at_call(10, leaves_another_behind)
waits = at_call(10, waits)
prints = at_call(10, prints)
"""
FIRST, SECOND = "direction-is-equation-5", "new-ema-weighs-the-new-gradient-by-rho"
FEW = ("--laws", f"{FIRST},{SECOND}", "--examples", "5")
COMMAND = "import sys; from bloop_ref.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with steps that do what no step should."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steps.py").write_text(STEPS)
    (tmp_path / "leaves.py").write_text("import os; os._exit(0)")
    return tmp_path


def test_who_leaves_at_import_has_not_passed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "json.py").write_text("raise ImportError('not the standard library')")
    assert main(["verify", "leaves.py:step"]) == 2
    line = "the subject ended the process while it was imported: exit status 0\n"
    assert capsys.readouterr() == ("", f"bloop-ref verify: {line}")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("crashes", f"the subject ended the process in {SECOND}: killed by SIGSEGV"),
        ("leaves", f"the subject ended the process in {SECOND}: exit status 0"),
        ("hangs", f"no answer within 2 s (--timeout) in {SECOND}"),
        ("raises", f"the subject raised Odd: one two, which ends a process, in {SECOND}"),
    ],
)
def test_who_ends_in_the_middle_gets_what_is_known_and_2(
    name: str,
    line: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report, scratch = folder / "report.json", folder / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    timeout = "2" if name == "hangs" else "60"
    status = main(["verify", f"steps.py:{name}", *FEW, "--timeout", timeout, "--json", report.name])
    captured = capsys.readouterr()
    assert (status, captured.err) == (2, f"bloop-ref verify: {line}\n")
    assert captured.out.endswith("STOPPED: 1 passed\n")
    assert not report.exists(), "half a report could be taken for a whole one"
    assert list(scratch.iterdir()) == [], "nobody else clears what an ended process has made"


def test_what_a_subject_prints_is_no_part_of_the_report(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "steps.py:prints", *FEW, "--json", "report.json"]) == 0
    captured = capfd.readouterr()
    assert captured.err == "from Python\nfrom a program\n"
    assert captured.out.startswith("steps.py:prints (numpy, seed 0)\n")
    assert json.loads((folder / "report.json").read_text())["passed"], "a directory not its own"


def test_in_process_is_the_same_as_far_as_it_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*HERE, "steps.py:raises", *FEW]) == 2
    captured = capsys.readouterr()
    line = "the subject raised Odd: one two, which ends a process,\n"
    assert captured.err == f"bloop-ref verify: {line}"
    assert captured.out.endswith("STOPPED: 1 passed\n")


@pytest.mark.parametrize("timeout", ["0", "-1", "nan"])
def test_a_timeout_is_more_than_nothing(timeout: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "steps.py:prints", f"--timeout={timeout}"]) == 2
    assert "--timeout must be more than 0 seconds; found" in capsys.readouterr().err


def started(*arguments: str, stdout: int) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    command = [sys.executable, "-c", COMMAND, "verify", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=stdout, stderr=pipe, text=True, env=environment)


def test_an_interrupt_is_one_line_and_130_and_tells_what_is_known(folder: Path) -> None:
    process = started("steps.py:waits", *FEW, stdout=subprocess.PIPE)
    while not (folder / "waiting").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate()
    assert (process.returncode, error) == (130, "bloop-ref verify: interrupted\n")
    assert out.endswith("STOPPED: 1 passed\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
def test_a_report_that_cannot_be_printed_is_2() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    process = started("steps.py:raises", "--in-process", *FEW, stdout=full)
    os.close(full)
    found = process.communicate()[1].splitlines()
    assert found[0].startswith("bloop-ref verify: the report cannot be printed: ")
    assert process.returncode == 2


@pytest.mark.parametrize(("closed", "said"), [("stdout", ""), ("stderr", "STOPPED: 1 passed\n")])
def test_the_status_holds_where_nothing_can_be_said(
    closed: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, closed, None)
    assert main([*HERE, "steps.py:raises", *FEW]) == 2
    shown = capsys.readouterr().out
    assert shown.endswith(said)
    assert "bloop-ref verify:" not in shown
