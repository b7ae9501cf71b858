"""What users install: the sdist, the wheel built from it, and the wheel in fresh environments."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [ROOT / "bloop_ref"] + [
    init.parent
    for root in ("backends", "proofs", "reproduction")
    for init in ROOT.glob(f"{root}/*/__init__.py")
]
FRAMEWORKS = ["torch", "jax", "cupy", "dask", "array_api_strict"]
TOOLS_OF_EXTRAS = ["scipy", "hypothesis", "sympy", "rich", "matplotlib", "sklearn", "optax"]
IMPORT_SECONDS = 0.3


def run(*command: str | Path, cwd: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command away from the settings of the tests that run now."""
    foreign = ("COV", "PYTEST", "PYTHON")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    }
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


class Environment:
    """A virtual environment without pip in it, so that it lists nothing but what was installed."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
        self.site_packages, self.scripts = Path(paths["purelib"]), Path(paths["scripts"])
        self.python = self.scripts / Path(sys.executable).name

    def pip(self, *arguments: str | Path) -> str:
        """Run the pip of the tests on this environment."""
        pip = [sys.executable, "-m", "pip", "--no-input", "--python", str(self.python)]
        return run(*pip, *arguments, cwd=self.site_packages).stdout


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="session")
def metadata(distributions: tuple[Path, Path]) -> PathDistribution:
    """The metadata that the wheel carries."""
    tops = zipfile.Path(distributions[1]).iterdir()
    (folder,) = (top for top in tops if top.name.endswith(".dist-info"))
    return PathDistribution(folder)


@pytest.fixture(scope="session")
def installed(
    distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """The wheel in an environment that borrows every dependency from the tests' own."""
    environment = Environment(tmp_path_factory.mktemp("installed"))
    environment.pip("install", "--no-deps", "--no-index", distributions[1])
    # A path in a .pth file comes after the environment's own packages, and the .pth files under
    # it, an editable install's among them, are not read.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (environment.site_packages / "borrowed.pth").write_text("\n".join(borrowed))
    return environment


@pytest.fixture(scope="session")
def bare(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel without any extra, as the package index resolves it."""
    environment = Environment(tmp_path_factory.mktemp("bare"))
    environment.pip("install", distributions[1])
    return environment


def test_sdist_holds_the_sources_tests_and_documents(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    sources = {
        file.relative_to(ROOT).as_posix()
        for folder in ("bloop_ref", "backends", "proofs", "reproduction", "tests", "docs")
        for file in (ROOT / folder).rglob("*.py")
    }
    vectors = ROOT / "proofs" / "bloop_proofs" / "vectors" / "v1"
    sources |= {file.relative_to(ROOT).as_posix() for file in vectors.iterdir()}
    documents = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml"}
    assert {"docs/examples/my_bloop.py", "tests/golden/bounds.py"} <= sources
    assert sources | documents | {"tests/constraints.txt"} <= held


def test_wheel_holds_the_import_packages_and_nothing_else(
    distributions: tuple[Path, Path],
) -> None:
    with zipfile.ZipFile(distributions[1]) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        file.relative_to(package.parent).as_posix()
        for package in PACKAGES
        for file in package.rglob("*")
        if file.is_file() and file.parent.name != "__pycache__"
    }
    assert packed == files
    assert "bloop_proofs/vectors/v1/methods-vectors.json" in packed
    assert {f"{package.name}/py.typed" for package in PACKAGES} <= packed


def test_metadata(metadata: PathDistribution) -> None:
    requirements = [Requirement(line) for line in metadata.requires or []]
    bare_names = {requirement.name for requirement in requirements if requirement.marker is None}
    extras = {"proofs", "numpy", "torch", "jax", "cupy", "demo", "reproduce", "test", "docs"}
    scripts = {entry.name: entry.value for entry in metadata.entry_points}
    assert bare_names == {"numpy", "array-api-compat", "optree"}
    assert set(metadata.metadata.get_all("Provides-Extra") or []) == extras
    assert metadata.metadata["Requires-Python"] == ">=3.11"
    assert metadata.metadata["License-Expression"] == "Apache-2.0"
    assert metadata.read_text("licenses/LICENSE") == (ROOT / "LICENSE").read_text()
    assert scripts == {"bloop-ref": "bloop_ref.cli:main"}


def test_installed_packages_are_the_wheels(
    installed: Environment, metadata: PathDistribution, tmp_path: Path
) -> None:
    code = (
        "import json, bloop_proofs, bloop_ref, importlib.metadata as metadata;"
        "packages = [bloop_proofs.__file__, bloop_ref.__file__];"
        "print(json.dumps([*packages, bloop_ref.__version__, metadata.version('bloop-ref')]))"
    )
    *files, version, installed_version = json.loads(
        run(installed.python, "-c", code, cwd=tmp_path).stdout
    )
    for file in files:
        assert Path(file).is_relative_to(installed.site_packages)
    assert version == installed_version == metadata.version


def test_wheel_passes_the_tests_from_an_empty_directory(
    installed: Environment, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "tests", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # every public name and every example: what they compute does not hang on how they came there
    files = [f"tests/reference/{x}" for x in ("test_documentation.py", "surgery/test_examples.py")]
    tests = [*files, "--pyargs", "bloop_ref"]
    result = run(installed.python, "-m", "pytest", "-p", "no:cacheprovider", *tests, cwd=tmp_path)
    assert " passed" in result.stdout.splitlines()[-1]


def test_wheel_serves_a_type_checked_consumer(bare: Environment, tmp_path: Path) -> None:
    (tmp_path / "consumer.py").write_text(
        "import bloop_proofs\nimport bloop_ref\n\nversion: int = bloop_ref.__version__\n"
    )
    check = ["--strict", "--cache-dir", os.devnull, "--python-executable", str(bare.python)]
    result = run(sys.executable, "-m", "mypy", *check, "consumer.py", cwd=tmp_path, status=1)
    (complaint, _) = result.stdout.splitlines()
    assert "[assignment]" in complaint, "only the deliberate mistake is to be found"


@pytest.mark.parametrize("module", ["bloop_ref", "bloop_ref.cli"])
def test_import_is_light(module: str, installed: Environment, tmp_path: Path) -> None:
    heavy = [*FRAMEWORKS, *TOOLS_OF_EXTRAS]
    missing = {name for name in heavy if importlib.util.find_spec(name) is None}
    assert missing <= {"cupy"}, "what is not installed cannot be caught being imported"
    code = (
        "import json, sys, time, numpy;"
        f"begin = time.perf_counter(); import {module}; end = time.perf_counter();"
        f"print(json.dumps([end - begin, sorted(set({heavy}) & set(sys.modules))]))"
    )
    runs = [json.loads(run(installed.python, "-c", code, cwd=tmp_path).stdout) for _ in range(5)]
    assert [pulled_in for _, pulled_in in runs] == [[]] * len(runs)
    assert min(seconds for seconds, _ in runs) < IMPORT_SECONDS


def test_bare_install_pulls_in_three_dependencies(bare: Environment) -> None:
    listed = json.loads(bare.pip("list", "--format=json"))
    names = {canonicalize_name(package["name"]) for package in listed}
    required_by_optree = {"typing-extensions"}
    assert names == {"bloop-ref", "numpy", "array-api-compat", "optree"} | required_by_optree


def test_bare_install_takes_a_step(bare: Environment, tmp_path: Path) -> None:
    code = (
        "import numpy as np, bloop_ref;"
        "g_main, g_aux = np.array([1.0, 0.0]), np.array([3.0, 4.0]);"
        "print(bloop_ref.bloop_direction(g_main, g_aux, g_main, lam=0.5).tolist())"
    )
    assert run(bare.python, "-c", code, cwd=tmp_path).stdout == "[1.0, 2.0]\n"


@pytest.mark.parametrize(
    ("arguments", "extra"), [(["verify", "my_bloop.py:step"], "proofs"), (["demo"], "demo")]
)
def test_bare_command_names_the_extra_it_needs(
    arguments: list[str], extra: str, bare: Environment, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "docs" / "examples" / "my_bloop.py", tmp_path)
    result = run(bare.scripts / "bloop-ref", *arguments, cwd=tmp_path, status=2)
    needed = f'bloop-ref {arguments[0]} needs the extra "{extra}": pip install "bloop-ref[{extra}]"'
    assert result.stdout + result.stderr == needed + "\n"
