"""The report: its verdict, its JSON, and what it prints."""

import json
from typing import Any

import jsonschema
import pytest

from bloop_proofs import LAWS, Diagnosis, Report, Result, check_implementation
from bloop_proofs.report import Named, Status
from tests.proofs.subjects import ROOT, breaks_every_law, example, forgets_the_projection

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())


def report_of(*statuses: Status, **options: Any) -> Report:
    results = tuple(
        Result(f"law-{i}", "paper", "eq. 5", "d = d", status) for i, status in enumerate(statuses)
    )
    return Report("mine:step", "numpy", 0, 100, results, **options)


@pytest.mark.parametrize(
    ("status", "passes"),
    [("passed", True), ("skipped", True), ("xfailed", True), ("failed", False), ("xpassed", False)],
)
def test_only_failures_and_expired_expectations_speak_against_a_subject(
    status: Status, passes: bool
) -> None:
    report = report_of("passed", status)
    assert report.passed is passes
    assert report.broken == (() if passes else (report.results[1],))


def test_the_counts_are_those_of_the_statuses() -> None:
    report = report_of("passed", "failed", "passed", "skipped")
    assert report.count() == {"passed": 2, "failed": 1, "skipped": 1}


@pytest.mark.parametrize("step", [forgets_the_projection, example("numpy")])
def test_the_json_is_valid_and_says_what_the_report_says(step: Any) -> None:
    report = check_implementation(step, examples=2)
    stored = json.loads(report.to_json())
    jsonschema.validate(stored, SCHEMA)
    assert stored == report.to_dict()
    assert stored["passed"] is report.passed
    again = Report(
        stored["subject"],
        stored["framework"],
        stored["seed"],
        stored["examples"],
        tuple(Result(**result) for result in stored["results"]),
        tuple(
            Diagnosis(**{**entry, "also": tuple(Named(**other) for other in entry["also"])})
            for entry in stored["diagnosis"]
        ),
    )
    assert again == report


def test_the_schema_refuses_what_is_no_report() -> None:
    stored = report_of("passed").to_dict()
    jsonschema.validate(stored, SCHEMA)
    for name in stored:
        less = {key: value for key, value in stored.items() if key != name}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(less, SCHEMA)
    stored["results"][0]["status"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(stored, SCHEMA)


def test_a_passing_report_prints_one_line() -> None:
    report = report_of("passed", "passed", "skipped")
    assert str(report) == "mine:step: 2 passed, 1 skipped"


def test_a_failing_report_prints_one_screen() -> None:
    report = check_implementation(breaks_every_law, examples=5)
    printed = str(report).splitlines()
    assert len(report.broken) == len(LAWS)
    assert sum(-(-len(line) // 100) for line in printed) <= 40, "lines of 100 columns"
    assert printed[0] == f"tests.proofs.subjects:breaks_every_law: {len(LAWS)} failed"
    assert [line.split()[0] for line in printed[1:6]] == [law.name for law in LAWS[:5]]
    assert printed[6] == f"  and {len(LAWS) - 5} more"
    assert str(report).endswith(report.results[0].counterexample)


def test_a_report_prints_the_likeliest_diagnosis() -> None:
    known = tuple(Diagnosis(f"mistake-{i}", "eq. 5", f"mend {i}.") for i in range(2))
    assert "is: mistake-0 (eq. 5): mend 0." in str(report_of("failed", diagnosis=known))
    assert "mistake-1" not in str(report_of("failed", diagnosis=known))


def test_what_is_not_proved_is_only_like_a_known_mistake() -> None:
    found = Diagnosis("mixes", "eq. 5", "Project.", 0.826, False, (Named("slow", "eq. 6", "Run."),))
    assert str(found) == (
        "like: mixes (eq. 5; explains 83% of what is wrong): Project.\n  with slow (eq. 6): Run."
    )
    assert found.names == ("mixes", "slow")
