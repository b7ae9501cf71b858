"""The commands that docs/verify.md shows with their outputs print these."""

import doctest
import re
import shlex

import pytest

from bloop_ref.cli import main
from tests.proofs.subjects import EXAMPLES, ROOT

GUIDE = (ROOT / "docs" / "verify.md").read_text()
SESSIONS = re.findall(
    r"^```console\n\$ bloop-ref (.*?)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(("command", "printed"), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_the_output_is_as_printed(
    command: str,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(EXAMPLES)
    main(shlex.split(command))
    shown = capsys.readouterr().out
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(printed, shown, flags), shown
