"""Where the code of source lines lies in a vmlinux: its line tables, printed by readelf (binutils).

A vmlinux is made by the tree under test. The tools, and what reads their output, run in a cage: there this module is a
program, which takes the names of source files and then what the tools print, and prints what ``Lines`` holds.
"""

from __future__ import annotations

import itertools
import json
import posixpath
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.host.process import Bounds, Cage, Deadline, sandbox

SECONDS = 600.0
"""How long reading may take: a kernel has a million rows, and this host may be busy."""

_NO_DEBUG = "the kernel has no debug information (debug_info in pipeline.yaml)"
_END, _WHOLE = "wpci: end of part\n", "wpci: whole\n"
_DUMP = f"""
cat
readelf -SW "$1" && echo "{_END.strip()}" && nm "$1" 2>/dev/null && echo "{_END.strip()}" &&
readelf -W --debug-dump=decodedline "$1" 2>/dev/null && echo "{_END.strip()}" && echo "{_WHOLE.strip()}"
"""
"""What is read, behind the request: sections, symbols, line tables."""
_FILE = re.compile(r"(?:CU: )?(?P<name>\S.*):$")
_ROW = re.compile(r" (?P<line>\d+|-) +0x(?P<address>[0-9a-f]+)(?: +\d+)?(?P<begins> +x)?")
_SECTION = re.compile(
    r"\] \S+ +\S+ +(?P<address>[0-9a-f]{16}) [0-9a-f]+ (?P<size>[0-9a-f]+) +\S+ +(?P<flags>[A-Za-z]+) "
)

Place = tuple[str, int]
"""A source file as the tree calls it, and a line."""


@dataclass(frozen=True)
class Lines:
    """``pieces`` are stretches of code, sorted, that do not overlap; ``places`` the lines that each belongs to.

    ``symbols`` are the addresses of functions by name, as far as they are there.
    """

    pieces: tuple[tuple[int, int], ...]
    places: tuple[tuple[Place, ...], ...]
    symbols: Mapping[str, int]


def read(vmlinux: Path, wanted: Mapping[str, Iterable[int]], functions: Sequence[str] = ()) -> Lines:
    """Return where the code of lines lies, by file. Raises InfraError, also where there is no debug information."""
    request = json.dumps(
        {"lines": {name: sorted(lines) for name, lines in wanted.items()}, "functions": list(functions)}
    )
    done = process.run(
        ["sh", "-c", f'{{ {_DUMP} }} | "$2" -P -m "$3"', "sh", vmlinux, sys.executable, __name__],
        input_text=request + "\n",
        deadline=Deadline.after(SECONDS),
        env={"PYTHONPATH": sandbox.python_path()},
        cage=Cage(readable=(vmlinux, *sandbox.python()), bounds=Bounds(memory=8 * 2**30)),
        check=False,
    )
    if not done.ok:
        why = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise InfraError(why if why == _NO_DEBUG else f"the line tables of {vmlinux} cannot be read: {why}")
    try:
        raw = json.loads(done.stdout)
        pieces = tuple((int(start), int(end)) for start, end, _ in raw["pieces"])
        places = tuple(tuple((str(name), int(line)) for name, line in row) for _, _, row in raw["pieces"])
        symbols = {str(name): int(address) for name, address in raw["symbols"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InfraError(f"no line table can be read of {vmlinux}") from error
    return Lines(pieces, places, symbols)


def cut(stretches: Iterable[tuple[int, int, Place]]) -> Iterator[tuple[int, int, tuple[Place, ...]]]:
    """Yield pieces that do not overlap, each with the lines whose stretches cover it. Pure."""
    begin: defaultdict[int, list[Place]] = defaultdict(list)
    end: defaultdict[int, list[Place]] = defaultdict(list)
    for start, stop, place in set(stretches):
        begin[start].append(place)
        end[stop].append(place)
    points = sorted({*begin, *end})
    open_: list[Place] = []
    for point, following in itertools.pairwise(points):
        for place in end[point]:
            open_.remove(place)
        open_ += begin[point]
        if open_:
            yield point, following, tuple(sorted(set(open_)))


def in_tree(directory: str, name: str) -> str:
    """Return a source file as the tree calls it: kbuild calls the tree ``..`` where it builds. Pure."""
    path = posixpath.normpath(posixpath.join(directory, name))
    while path.startswith("../"):
        path = path[3:]
    return path


def rows(dump: Iterable[str], wanted: Mapping[str, frozenset[int]]) -> Iterator[tuple[int, int, Place]]:
    """Yield the stretches of wanted lines, as readelf prints rows: each counts up to the next address. Pure.

    Of several rows at one address those count that begin a statement, and the last.
    """
    name, head, lines, none = "", " ", frozenset[int](), frozenset[int]()
    here: list[Place] = []
    last: tuple[int, Place | None, bool] = (0, None, True)
    for text in dump:
        if match := _FILE.match(text):
            name = in_tree("", match["name"])
            lines, head = wanted.get(name, none), f"{posixpath.basename(name)} "
        if not (lines or here or last[1]) or not (row := _ROW.search(text)):
            continue
        address, (before, place, begins) = int(row["address"], 16), last
        if place and (begins or address > before):
            here.append(place)
        if address > before:
            yield from ((before, address, place) for place in here)
            here = []
        number = int(row["line"]) if row["line"] != "-" else None
        here = [] if number is None else here
        # the first rows of a unit may be of a header that readelf does not name in a line of its own
        is_wanted = number in lines and text.startswith(head)
        last = (address, (name, number) if number and is_wanted else None, bool(row["begins"]))


def _sections(dump: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield where the code of a kernel lies. What the linker dropped has its lines at address 0."""
    for section in filter(None, map(_SECTION.search, dump)):
        start, size = int(section["address"], 16), int(section["size"], 16)
        if start and "X" in section["flags"]:
            yield start, start + size


def _symbols(dump: Iterable[str], functions: Sequence[str]) -> dict[str, int]:
    parts = (line.split() for line in dump)
    return {part[2]: int(part[0], 16) for part in parts if len(part) == 3 and part[2] in functions}


def _part(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines up to the one that ends a part of what the tools print."""
    return itertools.takewhile(lambda line: line != _END, lines)


def _main() -> None:
    request = json.loads(sys.stdin.readline())
    wanted = {name: frozenset(lines) for name, lines in request["lines"].items()}
    dump = iter(sys.stdin)
    text = list(_sections(_part(dump)))
    symbols = _symbols(_part(dump), request["functions"])
    seen = False

    def noted() -> Iterator[str]:
        nonlocal seen
        for line in _part(dump):
            seen = True
            yield line

    inside = (row for row in rows(noted(), wanted) if any(start <= row[0] < end for start, end in text))
    pieces = list(cut(inside))
    if next(dump, "") != _WHOLE:
        sys.exit("readelf did not come to its end")
    if not seen:
        sys.exit(_NO_DEBUG)
    json.dump({"pieces": pieces, "symbols": symbols}, sys.stdout)


if __name__ == "__main__":
    _main()
