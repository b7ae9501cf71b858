"""JUnit XML: what continuous integration reads is what the report says."""

import re
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bloop_proofs import Diagnosis, Report, Result, check_implementation
from bloop_proofs.domain import declared
from bloop_proofs.junit import to_junit
from bloop_proofs.report import Status
from bloop_ref.cli import main
from tests.proofs.subjects import EXAMPLES, ROOT, forgets_the_projection

GUIDE = (ROOT / "docs" / "verify.md").read_text()


def parsed(report: Report) -> ET.Element:
    (suite,) = ET.fromstring(to_junit(report).encode())
    return suite


def report_of(status: Status, message: str = "why", **options: Any) -> Report:
    result = Result("a-law", "paper", "eq. 5", "d = d.", status, message, "import x", 9, 0.25)
    return Report("mine:step", "torch", 3, 100, (result,), **options)


@pytest.mark.parametrize(
    ("status", "child"),
    [
        ("passed", None),
        ("failed", "failure"),
        ("xpassed", "failure"),
        ("skipped", "skipped"),
        ("xfailed", "skipped"),
    ],
)
def test_each_status_is_the_one_that_services_know(status: Status, child: str | None) -> None:
    suite = parsed(report_of(status))
    (case,) = suite.iter("testcase")
    assert case.attrib == {"classname": "bloop.paper", "name": "a-law", "time": "0.250"}
    assert [entry.tag for entry in case] == ([child] if child else [])
    assert all(entry.get("message") == "why" for entry in case)
    counts = {"failures": str(int(child == "failure")), "skipped": str(int(child == "skipped"))}
    assert counts.items() <= suite.attrib.items()
    assert (suite.get("tests"), suite.get("errors")) == ("1", "0")


def test_a_failure_holds_the_law_and_the_counterexample() -> None:
    (failure,) = parsed(report_of("failed")).iter("failure")
    assert failure.text == "a-law (eq. 5): d = d.\nimport x"


def test_the_suite_says_what_was_judged_and_found() -> None:
    found = Diagnosis("mixes", "eq. 5", "Project.")
    suite = parsed(report_of("failed", diagnosis=(found,), domain=declared("rho<1,real")))
    assert {entry.get("name"): entry.get("value") for entry in suite.iter("property")} == {
        "method": "bloop",
        "framework": "torch",
        "seed": "3",
        "examples": "100",
        "assume": "real,rho<1",
        "verdict": "wrong, for real leaves, rho < 1",
    }
    assert suite.findtext("system-out") == "is: mixes (eq. 5): Project."


def test_what_xml_cannot_hold_is_written_as_python_does() -> None:
    (failure,) = parsed(report_of("failed", "<&> \x1b[31m\x00\ud800 \u00e9")).iter("failure")
    assert failure.get("message") == "<&> \\x1b[31m\\x00\\ud800 \u00e9"


def test_a_real_report_has_a_case_per_law_in_its_order() -> None:
    report = check_implementation(forgets_the_projection, laws="numerics", examples=1)
    suite = parsed(report)
    assert [case.get("name") for case in suite.iter("testcase")] == [r.law for r in report.results]
    assert suite.get("failures") == str(len(report.broken)) != "0"


def test_the_file_is_written_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES)
    target = tmp_path / "bloop.xml"
    laws = ["--laws", "rho-zero-keeps-the-ema"]
    assert main(["verify", "my_bloop.py:step", "--junit", str(target), *laws]) == 0
    assert len(list(ET.parse(target).iter("testcase"))) == 1
    assert main(["verify", "my_bloop.py:step", "--junit", str(tmp_path / "no" / "x.xml")]) == 2
    assert "must lie in a folder that exists" in capsys.readouterr().err


def test_the_commands_of_the_guides_snippets_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippets = "".join(re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
    commands = re.findall(r"(?:run|entry): bloop-ref (.*)", snippets)
    assert len(commands) == 2
    (watched,) = re.findall(r"files: (.*)", snippets)
    assert re.search(watched, "my_bloop.py")
    (tmp_path / "my_bloop.py").write_text((EXAMPLES / "my_bloop.py").read_text())
    monkeypatch.chdir(tmp_path)
    for command in commands:
        assert main([*shlex.split(command), "--laws", "rho-zero-keeps-the-ema"]) == 0
    (kept,) = re.findall(r"path: (.*)", snippets)
    assert (tmp_path / kept).is_file()
