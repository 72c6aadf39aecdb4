"""What commands print, and how they read a file that is named on the command line."""

from __future__ import annotations

import contextlib
import json as jsonlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli import screen, tables
from orchestrator.cli.options import JsonOption, QuietOption, VerboseOption
from orchestrator.cli.screen import Screen
from orchestrator.cli.terminal import Terminal
from orchestrator.config import locate
from orchestrator.errors import UserError
from orchestrator.host import scratch
from orchestrator.progress import Minor
from orchestrator.text import packed, textfile

if TYPE_CHECKING:
    from orchestrator.config.schema import Pipeline
    from orchestrator.model import RunResult


class Plain:
    """Progress as plain lines on standard error, for commands that hand the terminal over."""

    def note(self, text: str) -> None:
        """Print a line, but none of those that only ``-v`` shows elsewhere."""
        if not isinstance(text, Minor):
            Screen(stderr=True).line(text)

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Show nothing: there are no bars here."""
        del what, done, total, left


def terminal(*, values: bool, verbose: bool = False, quiet: bool = False) -> Terminal:
    """Return progress for a terminal; ``values`` keeps standard output free for them."""
    return Terminal(Screen(stderr=values), verbose=verbose, quiet=quiet)


def pipeline(named: Path | None, *, quiet: bool = False) -> Pipeline:
    """Load the pipeline file that a command means, and say which one that is. Raises as ``loader.load``."""
    from orchestrator.config import loader

    located = locate.pipeline_file(named)
    loaded = loader.load(located.path)
    if not quiet:
        screen.complain(f"pipeline  {located.path} ({located.place})")
    return loaded


@dataclass(frozen=True)
class Shown:
    """How a command shows what it does and what came of it: as values, at length, or the verdict alone."""

    as_json: JsonOption = False
    verbose: VerboseOption = False
    quiet: QuietOption = False

    def terminal(self) -> Terminal:
        """Return progress for a terminal."""
        return terminal(values=self.as_json, verbose=self.verbose, quiet=self.quiet)

    def pipeline(self, named: Path | None) -> Pipeline:
        """Load the pipeline file that a command means. Raises as ``loader.load``."""
        return pipeline(named, quiet=self.as_json or self.quiet)

    def result(self, done: RunResult, *, every_test: bool = False) -> None:
        """Print what came of a run: the values, the verdict alone, or the tables."""
        if self.as_json:
            from orchestrator.report import result_json

            Screen().document(result_json.dump(done))
        elif self.quiet:
            tables.show_verdict(done, Screen())
        else:
            tables.show(done, Screen(), every_test=every_test)


def own_tree(
    config: Path | None, pipeline: Pipeline, tree: str | None, series: str | None, base: str | None = None
) -> Path | None:
    """Return the kernel tree that the user works in, where it is what a command means.

    That is so unless another tree is named, or a series of the pipeline file; and without a series or a base only where
    no pipeline file was written for this folder, which says itself what is tested.
    """
    if tree is not None or series in pipeline.series:
        return None
    if series is None and base is None and locate.pipeline_file(config).is_named:
        return None
    return locate.kernel_tree(Path())


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Import what only some commands need. Raises UserError where that extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install '.[{name}]' in a checkout") from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Path]:
    """Read a file inside the block, or what is packed in it. Raises UserError where it cannot be read."""
    try:
        if (data := _content(path)) is None:
            yield path
            return
        with scratch.folder() as folder:
            (folder / "content").write_bytes(data)
            yield folder / "content"
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def _content(path: Path) -> bytes | None:
    """Return what is in a file that is packed, or in a pipe, which is read once; None for any other file."""
    with path.open("rb") as file:
        head = file.read(8)
        if path.is_file() and not packed.is_packed(head):
            return None
        data = packed.unpacked(str(path), head + file.read(textfile.MOST + 1), textfile.MOST + 1)
    if len(data) > textfile.MOST:
        raise UserError(f"{path}: larger than {textfile.MOST} bytes")
    return data


def json(value: Any) -> None:
    """Print values as sorted JSON."""

    def plain(item: Any) -> Any:
        if hasattr(item, "model_dump"):
            return item.model_dump(mode="json")
        return getattr(item, "value", None) or str(item)

    Screen().document(jsonlib.dumps(value, indent=2, sort_keys=True, default=plain) + "\n")
