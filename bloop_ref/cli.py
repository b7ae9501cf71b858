"""The command ``bloop-ref``: each subcommand is a module that is imported when it is called.

The bare install has no subcommand's dependencies; the one line that says what to install is here.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import bloop_ref


class Command(NamedTuple):
    """A subcommand: the module with ``add_arguments`` and ``run``, and the extra it needs."""

    module: str
    extra: str
    summary: str


COMMANDS = {
    "verify": Command("bloop_proofs.verify", "proofs", "judge an implementation of a method"),
    "vectors": Command("bloop_proofs.vectors", "proofs", "write golden vectors for any language"),
    "demo": Command(
        "bloop_reproduction.demo.command", "demo", "compare Bloop with its neighbours on real data"
    ),
    "reproduce": Command(
        "bloop_reproduction.reproduce", "reproduce", "measure what the paper claims"
    ),
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong with the call, and exit with 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; return 0 for yes, 1 for no, 2 for a call that is wrong."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    name = _command_name(arguments[:1])
    command = COMMANDS[name]
    try:
        module: Any = importlib.import_module(command.module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("bloop_"):
            raise
        install = f'pip install "bloop-ref[{command.extra}]"'
        print(f'bloop-ref {name} needs the extra "{command.extra}": {install}', file=sys.stderr)
        return 2
    parser = Parser(prog=f"bloop-ref {name}", description=command.summary)
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(arguments[1:])))


def _command_name(arguments: Sequence[str]) -> str:
    """Return the subcommand that is asked for; print help or the version and exit otherwise."""
    summaries = "\n".join(f"  {name:9} {entry.summary}" for name, entry in COMMANDS.items())
    parser = Parser(
        prog="bloop-ref",
        description="The reference of Bloop, and its conformance suite.",
        epilog=f"commands:\n{summaries}\n\nbloop-ref COMMAND --help says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bloop-ref {bloop_ref.__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    return str(parser.parse_args(arguments).command)
