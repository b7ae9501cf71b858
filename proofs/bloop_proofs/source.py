"""Where a subject comes from: loading it by name, and naming it in code that runs."""

import importlib
import importlib.util
import inspect
import os
import sys
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bloop_proofs.law import Failure, Law
from bloop_proofs.subject import Step, Subject


class LoadError(ValueError):
    """A subject cannot be found or called; the message is one clear line."""


@dataclass(frozen=True)
class Source:
    """A name for a subject, and the lines of Python that bring it into scope as ``step``.

    ``helpers`` are the functions of ``bloop_proofs`` that the lines call, ``location`` is the file
    and line of the subject's definition where it can be told.
    """

    name: str
    lines: tuple[str, ...]
    helpers: tuple[str, ...] = ()
    location: str = ""

    def counterexample(self, law: Law, failure: Failure, subject: Subject) -> str:
        """Return a program that shows a failure: it raises what the subject broke."""
        framework, method = subject.framework, subject.method.name
        options = f'framework="{framework.name}"'
        options += f', method="{method}"' if method != "bloop" else ""
        theorem = textwrap.wrap(f"{law.name} ({law.equation}): {law.statement}", 98)
        return "\n".join(
            [
                *(f"# {line}" for line in theorem),
                framework.imports,
                f"from bloop_proofs import {', '.join(sorted({*self.helpers, 'replay'}))}",
                *self.lines,
                failure.case.code(framework),
                f'replay("{law.name}", step, case, {options})',
            ]
        )


def source_of(step: Any) -> Source:
    """Return the source of a callable, as far as it can be told."""
    return replace(_source_of(step), location=_location(step))


def _location(step: Any) -> str:
    """Return the file and line of a callable, the file from here where it lies below."""
    try:
        found = inspect.unwrap(step)
        found = found if inspect.isroutine(found) or inspect.isclass(found) else type(found)
        path, (_, line) = Path(inspect.getsourcefile(found) or ""), inspect.getsourcelines(found)
    except (TypeError, OSError, ValueError):
        return ""
    here = Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{max(line, 1)}"


def _source_of(step: Any) -> Source:
    source = getattr(step, "__bloop_source__", None)
    if isinstance(source, Source):
        return source
    module = getattr(step, "__module__", None)
    name = getattr(step, "__name__", type(step).__name__)
    if module != "__main__" and getattr(sys.modules.get(str(module)), name, None) is step:
        as_step = "" if name == "step" else " as step"
        return Source(f"{module}:{name}", (f"from {module} import {name}{as_step}",))
    in_scope = "" if name == "step" or not name.isidentifier() else f"step = {name}  "
    return Source(name, (f"{in_scope}# {name} must be in scope here",))


def load(spec: str) -> Step:
    """Return the callable that ``MODULE:NAME`` or ``FILE.py:NAME`` names.

    Raises ``LoadError`` with one line that says what is missing.
    """
    where, _, name = spec.rpartition(":")
    if not where or not name:
        raise LoadError(f"a subject must be given as MODULE_OR_FILE:CALLABLE; found {spec!r}")
    target: Any = _module(where)
    for part in name.split("."):
        if not hasattr(target, part):
            raise LoadError(f"{where} must define {name}; found no such name in it")
        target = getattr(target, part)
    if not callable(target):
        raise LoadError(f"{spec} must be callable; found {type(target).__name__}")
    return _Named(target, spec)


class _Named:
    """A callable that knows by what name it was loaded."""

    def __init__(self, target: Step, spec: str) -> None:
        self._target = self.__wrapped__ = target
        self.__bloop_source__ = Source(spec, (f"step = load({spec!r})",), ("load",))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._target(*args, **kwargs)


def _module(where: str) -> Any:
    """Import a module by name or a file by path; both may import what lies beside them."""
    path = Path(where)
    is_file = path.suffix == ".py" or os.sep in where
    if is_file and not path.is_file():
        raise LoadError(f"no such file: {where}")
    folder = str(path.resolve().parent) if is_file else os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return _file(path) if is_file else importlib.import_module(where)
    except LoadError:
        raise
    except ModuleNotFoundError as error:
        raise LoadError(f"cannot import {where}: no module named {error.name!r}") from error
    except (Exception, SystemExit) as error:
        line = " ".join(str(error).split())
        raise LoadError(f"cannot import {where}: {type(error).__name__}: {line}") from error


def _file(path: Path) -> Any:
    """Run a file as a module; it is found by its name then, as dataclasses require."""
    name = path.stem if path.stem not in sys.modules else str(path.resolve())
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path} must be a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
