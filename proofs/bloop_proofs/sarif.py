"""A report in the JSON that code scanning reads: SARIF 2.1.0, a result per broken law."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bloop_proofs.report import Report, Result

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(report: Report) -> str:
    """Return a report as SARIF.

    Every law that was tried is a rule, every broken one a result at the line where the subject is
    defined, with what was found, where it is wrong, and the diagnosis.

    Example:
        >>> result = Result("a-law", "paper", "eq. 5", "d = d.", "failed", "found 3")
        >>> report = Report("mine:step", "numpy", 0, 100, (result,), location="mine.py:7")
        >>> (run,) = json.loads(to_sarif(report))["runs"]
        >>> run["results"][0]["locations"][0]["physicalLocation"]
        {'artifactLocation': {'uri': 'mine.py'}, 'region': {'startLine': 7}}
    """
    tried = [result for result in report.results if result.status != "skipped"]
    places = {result.law: k for k, result in enumerate(tried)}
    driver = {
        "name": "bloop-ref verify",
        "rules": list(map(_rule, tried)),
    }
    run = {
        "tool": {"driver": driver},
        "results": [_result(result, places[result.law], report) for result in report.broken],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(result: Result) -> dict[str, Any]:
    return {
        "id": result.law,
        "shortDescription": {"text": f"{result.law} ({result.equation})"},
        "fullDescription": {"text": result.statement},
    }


def _result(result: Result, place: int, report: Report) -> dict[str, Any]:
    named = [f"most likely: {d.name} ({d.where}): {d.mend}" for d in report.diagnosis[:1]]
    text = "\n".join(filter(None, (result.message, report.summary, *named)))
    location = {"locations": [_location(report.location)]} if report.location else {}
    return {
        "ruleId": result.law,
        "ruleIndex": place,
        "level": "error",
        "message": {"text": text},
        **location,
        # one subject breaks a law once: what services recognise it by when the line has moved
        "partialFingerprints": {"subjectAndLaw/v1": f"{report.subject} {result.law}"},
    }


def _location(location: str) -> dict[str, Any]:
    name, _, line = location.rpartition(":")
    path = Path(name)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    region = {"startLine": int(line)}
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
