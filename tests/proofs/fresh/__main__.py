"""How many of the entries are found and named: ``python -m tests.proofs.fresh``.

Every law is tried at its default settings, until one breaks. What is not found, not named or
wrongly proved is listed by name for the half that is for development, with ``--held-out`` for the
other half too. The exit status is 1 where less is found or named than is required.
"""

import argparse
import sys
import time
from collections import defaultdict

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.proofs.fresh.catalogue import ENTRIES
from tests.proofs.fresh.measure import Verdict, measured

REQUIRED = {"singles": 0.9, "pairs": 0.75, "gaps": 0.0}
"""The share of the entries whose main mistake is named first."""


def table(verdicts: dict[tuple[str, bool], list[Verdict]]) -> Table:
    shown = Table("entries", "half", "found", "named first", 'wrong "is"')
    for (kind, held_out), found in verdicts.items():
        counts = [
            sum(x) for x in zip(*((v.found, v.named, v.wrong_is) for v in found), strict=True)
        ]
        of = [f"{count} of {len(found)}" for count in counts]
        shown.add_row(kind, "held out" if held_out else "development", *of)
    return shown


def enough(kind: str, found: list[Verdict]) -> bool:
    named = sum(v.named for v in found) >= REQUIRED[kind] * len(found)
    return named and all(v.found and not v.wrong_is for v in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(ENTRIES)}; all by default")
    parser.add_argument("--held-out", action="store_true", help="list these by name as well")
    parser.add_argument("--every", type=int, default=1, help="measure one entry in so many")
    parser.add_argument("--verbose", action="store_true", help="a line for every entry")
    args = parser.parse_args()
    if unknown := set(args.kinds) - set(ENTRIES):
        parser.error(f"kinds must be among {sorted(ENTRIES)}; found {sorted(unknown)}")
    verdicts: dict[tuple[str, bool], list[Verdict]] = defaultdict(list)
    by_kind: dict[str, list[Verdict]] = {}
    for kind in args.kinds or ENTRIES:
        started, console = time.perf_counter(), Console(stderr=True)
        for entry in track(ENTRIES[kind][:: args.every], kind, console=console):
            verdict = measured(entry)
            verdicts[kind, entry.held_out].append(verdict)
            wanting = not verdict.found or (not verdict.named and kind != "gaps")
            bad = wanting or verdict.wrong_is
            if (args.verbose or bad) and (args.held_out or not entry.held_out):
                print(f"{'wrong is ' if verdict.wrong_is else ''}{verdict}", flush=True)
        by_kind[kind] = verdicts[kind, False] + verdicts[kind, True]
        print(f"{kind}: {time.perf_counter() - started:.0f} s", flush=True)
    Console().print(table(verdicts))
    sys.exit(not all(enough(kind, found) for kind, found in by_kind.items()))


if __name__ == "__main__":
    main()
