"""The other side of ``isolation``: the process that judges, and tells what it finds."""

import contextlib
import json
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bloop_proofs import quiet
from bloop_proofs.files import read_text
from bloop_proofs.law import laws_named
from bloop_proofs.methods import method_named
from bloop_proofs.report import Report, Result
from bloop_proofs.runner import check_implementation
from bloop_proofs.source import load
from bloop_proofs.subject import ProtocolError, Step

BEAT = 0.1
"""Seconds between the signs of life that the judging process gives."""

FAULT = "a fault of the suite, not of the subject; please report it"


class Stopped(Exception):
    """The judging ended before its end; the message is one line that says why."""


@dataclass(frozen=True)
class Request:
    """What is to be judged and how: the arguments of ``check_implementation``, as JSON has them.

    ``subject`` is named as ``load`` takes it.
    """

    subject: str
    method: str
    framework: str
    laws: str | list[str]
    examples: int
    seed: int
    expected_failures: Mapping[str, str]
    assume: str = ""

    def stages(self) -> Iterator[str]:
        """Yield where the judging is: at first, and after each message of the other process."""
        yield "while it was imported"
        for law in laws_named(self.laws, method_named(self.method).laws):
            yield f"in {law.name}"
        while True:
            yield "in the diagnosis"

    def judge_here(self, progress: Callable[[Result], None]) -> Report:
        """Judge in this process, what the subject prints going to standard error."""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                return self.judge(load(self.subject), progress)
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise Stopped(raised(error)) from error

    def judge(self, step: Step, progress: Callable[[Result], None]) -> Report:
        """Judge the step that ``subject`` names."""
        options = asdict(self)
        del options["subject"]
        return check_implementation(step, **options, progress=progress)


def reasons_in(path: Path) -> Mapping[str, str]:
    """Return the expected failures in a JSON file; raise ``ValueError`` where it has none."""
    text = read_text(path)
    try:
        reasons = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must be JSON: {error}") from error
    if not isinstance(reasons, dict) or not all(isinstance(r, str) for r in reasons.values()):
        raise ValueError(f'{path} must be a JSON object {{"law": "reason", ...}}')
    return reasons


def raised(error: BaseException) -> str:
    """Return what is said of an exception that no law may catch."""
    line = " ".join(str(error).split())
    return f"the subject raised {type(error).__name__}{line and ': '}{line}, which ends a process,"


class _Watched:
    """A step that counts its calls: an odd number while one is running."""

    def __init__(self, step: Any) -> None:
        self._step = self.__wrapped__ = step
        self.__bloop_source__ = step.__bloop_source__
        self.count = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        try:
            return self._step(*args, **kwargs)
        finally:
            self.count += 1


class _Channel:
    """Where messages go, from two threads; nothing else writes there."""

    def __init__(self) -> None:
        # what a subject prints, from C too, goes to standard error: the channel was its output
        self._file = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        self._lock = threading.Lock()

    def tell(self, kind: str, value: Any = None) -> None:
        with self._lock:
            pickle.dump((kind, value), self._file)
            self._file.flush()


def serve(request: Request, scratch: str) -> None:
    """Judge as a request says, in the process that ``judge_apart`` has started; end it."""
    quiet.scratch = scratch
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = _Channel()
    channel.tell("beat")
    try:
        step = _Watched(load(request.subject))
        channel.tell("loaded")
        threading.Thread(target=_beat, args=(channel, step), daemon=True).start()
        report = request.judge(step, lambda result: channel.tell("result", result))
        channel.tell("report", report)
    except (ValueError, ProtocolError, OSError) as error:
        channel.tell("unusable", str(error))
    except Exception:
        traceback.print_exc()
        channel.tell("unusable", FAULT)
    except BaseException as error:
        channel.tell("stopped", raised(error))
    os._exit(0)  # a subject's threads and exit handlers do not keep it


def _beat(channel: _Channel, step: _Watched) -> None:
    """Give signs of life, none while one call of the step goes on and on."""
    seen, wait = -1, threading.Event()
    while not wait.wait(BEAT):
        count = step.count
        if count % 2 == 0 or count != seen:
            try:
                channel.tell("beat")
            except OSError:  # nobody reads any more
                os._exit(1)
        seen = count
