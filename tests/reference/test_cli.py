"""The command ``bloop-ref``: dispatch, help, and the one line that says which extra is missing."""

import argparse
import types
from importlib import import_module

import pytest

import bloop_ref
from bloop_ref import cli


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subcommand ``echo`` whose exit status is its argument."""

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("status", type=int)

    module = types.SimpleNamespace(add_arguments=add_arguments, run=lambda args: args.status)
    command = cli.Command("echo_module", "proofs", "say a number")
    monkeypatch.setitem(cli.COMMANDS, "echo", command)
    monkeypatch.setattr(cli, "importlib", types.SimpleNamespace(import_module=lambda name: module))


@pytest.mark.usefixtures("echo")
@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_status_of_a_subcommand_is_returned(status: int) -> None:
    assert cli.main(["echo", str(status)]) == status


@pytest.mark.usefixtures("echo")
def test_the_arguments_of_the_process_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bloop-ref", "echo", "1"])
    assert cli.main() == 1


@pytest.mark.usefixtures("echo")
def test_a_bad_argument_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["echo", "one"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "bloop-ref echo: argument status: invalid int value: 'one'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "bloop-ref: the following arguments are required: COMMAND\n"),
        (["prove"], "bloop-ref: argument COMMAND: invalid choice: 'prove'"),
        (["--verbose"], "bloop-ref: the following arguments are required: COMMAND\n"),
    ],
)
def test_a_call_without_a_known_command_is_one_line_and_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.startswith(line)
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_missing_dependency_is_one_line_that_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = cli.COMMANDS[name]._replace(module="a_package_that_nobody_has")
    monkeypatch.setitem(cli.COMMANDS, name, absent)
    assert cli.main([name, "--help"]) == 2
    extra = absent.extra
    assert capsys.readouterr().err == (
        f'bloop-ref {name} needs the extra "{extra}": pip install "bloop-ref[{extra}]"\n'
    )


def test_a_missing_module_of_our_own_is_a_broken_installation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = cli.Command("bloop_proofs.no_such_module", "proofs", "fail")
    monkeypatch.setitem(cli.COMMANDS, "verify", broken)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        cli.main(["verify"])


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_subcommand_has_the_two_functions(name: str) -> None:
    module = import_module(cli.COMMANDS[name].module)
    assert callable(module.add_arguments)
    assert callable(module.run)


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for name, command in cli.COMMANDS.items():
        assert f"  {name:9} {command.summary}\n" in shown


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"bloop-ref {bloop_ref.__version__}\n"
