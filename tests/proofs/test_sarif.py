"""SARIF: valid, and at the line where the subject is defined."""

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bloop_proofs import Report, Result
from bloop_proofs.sarif import to_sarif
from bloop_ref.cli import main
from tests.proofs.subjects import EXAMPLES, HERE

SCHEMA = json.loads((Path(__file__).parent / "sarif.schema.json").read_text())


def run_of(report: Report) -> Any:
    stored = json.loads(to_sarif(report))
    jsonschema.Draft202012Validator(SCHEMA).validate(stored)
    (run,) = stored["runs"]
    return run


def test_every_law_that_was_tried_is_a_rule_and_every_broken_one_a_result() -> None:
    statuses = ("passed", "failed", "skipped", "xfailed", "xpassed")
    results = tuple(Result(f"law-{s}", "paper", "eq. 5", "d = d.", s, s) for s in statuses)  # type: ignore[arg-type]
    run = run_of(Report("mine:step", "numpy", 0, 100, results, summary="wrong only here"))
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["law-passed", "law-failed", "law-xfailed", "law-xpassed"]
    assert [result["ruleId"] for result in run["results"]] == ["law-failed", "law-xpassed"]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    assert run["results"][0]["message"]["text"] == "failed\nwrong only here"
    assert "locations" not in run["results"][0]


@pytest.mark.parametrize(
    ("location", "uri"), [("a b.py:3", "a%20b.py"), ("/src/a b.py:3", "file:///src/a%20b.py")]
)
def test_the_location_is_a_uri(location: str, uri: str) -> None:
    result = Result("a-law", "paper", "eq. 5", "d = d.", "failed")
    run = run_of(Report("mine:step", "numpy", 0, 100, (result,), location=location))
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": uri}, "region": {"startLine": 3}}


def test_the_command_writes_the_line_of_the_subject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLES / "my_bloop.py", tmp_path / "mine.py")
    (tmp_path / "swapped.py").write_text(
        "from mine import step as right\n\n\n"
        "def step(g_main, g_aux, ema, *, lam, rho):\n"
        "    return right(g_main, g_aux, ema, lam=lam, rho=1 - rho)\n"
    )
    laws = ["--laws", "rho-zero-keeps-the-ema", "--examples", "5", "--sarif", "found.sarif"]
    assert main([*HERE, "swapped.py:step", *laws]) == 1
    stored = json.loads((tmp_path / "found.sarif").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(stored)
    (result,) = stored["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "swapped.py"}, "region": {"startLine": 4}}
