"""What the suite says of an entry: whether a law breaks, and what the diagnosis names."""

from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bloop_proofs import check_implementation
from bloop_proofs.diagnosis import diagnose
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.methods import METHODS
from bloop_proofs.report import Diagnosis, Result
from bloop_proofs.subject import Subject
from tests.proofs.fresh.entries import Entry


class Enough(Exception):
    """A law is broken: the others need not be tried."""


@dataclass(frozen=True)
class Verdict:
    """The first law that an entry breaks, "" for none, and the first diagnosis."""

    entry: Entry
    law: str
    said: Diagnosis | None

    @property
    def found(self) -> bool:
        return bool(self.law)

    @property
    def named(self) -> bool:
        """Whether the main mistake is what is named first."""
        return self.said is not None and fits(self.said.name, (*self.entry.names, *self.entry.like))

    @property
    def wrong_is(self) -> bool:
        """Whether something is said to be proved that the entry does not do."""
        true = (*self.entry.names, *self.entry.also)
        said = self.said
        return said is not None and said.proved and not all(fits(x, true) for x in said.names)

    def __str__(self) -> str:
        found = f"breaks {self.law}" if self.law else "breaks no law"
        if self.said is None:
            return f"{self.entry.name}: {found}; nothing is named"
        word = "is" if self.said.proved else f"like ({100 * self.said.share:.0f}%)"
        return f"{self.entry.name}: {found}; {word}: {', '.join(self.said.names)}"


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def first_broken(entry: Entry, laws: str | list[str] = "all") -> str:
    """Return the first law that breaks, of a run as anybody starts it."""
    broken = ""

    def stop(result: Result) -> None:
        nonlocal broken
        if result.broken:
            broken = result.law
            raise Enough

    step, method, framework = entry.make(), entry.method, entry.framework
    with suppress(Enough):
        check_implementation(step, method=method, framework=framework, laws=laws, progress=stop)
    return broken


def named_first(entry: Entry) -> Diagnosis | None:
    """Return the diagnosis that a report shows."""
    signature = METHODS[entry.method].signature
    subject = Subject(entry.make(), FRAMEWORKS[entry.framework], signature)
    return next(iter(diagnose(subject, seed=0)), None)


def measured(entry: Entry, laws: str | list[str] = "all") -> Verdict:
    return Verdict(entry, first_broken(entry, laws), named_first(entry))
