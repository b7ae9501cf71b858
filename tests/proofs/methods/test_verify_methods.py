"""``bloop-ref verify --method``: exit status and what is shown."""

import json

import pytest

from bloop_ref.cli import main
from tests.proofs.subjects import HERE

HEAD = """
import numpy as np

def off(u, v):
    dot = lambda x, y: sum(float(np.vdot(a, b).real) for a, b in zip(x, y))
    c = min(dot(u, v), 0) / dot(v, v) if dot(u, v) < 0 else 0 * dot(u, v)
    return [np.asarray(a - c * b) for a, b in zip(u, v)]

def step(gradients, *, orders):
    dtypes = [x.dtype for x in gradients[0]]
    gradients = [[x.astype(np.result_type(x, float)) for x in g] for g in gradients]
    parts = list(gradients)
    for i, order in enumerate(orders):
        for j in order:
"""
TAIL = """
    return [np.asarray(sum(x)).astype(dtype) for *x, dtype in zip(*parts, dtypes)]
"""
RIGHT = HEAD + "            parts[i] = off(parts[i], gradients[j])" + TAIL
WRONG = HEAD + "            parts[i] = off(parts[i], parts[j])" + TAIL


def written(folder, source):
    (folder / "mine.py").write_text(source)
    return f"{folder / 'mine.py'}:step"


def test_a_right_step_passes_with_0(tmp_path, capsys):
    spec = written(tmp_path, RIGHT)
    assert main([*HERE, "--method", "pcgrad", spec, "--examples", "5"]) == 0
    shown = capsys.readouterr().out
    assert "(pcgrad, numpy, seed 0)" in shown
    assert "PASSED" in shown


def test_a_wrong_step_is_named_with_1(tmp_path, capsys):
    spec, out = written(tmp_path, WRONG), tmp_path / "report.json"
    options = ["--examples", "20", "--json", str(out)]
    assert main([*HERE, "--method", "pcgrad", spec, *options]) == 1
    shown = capsys.readouterr().out
    line = " ".join(shown.split())
    assert "is: projects-off-gradients-already-projected" in line
    assert 'method="pcgrad"' in shown
    assert json.loads(out.read_text())["method"] == "pcgrad"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--method", "sgd"], "method must be bloop or one of mixed, a_gem, "),
        (["--method", "mgda", "--laws", "direction-is-equation-5"], "or names of laws; found"),
        (["--method", "mgda", "--framework", "numpy", "--examples", "0"], "at least 1; found 0"),
    ],
)
def test_a_wrong_call_is_one_line_and_2(options, line, tmp_path, capsys):
    assert main([*HERE, written(tmp_path, RIGHT), *options]) == 2
    captured = capsys.readouterr()
    assert line in captured.err
    assert captured.err.count("\n") == 1


def test_vectors_are_bloops(tmp_path, capsys):
    assert main(["verify", "--vectors", str(tmp_path / "v.json"), "--method", "mgda"]) == 2
    assert "outputs say what method they are of" in capsys.readouterr().err


def test_bloop_is_the_default(tmp_path, capsys):
    spec = written(tmp_path, "def step(g_main, g_aux, ema, *, lam, rho): return g_main, ema")
    laws = ["--laws", "rho-zero-keeps-the-ema", "--examples", "2"]
    assert main([*HERE, "--method", "bloop", spec, *laws]) in (0, 1)
    assert "rho" in capsys.readouterr().out or spec
