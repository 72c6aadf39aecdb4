"""Which lines of a kernel with CONFIG_GCOV_KERNEL ran: its own counters, fetched from a guest and read by gcov (gcc).

They count from boot on, whatever ran: what is known of a line is that a guest ran it, and not in which test. Notes are
made by the tree under test, and counters come from its guest. gcov, and what reads its output, run in a cage: there
this module is a program, which takes a request (of ``read``) and prints what ``Counted`` holds.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import InfraError
from orchestrator.guest.machine import Guest
from orchestrator.host import process, scratch
from orchestrator.host.process import Bounds, Cage, Deadline, sandbox
from orchestrator.kbuild import line_table
from orchestrator.kbuild.line_table import Place

FILE = "gcov.tar.gz"
"""The counters of a guest, beside its console."""
SECONDS = 600.0
"""How long fetching and reading may take each: a kernel has a thousand objects, and this host may be busy."""

_NAMES, _FETCHED = "/tmp/gcov-names", f"/tmp/{FILE}"
_NOTES, _DATA = ".gcno", ".gcda"
_MOST = 64 * 2**20
"""Bytes of the counters of one object."""
# The files of debugfs have no size, so tar would take none of them.
_FETCH = f"""
grep -qs '^[^ ]* /sys/kernel/debug ' /proc/mounts || mount -t debugfs none /sys/kernel/debug
cd /sys/kernel/debug/gcov && rm -rf /tmp/gcov && mkdir /tmp/gcov || exit
find . -type f -name '*{_DATA}' | grep -F -f {_NAMES} | while read -r file; do
	mkdir -p "/tmp/gcov/${{file%/*}}" && cat "$file" >"/tmp/gcov/$file"
done
tar -C /tmp/gcov -czf {_FETCHED} . && rm -r /tmp/gcov
"""


@dataclass(frozen=True)
class Counted:
    """The wanted lines that have counters, and those of them that ran."""

    code: frozenset[Place]
    ran: frozenset[Place]


def objects(notes: Path, files: Iterable[str]) -> tuple[str, ...]:
    """Return the objects that have lines of these source files, as ``mm/shmem``. Raises OSError."""
    names = [name.encode() for name in files]
    return tuple(
        str(path.relative_to(notes).with_suffix(""))
        for path in sorted(notes.rglob(f"*{_NOTES}"))
        if (data := path.read_bytes()) and any(name in data for name in names)
    )


def fetch(guest: Guest, wanted: Iterable[str], directory: Path, deadline: Deadline) -> None:
    """Copy the counters of these objects from a guest into the folder that is its. Raises PipelineError."""
    names = directory / "gcov-names"
    names.write_text("".join(f"/{name}{_DATA}\n" for name in wanted))
    guest.put(names, _NAMES, deadline=deadline)
    done = guest.run(_FETCH, deadline=deadline)
    if done.exit_code != 0:
        raise InfraError(f"no counters come from the guest: {done.stdout.strip()[-200:] or done.why}")
    guest.get(_FETCHED, directory / FILE, deadline=deadline)


def read(notes: Path, counters: Path, wanted_objects: Iterable[str], lines: Mapping[str, Iterable[int]]) -> Counted:
    """Return what is known of lines, by file, after the guest with these counters. Raises InfraError."""
    request = {
        "notes": str(notes),
        "archive": str(counters),
        "objects": list(wanted_objects),
        "lines": {name: sorted(numbers) for name, numbers in lines.items()},
    }
    done = process.run(
        [sys.executable, "-P", "-m", __name__],
        input_text=json.dumps(request),
        deadline=Deadline.after(SECONDS),
        env={"PYTHONPATH": sandbox.python_path()},
        cage=Cage(readable=(notes, counters, *sandbox.python()), bounds=Bounds(memory=8 * 2**30)),
        check=False,
    )
    if not done.ok:
        why = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise InfraError(f"the counters of this guest cannot be read: {why}")
    try:
        raw = json.loads(done.stdout)
        return Counted(_places(raw["code"]), _places(raw["ran"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InfraError("no lines can be read of this guest's counters") from error


def _places(raw: Iterable[tuple[object, Any]]) -> frozenset[Place]:
    return frozenset((str(name), int(number)) for name, number in raw)


def rows(document: Mapping[str, Any], wanted: Mapping[str, frozenset[int]]) -> Iterator[tuple[Place, bool]]:
    """Yield each wanted line of a document of gcov, and whether it ran. Pure."""
    for file in document["files"]:
        name = line_table.in_tree("", file["file"])
        numbers = wanted.get(name, frozenset())
        for line in file["lines"]:
            if line["line_number"] in numbers:
                yield (name, line["line_number"]), line["count"] > 0


def _unpacked(archive: str, notes: Path, names: frozenset[str], to: Path) -> Iterator[str]:
    """Put counters beside their notes; yield the names of both, as gcov is given them."""
    known = frozenset(str(path.relative_to(notes).with_suffix("")) for path in notes.rglob(f"*{_NOTES}"))
    with tarfile.open(archive) as opened:
        for member in opened:
            name = _object(member.name, known)
            if name not in names or not (
                member.isreg() and member.size <= _MOST and (data := opened.extractfile(member))
            ):
                continue
            target = to / f"{name}{_DATA}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data.read(_MOST))
            shutil.copyfile(notes / f"{name}{_NOTES}", target.with_suffix(_NOTES))
            yield f"{name}{_DATA}"


def _object(path: str, known: Collection[str]) -> str:
    """Return the object of which a file in a guest holds the counters: its path ends so.

    ``arch/x86/kernel/ptrace`` ends as ``kernel/ptrace`` does: the longest is meant. Empty where none is known.
    """
    parts = path.removesuffix(_DATA).split("/")
    ends = ("/".join(parts[first:]) for first in range(len(parts)))
    return next((end for end in ends if end in known), "")


def _of_guest(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what gcov says of each object."""
    with scratch.folder() as folder:
        names = list(_unpacked(request["archive"], Path(request["notes"]), frozenset(request["objects"]), folder))
        if not names:
            sys.exit("it left none of the changed lines")
        for name in names:  # each by itself: what gcov says of one has megabytes
            done = process.run(["gcov", "--json-format", "--stdout", name], cwd=folder, check=False)
            if not done.ok:
                sys.exit("; ".join(["gcov", *done.stderr.split("\n")[:2], f"exit code {done.returncode}"]))
            yield json.loads(done.stdout)


def _main() -> None:
    request = json.load(sys.stdin)
    wanted = {name: frozenset(numbers) for name, numbers in request["lines"].items()}
    seen: dict[Place, bool] = {}
    for document in _of_guest(request):
        for place, is_run in rows(document, wanted):
            seen[place] = seen.get(place, False) or is_run
    json.dump({"code": sorted(seen), "ran": sorted(place for place, is_run in seen.items() if is_run)}, sys.stdout)


if __name__ == "__main__":
    _main()
