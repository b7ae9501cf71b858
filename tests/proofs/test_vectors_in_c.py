"""Golden vectors as users meet them: the command, the documentation, the program in C."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from bloop_proofs import vectors
from bloop_proofs.vectors import decoding, plain
from bloop_proofs.vectors.golden import notes
from bloop_proofs.vectors.model import BESIDE, KINDS
from bloop_ref.cli import main

ROOT = Path(__file__).parents[2]
CASES = vectors.golden()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the golden vectors."""
    path = tmp_path_factory.mktemp("golden")
    vectors.write(path)
    return path


EXAMPLE = ROOT / "docs" / "examples" / "check_vectors.c"


def test_vectors_command_writes_and_says_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vectors", "--out", str(tmp_path / "out")]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        str(p) for p in vectors.write(tmp_path / "out")
    ]
    assert last.startswith(f"{len(CASES)} cases;")


def test_vectors_command_refuses_a_file_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    for place in (path, path / "below"):
        assert main(["vectors", "--out", str(place)]) == 2
        assert re.fullmatch(r"bloop-ref vectors: [^\n]+\n", capsys.readouterr().err)
    assert path.read_text() == "precious"


def test_documentation_shows_what_is_written_and_read(folder: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "vectors.md").read_text()
    golden, text = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    (document,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    known = {case.id: case for case in CASES}
    required = CASES[0].outputs
    assert (folder / "bloop-vectors.txt").read_text().startswith(golden)
    for read, content in ((plain.outputs, text), (decoding.outputs, document)):
        (found,) = read(content, known).values()
        assert {x: found[x].tolist() for x in found} == {x: required[x].tolist() for x in required}
    counts = Counter("methods" if case.kind in BESIDE else "bloop" for case in CASES)
    for name, count in counts.items():
        assert f"| `{name}-vectors.json` | {count} cases" in page
    assert {f"`{flag}`" for flag in notes()} <= set(re.findall("`[A-Za-z]+`", page))
    for name in {*KINDS, *(case.group for case in CASES if case.kind not in BESIDE)}:
        assert f"`{name}`" in page


@pytest.fixture(scope="module")
def compiler() -> str:
    """The C compiler."""
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        pytest.skip("there is no C compiler here")
    return found


def outputs_of(source: str, compiler: str, golden: Path, folder: Path) -> tuple[int, Path]:
    """Compile a program, run it on the golden vectors, and return its exit status and outputs."""
    (folder / "program.c").write_text(source)
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    command = [compiler, *strict, "-o", "program", "program.c", "-lm"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    outputs = folder / "outputs.txt"
    with (golden / "bloop-vectors.txt").open() as read, outputs.open("w") as write:
        run = subprocess.run(
            [folder / "program"], stdin=read, stdout=write, stderr=subprocess.DEVNULL
        )
    return run.returncode, outputs


def test_checker_in_c_is_short_and_right(compiler: str, folder: Path, tmp_path: Path) -> None:
    source = EXAMPLE.read_text()
    assert len(source.splitlines()) < 100
    status, outputs = outputs_of(source, compiler, folder, tmp_path)
    assert status == 0
    assert main(["verify", "--vectors", str(outputs)]) == 0
    assert vectors.judge(outputs).count() == {"passed": 24, "skipped": 3}


@pytest.mark.parametrize(
    ("right", "wrong", "mistake"),
    [
        (
            r"( *direction\(n, row.*\n)( *update_ema\(n, row.*\n)",
            r"\2\1",
            "ema-is-updated-before-the-projection",
        ),
        (r"share \* a", "0 * share * a", "auxiliary-gradient-is-not-projected"),
        (
            r"\(1 - rho\) \* ema\[i\] \+ rho",
            "rho * ema[i] + (1 - rho)",
            "rho-and-its-complement-are-swapped",
        ),
    ],
)
def test_broken_checkers_in_c_are_wrong_and_told_why(
    right: str, wrong: str, mistake: str, compiler: str, folder: Path, tmp_path: Path
) -> None:
    source, changes = re.subn(right, wrong, EXAMPLE.read_text())
    assert changes == 1
    status, outputs = outputs_of(source, compiler, folder, tmp_path)
    assert status == 1
    assert main(["verify", "--vectors", str(outputs)]) == 1
    report = vectors.judge(outputs)
    assert {result.law for result in report.broken} >= {"steps-float64", "trajectories-bfloat16"}
    assert report.diagnosis[0].name == mistake
