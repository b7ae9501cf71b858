"""``bloop-ref verify --list`` and ``--explain``: every law and mistake, in words."""

import pytest

from bloop_proofs import METHODS
from bloop_proofs.catalogue import SHOWN, breaking, explained, listed
from bloop_proofs.laws.reasons import REASONS
from bloop_ref.cli import main

BLOOP = METHODS["bloop"]
LAWS = {law.name: law for law in BLOOP.laws}


def names_of_breaking(law: str) -> list[str]:
    return [mistake.name for mistake in breaking(LAWS[law], BLOOP)]


def test_every_law_has_a_reason_of_one_sentence_and_nothing_else_has() -> None:
    assert REASONS.keys() == {law.name for method in METHODS.values() for law in method.laws}
    for reason in REASONS.values():
        assert reason[0].isupper()
        assert reason.endswith(".")


@pytest.mark.parametrize("name", METHODS)
def test_the_list_has_a_line_for_each_method_law_and_mistake_of_one(name: str) -> None:
    lines = listed(name).splitlines()
    entries = [
        line.strip().partition(":")[0].partition(" (")[0] for line in lines if line[:1] == " "
    ]
    method = METHODS[name]
    known = [law.name for law in method.laws] + [mistake.name for mistake in method.mistakes]
    assert entries == [*METHODS, *known]


def test_a_line_of_the_list_is_one_sentence() -> None:
    shown = listed("bloop")
    assert (
        "  projects-on-the-raw-main-gradient: The direction is eq. 3's, g + lam pi(a; g)" in shown
    )
    assert "the first-order decrease is exact.\n" in shown


def test_what_a_law_is_there_for_comes_first() -> None:
    name = "complex-leaves-use-the-real-inner-product"
    found = names_of_breaking(name)
    assert len(found) > SHOWN
    assert {"nothing-is-conjugated", "inner-product-is-a-modulus"} < set(found[:SHOWN])
    assert "auxiliary-gradient-is-not-projected" in found[SHOWN:]
    shown = explained(name, "bloop").splitlines()
    assert shown[1] == LAWS[name].statement
    assert shown[2] == "A step may refuse complex leaves."
    assert shown[-1] == f"  and {len(found) - SHOWN} more"


def test_what_is_said_to_break_a_law_is_what_does() -> None:
    found = names_of_breaking("rho-one-replaces-the-ema")
    assert "ema-is-never-updated" in found
    assert "ema-is-the-last-gradient" not in found


def test_a_costly_law_is_tried_on_no_more_mistakes_than_are_shown() -> None:
    shown = explained("radius-shrinks-with-the-step-as-theorem-2-proves", "bloop").splitlines()
    assert shown[-SHOWN - 1] == "known mistakes that break it, such as:"


def test_both_are_options_that_need_no_subject(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--list", "--method", "a_gem"]) == 0
    assert capsys.readouterr().out == listed("a_gem") + "\n"
    command = ["verify", "--method", "a_gem", "--explain", "protected-loss-never-rises"]
    assert main(command) == 0
    assert "It is the constraint that the method solves for." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--list", "--method", "no"], "method must be bloop or one of"),
        (["--explain", "eq5"], "a law of bloop must be named (--list has them); found 'eq5'"),
        (["--explain", "protected-loss-never-rises"], "a law of a_gem: say --method"),
    ],
)
def test_an_unknown_name_is_one_line_and_2(
    options: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *options]) == 2
    captured = capsys.readouterr()
    assert line in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
