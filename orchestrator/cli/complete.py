"""What the shell completes: names of the pipeline file, tests listed before, runs. A fault completes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from orchestrator.config import locate
from orchestrator.errors import PipelineError
from orchestrator.host.cache import Cache

if TYPE_CHECKING:
    from orchestrator.config.schema import Pipeline

Completer = Callable[[str], list[str]]


def _pipeline() -> Pipeline:
    from orchestrator.config import loader

    return loader.load(locate.pipeline_file(None).path)


def _of(names: Callable[[], Iterable[str]]) -> Completer:
    def complete(incomplete: str) -> list[str]:
        try:
            return sorted(name for name in names() if name.startswith(incomplete))
        except (PipelineError, OSError, ValueError):  # a file that is no text
            return []

    return complete


def _tests() -> Iterable[str]:
    """Return every test that a suite of this user ever listed: to build programs takes longer than a keystroke."""
    folder = Cache.default().root / "tests"
    return {line for file in folder.glob("*") for line in file.read_text().splitlines()}


def _runs() -> Iterable[str]:
    return ("last", *(path.parent.name for path in locate.results(None).glob("*/jobs")))


modes = _of(lambda: _pipeline().modes)
variants = _of(lambda: _pipeline().variants)
suites = _of(lambda: _pipeline().suites)
trees = _of(lambda: _pipeline().trees)
series = _of(lambda: _pipeline().series)
tests = _of(_tests)
runs = _of(_runs)
