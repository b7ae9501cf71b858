"""The whole suite on every right implementation, from many seeds: ``python -m tests.proofs.sweep``.

The tests draw less, so that they stay short; this is for a change of laws or tolerances. Prints one
line per implementation, with the processor's seconds, and every false alarm; the exit status is 1
if there is one. Names and ``--start`` split it over processes, and take it up where it ended.
"""

import argparse
import sys
import time

from rich.console import Console
from rich.progress import track

from bloop_proofs import check_implementation
from tests.proofs.right.catalogue import RIGHT, subject


def alarms(name: str, seeds: range, examples: int) -> int:
    """Print and count the laws that accuse an implementation."""
    judged, found = subject(name), 0
    for seed in track(seeds, name, console=Console(stderr=True)):
        report = check_implementation(
            judged.step, framework=judged.framework.name, examples=examples, seed=seed
        )
        if not report.passed:
            found += 1
            print(f"{name}, seed {seed}:\n{report}", flush=True)
    return found


def main() -> None:
    """Judge, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("names", nargs="*", help="implementations; all by default")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--examples", type=int, default=100)
    args = parser.parse_args()
    if unknown := set(args.names) - set(RIGHT):
        parser.error(f"names must be among {sorted(RIGHT)}; found {sorted(unknown)}")
    total = 0
    for name in args.names or RIGHT:
        begin = time.process_time()
        found = alarms(name, range(args.start, args.start + args.seeds), args.examples)
        total += found
        taken = f"{found} false alarms in {args.seeds} seeds x {args.examples}"
        print(f"{name}: {taken}, {time.process_time() - begin:.0f} s", flush=True)
    sys.exit(bool(total))


if __name__ == "__main__":
    main()
