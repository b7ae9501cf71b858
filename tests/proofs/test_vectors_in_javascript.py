"""The checker in JavaScript: short, right, and told why where it is wrong."""

import doctest
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from bloop_proofs import vectors
from bloop_ref.cli import main

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "check_vectors.mjs"


def outputs_of(source: str, folder: Path, *, only: str = "") -> tuple[int, Path]:
    """Run a program on the golden vectors; return its exit status and outputs."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js here")
    paths = [path for path in vectors.write(folder) if path.name.endswith(f"{only}-vectors.json")]
    (folder / "program.mjs").write_text(source)
    done = subprocess.run([node, folder / "program.mjs", *paths], capture_output=True, text=True)
    (folder / "outputs.txt").write_text(done.stdout)
    return done.returncode, folder / "outputs.txt"


def test_checker_in_javascript_is_short_and_right(tmp_path: Path) -> None:
    source = EXAMPLE.read_text()
    assert len(source.splitlines()) < 100
    status, outputs = outputs_of(source, tmp_path)
    assert status == 0
    assert main(["verify", "--vectors", str(outputs)]) == 0
    passed = {r.law for r in vectors.judge(outputs).results if r.status == "passed"}
    assert passed >= {"extremes-float64", "steps-complex64", "pcgrad-more-float32", "a_gem-float64"}


@pytest.mark.parametrize(
    ("right", "wrong", "group", "mistake"),
    [
        (r"\? off\(x, g\[j\]\)", "? off(x, g[i])", "pcgrad", ""),
        (r"dot\(x, g\[j\]\) < 0", "dot(x, g[j]) > 0", "pcgrad", "projects-where-gradients-agree"),
        (r"dot\(m, a\) < 0 \? off\(m, a\) : m", "off(m, a)", "a_gem", "projects-always"),
        (
            r"times\(lam, a\), Math",
            "a, Math",
            "dynamic_barrier",
            "auxiliary-gradient-is-not-weighted",
        ),
        (
            r"lam, off\(auxes\[t\], ema\)",
            "lam, off(auxes[t], main)",
            "steps",
            "projects-on-the-raw-main-gradient",
        ),
    ],
)
def test_broken_checkers_are_wrong_and_told_why(
    right: str, wrong: str, group: str, mistake: str, tmp_path: Path
) -> None:
    source, changes = re.subn(right, wrong, EXAMPLE.read_text())
    assert changes == 1
    status, outputs = outputs_of(source, tmp_path)
    assert status == 1
    report = vectors.judge(outputs)
    assert {result.law for result in report.broken} >= {f"{group}-float64", f"{group}-float32"}
    assert not mistake or mistake in [entry.name for entry in report.diagnosis[:2]]


GUIDE = (EXAMPLE.parents[1] / "verify.md").read_text()


def test_the_guides_stranger_is_judged_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (change,) = re.findall(r"^```diff\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    before, after = (
        "".join(line[1:] for line in change.splitlines(keepends=True) if line[0] == sign)
        for sign in "-+"
    )
    session = r"^```console\n\$ node .*?\n\$ bloop-ref (.*?)\n(.*?)^```$"
    ((command, printed),) = re.findall(session, GUIDE, re.MULTILINE | re.DOTALL)
    source = EXAMPLE.read_text()
    assert source.count(before) == 1
    status, outputs = outputs_of(source.replace(before, after), tmp_path, only="bloop")
    assert status == 1
    monkeypatch.chdir(outputs.parent)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(shlex.split(command)) == 1
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    shown = capsys.readouterr().out
    assert doctest.OutputChecker().check_output(printed, shown, flags), shown
