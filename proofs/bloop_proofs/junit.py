"""A report in the XML that continuous integration reads: JUnit's, a test case per law."""

import re
from xml.etree import ElementTree as ET

from bloop_proofs.report import Report, Result

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped; an exception of the subject may say it."""


def to_junit(report: Report) -> str:
    r"""Return a report as JUnit's XML.

    A broken law is a failure, with the counterexample as its text; what was skipped or expected to
    fail is skipped, with the reason. What the laws were tried with are properties of the suite, and
    its output is the diagnosis.

    Example:
        >>> from bloop_proofs import Result
        >>> result = Result("a-law", "paper", "eq. 5", "d = d.", "failed", "found 3", "import x")
        >>> print(to_junit(Report("mine:step", "numpy", 0, 100, (result,))))
        ... # doctest: +ELLIPSIS +NORMALIZE_WHITESPACE
        <?xml version='1.0' encoding='utf-8'?>
        <testsuites>
          <testsuite name="mine:step" tests="1" failures="1" errors="0" skipped="0" time="0.000">
            ...
            <testcase classname="bloop.paper" name="a-law" time="0.000">
              <failure type="failed" message="found 3">a-law (eq. 5): d = d.
        import x</failure>
            </testcase>
          </testsuite>
        </testsuites>
    """
    suite = ET.Element(
        "testsuite",
        name=_legal(report.subject),
        tests=str(len(report.results)),
        failures=str(len(report.broken)),
        errors="0",
        skipped=str(sum(map(_skipped, report.results))),
        time=f"{sum(result.seconds for result in report.results):.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _tried_with(report).items():
        ET.SubElement(properties, "property", name=name, value=value)
    for result in report.results:
        _add_case(suite, report.method, result)
    if report.diagnosis:
        lines = "\n".join(map(str, report.diagnosis))
        ET.SubElement(suite, "system-out").text = _legal(lines)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n"


def _tried_with(report: Report) -> dict[str, str]:
    return {
        "method": report.method,
        "framework": report.framework,
        "seed": str(report.seed),
        "examples": str(report.examples),
        "assume": ",".join(report.domain.assumed),
        "verdict": report.verdict,
    }


def _skipped(result: Result) -> bool:
    return result.status in ("skipped", "xfailed")


def _add_case(suite: ET.Element, method: str, result: Result) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{method}.{result.group}",
        name=result.law,
        time=f"{result.seconds:.3f}",
    )
    if _skipped(result):
        ET.SubElement(case, "skipped", message=_legal(result.message))
    elif result.broken:
        about = {"type": result.status, "message": _legal(result.message)}
        failure = ET.SubElement(case, "failure", about)
        theorem = f"{result.law} ({result.equation}): {result.statement}"
        failure.text = _legal(f"{theorem}\n{result.counterexample}".rstrip())


def _legal(text: str) -> str:
    """Return a text with what XML cannot hold written as Python does."""
    return ILLEGAL.sub(lambda found: ascii(found[0])[1:-1], text)
