"""Commands that tell how far they are: what they print is read while they run, and kept."""

from __future__ import annotations

import os
import re
import selectors
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.host import process
from orchestrator.host.process import CommandFailed, Deadline
from orchestrator.progress import Progress

_TICK = 1.0
_GIT = re.compile(r"(?:remote: )?(?P<phase>[A-Z][a-z]+ing [a-z]+): +\d+% \((?P<done>\d+)/(?P<total>\d+)\)")
_APT = re.compile(r"dlstatus:\d+:(?P<percent>\d+(?:\.\d+)?):")

Teller = Callable[[str], None]
"""Takes each line as it comes, and an empty one each second in between."""


def run(
    argv: Sequence[str | Path],
    tell: Teller,
    *,
    env: Mapping[str, str],
    deadline: Deadline,
    cwd: Path | None = None,
    offline: bool = False,
) -> str:
    """Run a command to its end, hand each of its lines to ``tell``, and return all of them.

    A line ends at LF or, as those of git's progress do, at CR. Raises CommandFailed like ``process.run``.
    """
    line = process.pasteable(argv, cwd)
    lines: list[str] = []
    with process.spawn(argv, cwd=cwd, env=env, stdout=process.PIPE, offline=offline) as child:
        assert child.stdout is not None
        for text in _lines(child.stdout.fileno(), deadline, f"out of time: {line}"):
            if text:
                lines.append(text)
            tell(text)
        code = child.wait()
    output = "\n".join(lines)
    if code != 0:
        raise CommandFailed(
            f"exit code {code}: {line}: {lines[-1] if lines else 'no message'}", output=output, returncode=code
        )
    return output


def _lines(source: int, deadline: Deadline, late: str) -> Iterator[str]:
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while True:
            if deadline.expired:
                raise CommandFailed(late)
            if not selector.select(min(_TICK, deadline.remaining)):
                yield ""
                continue
            data = os.read(source, 65536)
            *whole, rest = re.split(rb"[\r\n]+", rest + data)
            yield from (text.decode(errors="replace").strip() for text in whole)
            if not data:
                break
    yield rest.decode(errors="replace").strip()


def git(progress: Progress, what: str) -> Teller:
    """Return what reads the progress of ``git … --progress``; ``what`` names the source."""

    def tell(line: str) -> None:
        if match := _GIT.match(line):
            progress.advance(f"{match['phase'].lower()} of {what}", float(match["done"]), float(match["total"]))

    return tell


def apt(progress: Progress, what: str) -> Teller:
    """Return what reads the progress that apt prints where ``APT::Status-Fd`` points (README.progress-reporting)."""

    def tell(line: str) -> None:
        if match := _APT.match(line):
            progress.advance(what, float(match["percent"]), 100.0)

    return tell


def copying(progress: Progress, what: str, source: Path, target: Path) -> Teller:
    """Return what compares the sizes of two folders: git shows no progress of a copy between folders of one host."""
    total = _size(source)

    def tell(line: str) -> None:
        del line
        progress.advance(what, min(_size(target), total), total)

    return tell


def _size(folder: Path) -> int:
    """Return the bytes of the files under a folder. One that comes or goes meanwhile is not counted."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue
    return total
