"""The results file: every run that is over, and on what; docs/reproduction/results.schema.json."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bloop_ref
from bloop_proofs.files import check_writable, read_text, write_atomically
from bloop_reproduction.claim import Row, Setting
from bloop_reproduction.claims import NAMES

FORMAT = 1
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch")

Environment = Mapping[str, Any]
Key = tuple[str, str]


class Record(NamedTuple):
    """A run that is over: of which claim, by which code, on what, and when."""

    claim: str
    row: Row
    revision: str
    environment: Environment
    date: str

    @property
    def key(self) -> Key:
        """What a later run of the same setting takes the place of."""
        return self.claim, canonical(self.row.setting)

    def is_of(self, revision: str) -> bool:
        """Return whether it was made by code of a revision, in this version of the project."""
        here = self.environment["versions"]["bloop-ref"]
        return (self.revision, here) == (revision, bloop_ref.__version__)


def canonical(setting: Setting) -> str:
    """Return a setting as text, the same whatever the order of its names."""
    return json.dumps(plain(setting), sort_keys=True)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NumPy's become Python's, what is not finite ``None``.

    Example:
        >>> plain({"loss": np.float64("nan"), "steps": np.arange(2)})
        {'loss': None, 'steps': [0, 1]}
    """
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def restored(value: Any) -> Any:
    """Return a value that was measured from JSON's: ``None`` is a number that was not finite."""
    if isinstance(value, dict):
        return {name: restored(each) for name, each in value.items()}
    if isinstance(value, list):
        return [restored(each) for each in value]
    return math.nan if value is None else value


def environment() -> Environment:
    """Return what runs are made on here: versions, cores, the kind of processor."""
    versions = {"bloop-ref": bloop_ref.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    machine = {
        "cores": os.cpu_count() or 1,
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    return {"versions": versions, "machine": machine}


def _processor(file: Path = Path("/proc/cpuinfo")) -> str:
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


class Results:
    """The records of a file, which is written anew with each that is added.

    Raises:
        ValueError: the file is no results file, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        check_writable(path)
        self.path = path
        self._records = dict[Key, Record]()
        self._lines = dict[Key, str]()  # kept: there are many, and they are written often
        for record in _read(path) if path.exists() else []:
            self._put(record)

    def of(self, claim: str, settings: Sequence[Setting]) -> list[Record | None]:
        """Return what there is for each setting of a claim."""
        return [self._records.get((claim, canonical(setting))) for setting in settings]

    def add(self, record: Record) -> None:
        """Add a record, in place of an older one of the same setting, and write the file."""
        self._put(record)
        self._write()

    def keep(self, claim: str, settings: Sequence[Setting]) -> None:
        """Drop the records of a claim that are of no setting of these, and write the file."""
        kept = {canonical(setting) for setting in settings}
        gone = [key for key in self._records if key[0] == claim and key[1] not in kept]
        for key in gone:
            del self._records[key], self._lines[key]
        if gone:
            self._write()

    def _put(self, record: Record) -> None:
        self._records[record.key], self._lines[record.key] = record, _line(record)

    def _write(self) -> None:
        # in an order of their own, so that two files with the same records are the same
        keys = sorted(self._records, key=lambda key: (NAMES.index(key[0]), key))
        environments, rows = list[Environment](), list[str]()
        for key in keys:
            here = self._records[key].environment
            if here not in environments:
                environments.append(here)
            rows.append(f'{self._lines[key]}, "environment": {environments.index(here)}}}')
        listed = ",\n".join(json.dumps(each) for each in environments)
        text = f'{{"format": {FORMAT}, "environments": [\n{listed}\n], "rows": [\n'
        write_atomically(self.path, text + ",\n".join(rows) + "\n]}\n")


def _line(record: Record) -> str:
    """Return a record as JSON up to its environment, whose number depends on the other records."""
    setting, measured, seconds = record.row
    fields = {
        "claim": record.claim,
        "setting": plain(setting),
        "measured": plain(measured),
        "seconds": round(seconds, 3),
        "date": record.date,
        "revision": record.revision,
    }
    return json.dumps(fields, allow_nan=False).removesuffix("}")


def _read(path: Path) -> list[Record]:
    try:
        found = json.loads(read_text(path))
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']}")
        return [_record(entry, found["environments"]) for entry in found["rows"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        # nothing is written over what may be somebody's, or of a later version
        raise ValueError(
            f"{path} must be a results file of format {FORMAT} of bloop-ref reproduce; "
            f"{type(error).__name__}: {error}"
        ) from error


def _record(entry: Mapping[str, Any], environments: Sequence[Environment]) -> Record:
    if entry["claim"] not in NAMES:
        raise ValueError(f"it has a run of {entry['claim']!r}, which is no claim")
    row = Row(dict(entry["setting"]), restored(entry["measured"]), float(entry["seconds"]))
    where = environments[entry["environment"]]
    return Record(entry["claim"], row, str(entry["revision"]), where, str(entry["date"]))
