"""What a run of the suite found: records that can be read, printed, stored and asserted on."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from textwrap import shorten
from typing import Any, Literal, NamedTuple

from bloop_proofs.domain import EVERYTHING, Domain

VERSION = 2
"""The version of the JSON format; a field that goes or changes its meaning makes a new one."""
Status = Literal["passed", "failed", "skipped", "xfailed", "xpassed"]


@dataclass(frozen=True)
class Result:
    """The verdict on one law.

    ``message`` says what was required and what was found, or why the law was skipped, or why its
    failure was expected. ``counterexample`` is the smallest failing input, as code that runs.
    ``largest`` is the largest violation seen, relative to its bound, and ``share`` the part of
    the inputs tried that break the law.
    """

    law: str
    group: str
    equation: str
    statement: str
    status: Status
    message: str = ""
    counterexample: str = ""
    examples: int = 0
    seconds: float = 0.0
    largest: str = ""
    share: float = 0.0

    @property
    def broken(self) -> bool:
        """Whether this result speaks against the subject, or against what was said of it."""
        return self.status in ("failed", "xpassed")


class Named(NamedTuple):
    """A known mistake: its name, the line that it gets wrong, and what to do about it."""

    name: str
    where: str
    mend: str

    def __str__(self) -> str:
        return f"{self.name} ({self.where}): {self.mend}"


class Diagnosis(NamedTuple):
    """Known mistakes that together do what the subject does, the main one first.

    ``also`` are the others. ``share``, of 0 to 1, is how much of what is wrong with the outputs
    they explain. They are ``proved`` where a step that makes these and no other mistakes returns
    what the subject returns on every input tried.
    """

    name: str
    where: str
    mend: str
    share: float = 1.0
    proved: bool = True
    also: tuple[Named, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all its mistakes."""
        return (self.name, *(other.name for other in self.also))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain lists, dicts, strings and numbers."""
        return {**self._asdict(), "also": [other._asdict() for other in self.also]}

    def __str__(self) -> str:
        """Return a line for every mistake."""
        where = self.where
        if not self.proved:
            where += f"; explains {100 * self.share:.0f}% of what is wrong"
        first = Named(self.name, where, self.mend)
        lines = [f"{'is' if self.proved else 'like'}: {first}"]
        return "\n".join([*lines, *(f"  with {other}" for other in self.also)])


@dataclass(frozen=True)
class Report:
    """The verdict on a subject: one result per law, in the order of the catalogue.

    ``diagnosis`` names the known mistakes that reproduce the subject's outputs, the most likely
    first; it is empty for a subject that breaks no law, and for a mistake nobody has listed.
    ``domain`` is what was assumed of the inputs. ``summary`` says in one line where the subject is
    wrong. ``explained`` names for each mistake of the first diagnosis the laws that it breaks by
    itself, then those that all of them break ``together``; ``remaining`` are the broken laws that
    these mistakes do not break. ``location`` is the file and line of the subject, "" where it has
    none.
    """

    subject: str
    framework: str
    seed: int
    examples: int
    results: tuple[Result, ...]
    diagnosis: tuple[Diagnosis, ...] = ()
    method: str = "bloop"
    domain: Domain = EVERYTHING
    summary: str = ""
    explained: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remaining: tuple[str, ...] = ()
    location: str = ""
    reading: str = ""

    @property
    def passed(self) -> bool:
        """Whether no law is broken and no expected failure has gone away."""
        return not any(result.broken for result in self.results)

    @property
    def verdict(self) -> str:
        """The verdict in words, with the domain that it is restricted to."""
        judged = any(result.status != "skipped" for result in self.results)
        word = ("right" if self.passed else "wrong") if judged else "not judged"
        return f"{word}, for {self.domain}" if self.domain else word

    @property
    def broken(self) -> tuple[Result, ...]:
        """The results that speak against the subject."""
        return tuple(result for result in self.results if result.broken)

    @property
    def outside(self) -> tuple[Result, ...]:
        """The results of laws about inputs outside of the domain, so that none was tried."""
        skipped = (result for result in self.results if result.status == "skipped")
        return tuple(result for result in skipped if self.domain and not result.examples)

    @property
    def left(self) -> str:
        """Which mistake explains how many of the broken laws, and which remain, in words."""
        if not self.diagnosis or not self.broken:
            return ""
        broken, left = len(self.broken), len(self.remaining)
        several = len(self.diagnosis[0].names) > 1
        counts = [f"{name} {len(laws)}" for name, laws in self.explained.items() if laws]
        said = [f"of {broken} broken laws explained: {', '.join(counts)}"] if several else []
        names = ", ".join([*self.remaining[:3], *(["..."] if left > 3 else [])])
        if left:
            mended = "these are" if several else "this is"
            said.append(f"if {mended} mended, {left} of {broken} broken laws remain: {names}")
        elif not several:
            said.append(f"it explains all broken laws, {broken} of them")
        return "; ".join(said)

    def count(self) -> dict[str, int]:
        """Return how many laws have each status, the statuses that occur only."""
        return dict(Counter(result.status for result in self.results))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain lists, dicts, strings and numbers."""
        return {
            "version": VERSION,
            "subject": self.subject,
            "location": self.location,
            "method": self.method,
            "framework": self.framework,
            "seed": self.seed,
            "examples": self.examples,
            "assume": list(self.domain.assumed),
            "passed": self.passed,
            "results": [asdict(result) for result in self.results],
            "summary": self.summary,
            "diagnosis": [entry.to_dict() for entry in self.diagnosis],
            "explained": {name: list(laws) for name, laws in self.explained.items()},
            "remaining": list(self.remaining),
            "reading": self.reading,
        }

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def __str__(self) -> str:
        """Return a summary of a few lines: counts, broken laws, diagnosis, first counterexample."""
        counts = ", ".join(f"{n} {status}" for status, n in self.count().items())
        verdict = f"{self.verdict}: " if self.domain else ""
        lines = [f"{self.subject}: {verdict}{counts}", *([self.summary] if self.summary else [])]
        for r in self.broken[:5]:
            lines.append(f"  {r.law} ({r.equation}) {r.status}: {shorten(r.message, 160)}")
            if r is self.broken[0] and r.largest:
                lines.append(f"    largest: {shorten(r.largest, 200)}")
        if len(self.broken) > 5:
            lines.append(f"  and {len(self.broken) - 5} more")
        lines += map(str, self.diagnosis[:1])
        lines += filter(None, [self.left])
        lines += [f"on one input: {self.reading}"] if self.reading else []
        shown = next((r.counterexample for r in self.broken if r.counterexample), "")
        return "\n".join([*lines, shown]).rstrip()
