"""Single objects of a configured tree, compiled to hear what the compiler and sparse say of them.

They have an output folder of their own: the kernel that is kept built beside it sees nothing of their flags.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.errors import InfraError, KernelError
from orchestrator.host import beneath
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.kbuild import compiler_log, kernel, make, outfolder
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.kbuild.host import ThisHost
from orchestrator.kbuild.request import BuildRequest
from orchestrator.model import CompilerWarning
from orchestrator.progress import Progress

GCC, SPARSE = "W=1", "C=2"
"""What make is asked for besides the objects: more warnings; sparse on every object (Documentation/kbuild)."""

NOT_THE_KERNEL = ("tools/", "scripts/", "Documentation/", "samples/", "usr/")
"""Folders whose files are no part of the kernel; below ``tools/`` make would start another build."""

_COMPLAINT = re.compile(r"(?P<where>[^\s:]+:\d+)(?::\d+)?: (?:fatal )?(?P<kind>[wW]arning|error): (?P<text>.+)")
_KERNEL_DOC = re.compile(r"Warning: (?P<where>[^\s:]+:\d+) (?P<text>.+)")
"""Since 6.16, when it became a Python program; before it wrote as the compiler does."""
_DONE = {
    GCC: re.compile(r"  CC (?:\[M\])? +(?P<object>\S+\.o)"),
    SPARSE: re.compile(r"  CHECK +(?P<object>\S+\.c)"),
}
_GROUP = re.compile(r"  [A-Z][A-Z0-9_+-]*(?: \[\w\])? +(?P<name>\S+?)(?:\.[cos])?$")
_USED = re.compile(
    r"\s+inlined from .+ at (?P<caller>[^\s:]+):\d.*|(?P<user>[^\s:]+):\d+(?::\d+)?: note: in expansion of macro .+"
)
"""Where gcc says whose code it is that it complains of in a header: above the complaint, and below it."""
_HEADER = re.compile(r"[^\s:=()]+\.h(?!\S)")
_GAVE_UP = re.compile(r"make(?:\[\d+\])?: \*\*\* \[(?:[^\]]*: )?(?P<target>[^\]\s]+)\] (?P<how>.+)")
_REMARK = re.compile(r"(?:\S*/)?Makefile[\w.]*:\d+: (?!\*\*\*)(?P<text>.+)")
"""What a Makefile says by ``$(warning)``: 7.3 leaves ``C=2`` out so where sparse is older than it wants."""
_UNKNOWN = re.compile(r"make(?:\[\d+\])?: \*\*\* No rule to make target '(?P<object>[^']+)'.*")


@dataclass(frozen=True)
class Diagnostics:
    """The diagnostics of each object. ``absent`` are those that make has no rule for in this configuration and tree.

    ``cut_off`` are those on which the tool did not come to its end: its diagnostics of the rest are not known.
    ``places`` are all files that a complaint is about: its own, and those into which that was inlined or expanded.
    ``included`` are the headers of the objects that were looked at.
    """

    complaints: tuple[CompilerWarning, ...]
    looked_at: tuple[str, ...]
    absent: tuple[str, ...]
    cut_off: tuple[str, ...] = ()
    places: Mapping[CompilerWarning, frozenset[str]] = field(default_factory=dict)
    included: frozenset[str] = frozenset()


def of_files(files: Sequence[str]) -> tuple[str, ...]:
    """Return the objects that C files of the kernel become, sorted. A header becomes none by itself."""
    wanted = {f for f in files if f.endswith(".c") and not f.startswith(NOT_THE_KERNEL)}
    return tuple(sorted(f"{name.removesuffix('.c')}.o" for name in wanted))


def compile_objects(
    request: BuildRequest, objects: Sequence[str], flag: str, cache: Cache, progress: Progress, deadline: Deadline
) -> Diagnostics:
    """Compile the objects anew with ``flag``, and return its diagnostics. The caller holds the tree still.

    Raises KernelError where one does not compile, InfraError where make did not look at one that it knows, or where
    this host kept the tool from its end.
    """
    kernel.check(request, cache, progress, deadline)
    with outfolder.opened_log(request.out, request.owner, request.headers, progress) as log:
        for name in objects:
            beneath.remove(request.out, name)
        begin = Path(log.name).stat().st_size
        host = ThisHost(request.out)
        kernel.run_make(request, ["--keep-going", flag, *objects], cache, log, lambda line: None, deadline)
        output = make.output(Path(log.name), begin)
        missing = {name for name in objects if not beneath.is_file(request.out, name)}
    if request.log:
        request.log.parent.mkdir(parents=True, exist_ok=True)
        request.log.write_text(output)
    try:
        diagnostics = judged(output, objects, flag, request.folders, host, missing)
    except (KernelError, InfraError) as error:
        error.log = request.log or outfolder.log(request.out)
        raise
    return replace(diagnostics, included=_included(diagnostics.looked_at, request))


def _included(objects: Sequence[str], request: BuildRequest) -> frozenset[str]:
    """Return the headers that objects were made of, as kbuild notes them beside each (scripts/basic/fixdep)."""
    headers: set[str] = set()
    for name in map(Path, objects):
        with contextlib.suppress(OSError):
            text = beneath.read(request.out, f"{name.parent}/.{name.name}.cmd")
            headers |= {request.folders.relative(path) for path in _HEADER.findall(text)}
    return frozenset(headers)


def judged(
    output: str,
    objects: Sequence[str],
    flag: str,
    folders: Folders,
    host: compiler_log.Host,
    missing: Collection[str] = (),
) -> Diagnostics:
    """Return the diagnostics that make printed of each object. Raises as ``compile_objects``.

    ``missing`` are the objects that are not in the output folder afterwards.
    """
    diagnostics = read(output, objects, flag, folders, missing)
    lost = sorted(set(objects) - set(diagnostics.looked_at) - set(diagnostics.absent) - set(diagnostics.cut_off))
    if (stopped := [*lost, *diagnostics.cut_off]) and (fault := compiler_log.host_fault(output, host)):
        raise InfraError(f"cannot compile {stopped[0]}: {fault}")
    if not lost:
        return diagnostics
    if any(c.where.partition(":")[0].removesuffix(".c") == lost[0].removesuffix(".o") for c in diagnostics.complaints):
        raise KernelError(f"{lost[0]} does not compile: {compiler_log.first_error(output, folders)}")
    raise InfraError(f"make {flag} did not look at {', '.join(lost)}: {_reason(output, folders)}")


def _reason(output: str, folders: Folders) -> str:
    remarks = (match["text"] for line in output.splitlines() if (match := _REMARK.fullmatch(line.strip())))
    return next(remarks, None) or compiler_log.first_error(output, folders)


def read(
    output: str, objects: Sequence[str], flag: str, folders: Folders, missing: Collection[str] = ()
) -> Diagnostics:
    """Read what make printed (pure)."""
    unknown = {match["object"] for line in output.splitlines() if (match := _UNKNOWN.fullmatch(line.strip()))}
    done = {folders.relative(match["object"]) for line in output.splitlines() if (match := _DONE[flag].match(line))}
    cut_off = _cut_off(output, folders)
    looked_at = {name for name in objects if name in done or f"{name.removesuffix('.o')}.c" in done} - cut_off
    reached = (looked_at | cut_off | unknown).intersection(objects)
    absent = unknown | _passed_over(output, missing, reached, folders)
    places = _places(output, {name.removesuffix(".o") for name in objects}, folders)
    return Diagnostics(
        complaints=tuple(sorted(places, key=compiler_log.order)),
        looked_at=tuple(sorted(looked_at)),
        absent=tuple(name for name in objects if name in absent and name not in looked_at),
        cut_off=tuple(sorted(cut_off.intersection(objects))),
        places=places,
    )


def _passed_over(output: str, missing: Collection[str], reached: Collection[str], folders: Folders) -> set[str]:
    """Return the missing objects that make left out without a word, as 5.10 does below folders that are not built.

    Where make gave up before it reached any object, or on a folder, nothing is known of what lies below.
    """
    failed = {folders.relative(m["target"]) for line in output.splitlines() if (m := _GAVE_UP.fullmatch(line.strip()))}
    if failed and not reached:
        return set()
    return {name for name in missing if failed.isdisjoint((name, *map(str, Path(name).parents)))}


def _cut_off(output: str, folders: Folders) -> set[str]:
    """Return the objects that lack diagnostics: make gave up on them, and not for errors that it printed in full."""
    reported: dict[str, set[str]] = {}
    target, gave_up = "", {}
    for line in output.splitlines():
        if match := _GROUP.match(line):
            target = f"{folders.relative(match['name'])}.o"
        elif match := _COMPLAINT.fullmatch(line.rstrip()):
            reported.setdefault(target, set()).add("fatal" if ": fatal error: " in line else match["kind"])
        elif (match := _GAVE_UP.fullmatch(line.strip())) and match["target"].endswith(".o"):
            gave_up[folders.relative(match["target"])] = match["how"]
    whole = {name for name, kinds in reported.items() if "error" in kinds and "fatal" not in kinds}
    return {name for name, how in gave_up.items() if how != "Error 1" or name not in whole}


def _places(output: str, wanted: Collection[str], folders: Folders) -> dict[CompilerWarning, frozenset[str]]:
    """Return the complaints of the wanted targets, each with the files that it is about.

    What make needs before them is compiled or not as the folder was left, and is nobody's.
    """
    places: dict[CompilerWarning, frozenset[str]] = {}
    target, is_wanted, callers, last = "", True, set[str](), None
    for line in output.splitlines():
        if match := _GROUP.match(line):
            target, callers, last = folders.relative(match["name"]), set(), None
            is_wanted = target in wanted
        elif is_wanted and (complaint := compiler_log.placeless(line, f"{target}.o") or _complaint(line, folders)):
            last, file = complaint, complaint.where.partition(":")[0]
            places[last] = places.get(last, frozenset()) | callers | {file}
            callers = set()
        elif match := _USED.fullmatch(line.rstrip()):
            if match["caller"]:
                callers.add(folders.relative(match["caller"]))
            elif last:
                places[last] |= {folders.relative(match["user"])}
    return places


def _complaint(line: str, folders: Folders) -> CompilerWarning | None:
    for pattern in (_COMPLAINT, _KERNEL_DOC):
        if match := pattern.fullmatch(line.rstrip()):
            path, _, number = match["where"].partition(":")
            error = "error: " if match.groupdict().get("kind") == "error" else ""
            return CompilerWarning(f"{folders.relative(path)}:{number}", error + match["text"])
    return None
