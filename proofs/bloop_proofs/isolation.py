"""Judging in a process of its own, which a subject may hang, crash or leave.

The process that asks gets the results as they come. So it knows what was found before a subject
ended the other one, and its standard output and exit status are out of a subject's reach.
"""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from queue import Empty, SimpleQueue
from typing import IO, Any

from bloop_proofs.report import Report, Result
from bloop_proofs.serving import BEAT, Request, Stopped

START = 60.0
"""Seconds that the judging process may take to start: no subject has had a say by then."""

CHILD = (
    "import json, sys; given = json.load(sys.stdin); sys.path[:] = given['path']; "
    "from bloop_proofs.serving import Request, serve; "
    "serve(Request(**given['request']), given['scratch'])"
)


class Unusable(ValueError):
    """Nothing can be judged; the message is one line."""


def judge_apart(request: Request, *, timeout: float, progress: Callable[[Result], None]) -> Report:
    """Judge a subject in a process of its own.

    ``timeout`` is how many seconds importing the subject, or one call of the step, may take.

    Raises:
        Unusable: the subject, or the request, is such that nothing can be judged.
        Stopped: the subject took too long or ended its process; ``progress`` has had what was
            found until then.
    """
    stages = request.stages()
    stage = next(stages)
    with tempfile.TemporaryDirectory() as scratch, _running(request, scratch) as process:
        for kind, value in _messages(process, timeout):
            if kind == "report":
                return value  # type: ignore[no-any-return]
            if kind == "unusable":
                raise Unusable(value)
            if kind == "stopped":
                raise Stopped(f"{value} {stage}")
            if kind == "result":
                progress(value)
            stage = next(stages)
    raise Stopped(f"the subject ended the process {stage}: {_how(process.returncode)}")


@contextlib.contextmanager
def _running(request: Request, scratch: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the process that judges, which makes its folders in a given one, and end it."""
    process = subprocess.Popen(
        # -P: a file in the working directory must not stand in for the standard library's
        [sys.executable, "-P", "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if sys.stderr is None else None,
        start_new_session=os.name == "posix",  # Ctrl-C is for this process alone
    )
    given = {"request": asdict(request), "path": sys.path, "scratch": scratch}
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps(given).encode())
        yield process
    finally:
        _end(process)


def _messages(process: "subprocess.Popen[bytes]", timeout: float) -> Iterator[tuple[str, Any]]:
    """Yield what a process says; that it is stopped where it gives no sign of life for too long."""
    inbox: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    threading.Thread(target=_receive, args=(process.stdout, inbox), daemon=True).start()
    limit = max(timeout, START)
    silent = 0.0  # counted, not read off a clock, which goes on while all processes are suspended
    while silent < limit:
        try:
            kind, value = inbox.get(timeout=BEAT)
        except Empty:
            silent += BEAT
            if process.poll() is not None:
                _end(process)  # what it has started may hold the pipe open
            continue
        if kind == "end":
            return
        silent, limit = 0.0, timeout
        if kind != "beat":
            yield kind, value
    yield "stopped", f"no answer within {timeout:g} s (--timeout)"


def _receive(stream: IO[bytes], inbox: SimpleQueue[tuple[str, Any]]) -> None:
    with stream, contextlib.suppress(EOFError, pickle.UnpicklingError):
        while True:
            inbox.put(pickle.load(stream))
    inbox.put(("end", None))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process, and what it has started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _how(status: int) -> str:
    """Return how a process ended."""
    if status >= 0:
        return f"exit status {status}"
    return f"killed by {signal.Signals(-status).name}"
