"""Where the code of source lines lies in a vmlinux: its line tables, read by pyelftools.

A vmlinux is made by the tree under test. It is read by a child in a cage, for which this module is a program: it takes
the names of source files on standard input, and prints what ``Lines`` holds.
"""

from __future__ import annotations

import itertools
import json
import posixpath
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.host.process import Bounds, Cage, Deadline

SECONDS = 600.0
"""How long reading may take: a kernel has a million rows, and this host may be busy."""

_NO_DEBUG = "the kernel has no debug information (debug_info in pipeline.yaml)"
_EXECUTABLE = 4  # SHF_EXECINSTR

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
    package = Path(__file__).parents[1]
    homes = (Path(folder) for folder in {sys.prefix, sys.base_prefix})
    readable = (vmlinux, package, *(home for home in homes if not home.is_relative_to("/usr")))
    request = json.dumps(
        {"lines": {name: sorted(lines) for name, lines in wanted.items()}, "functions": list(functions)}
    )
    done = process.run(
        [sys.executable, "-P", "-m", __name__, vmlinux],
        input_text=request,
        deadline=Deadline.after(SECONDS),
        env={"PYTHONPATH": str(package.parent)},
        cage=Cage(readable=readable, bounds=Bounds(memory=8 * 2**30)),
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


def _rows(program: Any, wanted: Mapping[str, frozenset[int]]) -> Iterator[tuple[int, int, Place]]:
    """Yield the stretches of wanted lines in one line program: each row counts up to the next address.

    Of several rows at one address those count that begin a statement, and the last.
    """
    names = _names(program.header)
    if wanted.keys().isdisjoint(names.values()):
        return
    here: list[Place] = []
    last: tuple[int, Place | None, bool] = (0, None, True)
    for state in (entry.state for entry in program.get_entries() if entry.state is not None):
        address, place, begins = last
        if place and (begins or state.address > address):
            here.append(place)
        if state.address > address:
            yield from ((address, state.address, place) for place in here)
            here = []
        if state.end_sequence:
            here = []
        name = names.get(state.file, "")
        place = (name, state.line) if state.line in wanted.get(name, ()) else None
        last = (state.address, None if state.end_sequence else place, bool(state.is_stmt))


def _names(header: Any) -> dict[int, str]:
    """Return the files of a line program by their number, which counts from 0 in DWARF 5, and from 1 before."""
    first = 0 if header["version"] >= 5 else 1
    folders = [folder.decode(errors="replace") for folder in header["include_directory"]]
    folders = ["", *(folders[1:] if first == 0 else folders)]  # the first is where the compiler ran
    names = {}
    for number, entry in enumerate(header["file_entry"], first):
        folder = folders[entry["dir_index"]] if entry["dir_index"] < len(folders) else ""
        names[number] = in_tree(folder, entry["name"].decode(errors="replace"))
    return names


def _text(elf: Any) -> list[tuple[int, int]]:
    """Return where the code of a kernel lies. What the linker dropped has its lines at address 0."""
    sections = [section for section in elf.iter_sections() if section["sh_flags"] & _EXECUTABLE]
    return [(s["sh_addr"], s["sh_addr"] + s["sh_size"]) for s in sections if s["sh_addr"]]


def _main(vmlinux: str) -> None:
    from elftools.elf.elffile import ELFFile

    request = json.load(sys.stdin)
    wanted = {name: frozenset(lines) for name, lines in request["lines"].items()}
    with Path(vmlinux).open("rb") as file:
        elf = ELFFile(file)
        if not elf.has_dwarf_info(strict=True):
            sys.exit(_NO_DEBUG)
        dwarf = elf.get_dwarf_info(relocate_dwarf_sections=False)
        programs = (dwarf.line_program_for_CU(unit) for unit in dwarf.iter_CUs())
        text = _text(elf)
        rows = (row for program in programs if program for row in _rows(program, wanted))
        pieces = list(cut(row for row in rows if any(start <= row[0] < end for start, end in text)))
        symtab: Any = elf.get_section_by_name(".symtab")
        matches = (symtab.get_symbol_by_name(name) for name in request["functions"]) if symtab else ()
        symbols = {symbols[0].name: symbols[0]["st_value"] for symbols in matches if symbols}
    json.dump({"pieces": pieces, "symbols": symbols}, sys.stdout)


if __name__ == "__main__":
    _main(sys.argv[1])
