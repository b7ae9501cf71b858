"""Every claim in miniature: it runs, reads and draws; and what all claims have in common."""

import json
import subprocess
import sys

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from bloop_reproduction.claims import NAMES, load
from bloop_reproduction.figures import picture
from bloop_reproduction.reproduce import Task, measured
from bloop_reproduction.results import canonical

VERDICTS = {"holds", "in part", "does not hold"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_miniature_runs_and_has_a_verdict_and_a_figure(name: str) -> None:
    claim = load(name)
    rows = [measured(Task(name, setting))[1] for setting in claim.settings(True)]
    finding = claim.read(rows)
    assert finding.verdict in VERDICTS
    assert finding.numbers
    assert finding.reason or finding.verdict == "holds"
    written: list[str] = []

    def drawn(figure: Figure) -> None:
        claim.draw(figure, rows)
        written.extend(text.get_text() for text in figure.findobj(Text))

    picture(drawn, claim.size, "svg")
    assert any(written)
    assert not any(verdict in text for verdict in VERDICTS for text in written)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_json_and_no_two_are_alike(name: str) -> None:
    claim = load(name)
    assert claim.name == name
    for quick in (True, False):
        settings = claim.settings(quick)
        assert [json.loads(json.dumps(setting)) for setting in settings] == list(settings)
        assert len({canonical(setting) for setting in settings}) == len(settings)
        seeds = {setting["seed"] for setting in settings if "seed" in setting}
        assert quick or not seeds or len(seeds) >= 5


def test_claims_are_listed_without_a_framework() -> None:
    program = (
        "import sys\n"
        "from bloop_ref.cli import main\n"
        "status = main(['reproduce', '--list'])\n"
        "assert not {'torch', 'jax'} & sys.modules.keys()\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"{name}  " in done.stdout for name in NAMES)
