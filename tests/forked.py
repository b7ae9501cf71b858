"""Programs of several processes, which share what importing them takes.

``python -m tests.forked`` reads a program's module, a number of processes and a folder from each
line that it is given, imports the module, forks so many processes, and answers with how they ended.
Each has a group of gloo, calls ``main(rank, size, folder)`` and saves what that returns.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

SECONDS = 200
"""How long a process may take: one that waits for another that has died would wait for ever."""
Main = Callable[[int, int, Path], Any]


def become(main: Main, rank: int, size: int, folder: Path) -> NoReturn:
    """Be one process of a program."""
    import torch
    import torch.distributed as dist

    status = 1
    with (folder / f"{rank}.log").open("w") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    signal.alarm(SECONDS)
    try:
        torch.set_num_threads(1)
        store = dist.FileStore(str(folder / "store"), size)  # type: ignore[attr-defined]
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
        torch.save(main(rank, size, folder), folder / f"{rank}.pt")
        dist.destroy_process_group()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run(main: Main, size: int, folder: Path) -> list[int]:
    """Run all processes of a program; return how each ended. The first to fail ends the others."""
    children = []
    for rank in range(size):
        child = os.fork()
        if not child:
            become(main, rank, size, folder)
        children.append(child)
    ended: dict[int, int] = {}
    while len(ended) < size:
        child, status = os.wait()
        ended[child] = os.waitstatus_to_exitcode(status)
        if ended[child]:
            for other in set(children) - ended.keys():
                os.kill(other, signal.SIGTERM)
    return [ended[child] for child in children]


def serve() -> None:
    """Run the programs that are asked for, until there are no more."""
    for line in sys.stdin:
        program, size, folder = json.loads(line)
        codes = run(importlib.import_module(program).main, size, Path(folder))
        print(json.dumps(codes), flush=True)


@contextmanager
def served() -> Iterator[Callable[[str, int, Path], list[Any]]]:
    """Yield a function that runs a program and returns what each of its processes returned."""
    import torch

    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.forked"],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    asked, answered = server.stdin, server.stdout

    def processes(program: str, size: int, folder: Path) -> list[Any]:
        print(json.dumps([program, size, str(folder)]), file=asked, flush=True)
        answer = answered.readline()
        assert answer, f"{program} cannot be imported"  # stderr, which pytest shows, says why
        codes = json.loads(answer)
        logs = [(folder / f"{rank}.log").read_text() for rank in range(size)]
        assert not any(codes), "\n".join(logs)
        return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(size)]

    with server:
        yield processes
        asked.close()


if __name__ == "__main__":
    serve()
