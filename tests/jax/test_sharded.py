"""Several devices and several processes, each program in processes of its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM, METHODS = (Path(__file__).with_name(x) for x in ("sharded.py", "sharded_methods.py"))


def start(devices: int, *arguments: str, program: Path = PROGRAM) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        [sys.executable, str(program), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def require_done(processes: "list[subprocess.Popen[str]]", line: str) -> None:
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
        assert line in output


@pytest.mark.slow
def test_sharded_steps_are_the_unsharded_one() -> None:
    """Automatic and explicit sharding, and shard_map with an axis name."""
    require_done([start(4)], "same on 4 devices of 1 processes")


@pytest.mark.slow
def test_two_processes_take_the_same_step() -> None:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    processes = [start(1, address, "2", str(number)) for number in range(2)]
    require_done(processes, "same on 2 devices of 2 processes")


@pytest.mark.slow
def test_sharded_methods_are_the_unsharded_ones() -> None:
    """Every method but ``PerLeaf`` in shard_map, with an axis name: updates, states, skips."""
    require_done([start(4, program=METHODS)], "methods on 4 devices")
