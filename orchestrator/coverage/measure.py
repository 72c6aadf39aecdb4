"""What a job is traced for, and what its traces come to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from orchestrator.coverage import changed, gcov
from orchestrator.coverage.gcov import Counted
from orchestrator.coverage.windows import Windows
from orchestrator.errors import InfraError
from orchestrator.guest.plugin import trace
from orchestrator.guest.plugin.trace import Trace
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import write_atomic
from orchestrator.kbuild import line_table
from orchestrator.kbuild.line_table import Lines, Place
from orchestrator.model import Kernel, Tree
from orchestrator.model.coverage import Coverage, DiffFile, DiffHunk, DiffLine, LineCoverage, Reach
from orchestrator.progress import Detail, Progress

_LINES = TypeAdapter(Lines)
RECIPE = "1"
"""Part of the name of every table and measurement that is kept: a change of how one is made counts it up."""


@dataclass(frozen=True)
class Subject:
    """What is measured: the diff of a series, where the code of its lines lies, and what its guests are traced for.

    ``trace`` is None where no changed line has code: comments, documentation, what this configuration leaves out.
    """

    files: tuple[DiffFile, ...]
    lines: Lines
    trace: Trace | None


@dataclass(frozen=True)
class Counting:
    """What is measured where the kernel counts: the diff of a series, and the objects that have code of its files."""

    files: tuple[DiffFile, ...]
    notes: Path
    objects: tuple[str, ...]


def prepare(tree: Tree, kernel: Kernel, binary: str, cache: Cache, progress: Progress) -> Subject:
    """Return what to trace in the guests of a patched tree. Raises InfraError with why nothing can be."""
    plugin = trace.build(binary, cache, progress)
    files = changed.read(tree)
    numbers = changed.numbers(files)
    lines = _lines(kernel, numbers, cache, progress)
    if numbers and not lines.pieces and kernel.modules:
        raise InfraError("no changed line has code in the kernel itself, and modules are not seen")
    wanted = Trace(plugin, lines.pieces, lines.symbols.get(trace.WRITER, 0)) if lines.pieces else None
    return Subject(files, lines, wanted)


def counting(tree: Tree, notes: Path) -> Counting:
    """Return what to take from the guests of a patched tree whose kernel counts. Raises InfraError and OSError."""
    files = changed.read(tree)
    return Counting(files, notes, gcov.objects(notes, changed.numbers(files)))


def read(subject: Counting, counters: Path) -> Counted:
    """Return what the guest with these counters ran of the changed lines. Raises InfraError."""
    return gcov.read(subject.notes, counters, subject.objects, changed.numbers(subject.files))


def counted(subject: Counting, guests: Iterable[Counted]) -> LineCoverage:
    """Return what is known of each changed line after these guests. Pure."""
    seen = list(guests)
    code = {place for guest in seen for place in guest.code}
    ran = {place for guest in seen for place in guest.ran}
    return LineCoverage((), _marked(subject.files, code, ran, {}), by_guest=True)


def _lines(kernel: Kernel, wanted: Mapping[str, Sequence[int]], cache: Cache, progress: Progress) -> Lines:
    """Return where lines have their code: from the cache, or of the kernel's line tables, which takes a while."""
    key = digest(RECIPE, kernel.key, json.dumps(wanted, sort_keys=True))
    path = cache.path("coverage", f"{key}.json")
    if path.exists():
        try:
            return _LINES.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            path.unlink(missing_ok=True)
    progress.note(Detail("coverage: reading the line tables of the kernel"))
    lines = line_table.read(kernel.vmlinux, wanted, (trace.WRITER,))
    write_atomic(path, _LINES.dump_json(lines))
    return lines


def merged(subject: Subject, guests: Iterable[Windows]) -> LineCoverage:
    """Return what is known of each changed line after these guests. Pure."""
    seen = list(guests)
    tests = tuple(dict.fromkeys(name for windows in seen for name, bits in windows.tests.items() if bits))
    number = {name: index for index, name in enumerate(tests)}
    by_place: dict[Place, set[int]] = {}
    ran: set[Place] = set()
    for windows in seen:
        for name, bits in windows.tests.items():
            for place in _places(subject.lines, bits):
                by_place.setdefault(place, set()).add(number[name])
        ran.update(_places(subject.lines, windows.outside))
    with_code = {place for places in subject.lines.places for place in places}
    files = _marked(subject.files, with_code, ran, by_place)
    return LineCoverage(tests, files, tuple(dict.fromkeys(name for windows in seen for name in windows.by_program)))


def _marked(
    files: Iterable[DiffFile], with_code: Set[Place], ran: Set[Place], by_place: Mapping[Place, Iterable[int]]
) -> tuple[DiffFile, ...]:
    """Return the diff with what is known of each changed line; ``by_place`` are the tests by number."""

    def line(file: str, old: DiffLine) -> DiffLine:
        if old.mark != "+":
            return old
        place = (file, old.number)
        by = tuple(sorted(by_place.get(place, ())))
        reached = Reach.RAN if by or place in ran else Reach.MISSED
        return replace(old, reach=reached if place in with_code else Reach.NO_CODE, tests=by)

    return tuple(
        DiffFile(f.name, tuple(DiffHunk(h.function, tuple(line(f.name, one) for one in h.lines)) for h in f.hunks))
        for f in files
    )


def _places(lines: Lines, bits: int) -> Iterator[Place]:
    while bits:
        lowest = bits & -bits
        yield from lines.places[lowest.bit_length() - 1]
        bits ^= lowest


def counts(known: LineCoverage, unread: int = 0) -> Coverage:
    """Return the counts, and the lines that did not run, where counters of so many guests are lost. Pure."""
    lines = list(known.changed)
    ran = [(name, line) for name, line in lines if line.reach is Reach.RAN]
    missed = [(name, line) for name, line in lines if line.reach is Reach.MISSED]
    untested = [(name, line) for name, line in ran if not (line.tests or known.by_guest)]
    return Coverage(
        changed=len(lines),
        code=len(ran) + len(missed),
        ran=len(ran),
        outside=len(untested),
        missed=_listed(missed),
        untested=_listed(untested),
        by_guest=known.by_guest,
        unread=unread,
    )


def _listed(lines: Iterable[tuple[str, DiffLine]]) -> tuple[str, ...]:
    return tuple(f"{name}:{line.number}: {line.text.strip()}" for name, line in lines)


_COVERAGE = TypeAdapter(LineCoverage)


def dump(known: LineCoverage) -> str:
    """Return what is known of each line as JSON."""
    return _COVERAGE.dump_json(known).decode() + "\n"


def load(path: Path) -> LineCoverage | None:
    """Read that back; None where there is none, or none that this program can read."""
    try:
        return _COVERAGE.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
