"""Which tests run the lines of a mutant, as the whole series was seen to run. Pure but for asking git.

A hunk is known by its lines in the tree after its own patch; git says where those are in the whole series. A fault is
made for the whole, of any version of it: its lines are known where their text is what stands there. Nothing is claimed
of a line that a later patch wrote anew, of one that was taken away, and of a declaration.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from orchestrator.model import Tree
from orchestrator.model.coverage import DiffLine, LineCoverage, Reach
from orchestrator.mutation.hunks import Hunk, Kind, is_comment
from orchestrator.series import apply
from orchestrator.trees import repository

_ORIGIN = re.compile(r"^(?P<commit>[0-9a-f]{40}) (?P<line>\d+) (?P<final>\d+)")
_BEGIN = re.compile(r"^@@ -(\d+)")

Spot = tuple[str, int]
"""A line of the whole series: its file, and its number there."""

Origins = Mapping[tuple[str, str, int], int]
"""Where a line is now, by commit, file, and its number there."""


@dataclass(frozen=True)
class Reached:
    """``tests`` run a line of a mutant, those that run fewest lines of the series first. ``never``: nothing does.

    ``only``: no others run what it changes, all of which is code of functions. Tests that work by chance may, another
    time.
    """

    tests: tuple[str, ...] = ()
    never: bool = False
    only: bool = False


UNKNOWN = Reached()


@dataclass(frozen=True)
class Known:
    """What the whole series was seen to run, and where the lines of each of its patches are in it."""

    commits: tuple[str, ...]
    origins: Origins
    coverage: LineCoverage

    @classmethod
    def read(cls, tree: Tree, coverage: LineCoverage) -> Known:
        """Ask git for the origins of all lines of the files that the series changes. Raises InfraError."""
        commits = apply.prefixes(tree)
        places = (place for file in coverage.files for place in _blamed(tree, file.name))
        return cls(commits, {key: line for key, line in places if key[0] in commits[1:]}, coverage)

    def of(self, hunks: Iterable[Hunk]) -> Reached:
        """Return what is known of the lines of some hunks."""
        lines = {(name, line.number): line for name, line in self.coverage.changed}
        taken = list(hunks)
        groups = [group for hunk in taken for group in self._groups(hunk, lines)]
        by = {number for group in groups for line in group if line for number in line.tests}
        reached = [_reached(group) for group in groups]
        never = all(one is not Reach.RAN and one is not None for one in reached) and Reach.MISSED in reached
        sizes = Counter(number for line in lines.values() for number in line.tests)
        tests = tuple(self.coverage.tests[number] for number in sorted(by, key=lambda number: (sizes[number], number)))
        only = all(map(_is_code, taken)) and all(one is Reach.RAN for one in reached)
        return Reached(tests, never, only)

    def _groups(self, hunk: Hunk, lines: Mapping[Spot, DiffLine]) -> Iterator[list[DiffLine | None]]:
        """Yield the lines of a hunk that stand together; None for one of which nothing is known."""
        for places in self._places(hunk):
            yield [lines.get(place) if place else None for place in places] or [None]

    def _places(self, hunk: Hunk) -> Iterator[list[Spot | None]]:
        """Yield where the lines of a hunk that stand together are in the whole series; None for one that is not."""
        if not hunk.patch:
            yield from _of_fault(hunk.diff, self.coverage)
            return
        for taken in groups(hunk.diff):
            now = (self.origins.get((self.commits[hunk.patch], hunk.file, number)) for number in taken)
            yield [(hunk.file, number) if number else None for number in now]


def _of_fault(diff: str, coverage: LineCoverage) -> Iterator[list[Spot | None]]:
    """Yield the lines that stand together by their numbers in the diff of a fault; none where other text stands there.

    A diff that was made for another version applies all the same: git finds its place.
    """
    try:
        files = PatchSet(io.StringIO(diff))
    except (UnidiffParseError, ValueError):
        yield []
        return
    texts = {(file.name, line.number): line.text for file in coverage.files for h in file.hunks for line in h.lines}
    for file in files:
        for part in file:
            old = [(line.source_line_no or 0, line.value.rstrip("\n")) for line in part if line.line_type in " -"]
            fits = all(texts.get((file.path, number), text) == text for number, text in old)
            for taken in groups(str(part)):
                yield [(file.path, number) for number in taken] if fits else []


def _is_code(hunk: Hunk) -> bool:
    """Whether a hunk is of functions that stand in one file: neither a header nor a line of the preprocessor."""
    in_c = hunk.file.endswith(".c") and hunk.kind is Kind.CODE  # a fault may be of several files
    return in_c and not any(line[1:2] == "#" for line in hunk.diff.split("\n") if line[:1] in "+-")


def _reached(group: Sequence[DiffLine | None]) -> Reach | None:
    """Return what is known of lines that stand together; NO_CODE where they are comments; None: nothing."""
    if any(line and line.reach is Reach.RAN for line in group):
        return Reach.RAN
    if any(line is None for line in group):
        return None
    if any(line and line.reach is Reach.MISSED for line in group):
        return Reach.MISSED
    return Reach.NO_CODE if all(line and is_comment(line.text) for line in group) else None


def groups(diff: str) -> Iterator[list[int]]:
    """Yield the numbers of lines that a diff takes away, by those that stand together; none: it only adds. Pure."""
    number = 0
    group: list[int] | None = None
    for line in diff.removesuffix("\n").split("\n"):
        begin = _BEGIN.match(line)
        if line.startswith("\\"):  # "No newline at end of file"
            continue
        if begin or (number and line[:1] not in "+-"):
            if group is not None:
                yield group
            number = int(begin[1]) if begin else number + 1
            group = None
        elif number:  # and not what stands before the first hunk
            group = [] if group is None else group
            if line.startswith("-"):
                group.append(number)
                number += 1
    if group is not None:
        yield group


def _blamed(tree: Tree, file: str) -> Iterator[tuple[tuple[str, str, int], int]]:
    options = ("--porcelain", "--no-progress", f"{tree.base}..{tree.commit}", "--", file)
    for line in repository.git(tree.repository, "blame", *options).split("\n"):
        if match := _ORIGIN.match(line):
            yield (match["commit"], file, int(match["line"])), int(match["final"])
