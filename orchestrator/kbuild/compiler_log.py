"""What make printed: objects built, warnings by object, and the first error. Pure.

The log is that of a quiet kernel build (``  CC      mm/shmem.o``) under ``make --output-sync=target``, so that
what a tool says of a target stands right below the target's line.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.host import packages
from orchestrator.model import CompilerWarning

_QUIET = re.compile(r"  (?P<what>[A-Z][A-Z0-9_+-]*)(?: \[M\])? +(?P<target>\S+)")
_COMPILED = re.compile(r"  (?:CC|AS|HOSTCC|LD|AR|VDSO|CPP|RUSTC)(?: \[M\])? +\S")
_WARNINGS = (
    re.compile(r"(?P<where>(?!\.config:)[^\s:]+:\d+)(?::\d+)?: ?[wW]arning: (?P<text>.+)"),
    re.compile(r"(?P<where>[^\s:]+\.o): warning: (?P<text>objtool: .+)"),
    re.compile(r"(?P<where>)(?:\S*/)?ld(?:\.\w+)?: warning: (?P<text>.+)"),
    re.compile(r"(?P<where>)WARN(?:ING)?: (?P<text>(?:modpost|resolve_btfids): .+)"),
    re.compile(r"(?P<where>)WARNING: (?P<text>[^\s:]+: Section mismatch .+)"),  # older modpost
)
_PLACELESS = re.compile(
    r"(?:(?P<tool><command-line>|<built-in>|cc1|\S*\b(?:gcc|clang)(?:-[\d.]+)?)|\{standard input\}(?::\d+)?): "
    r"[wW]arning: (?P<text>.+)"
)
"""What gcc says of the options that most objects share, and the assembler of what came to it through a pipe."""
_UNMET = re.compile(r"WARNING: (?P<text>unmet direct dependencies detected for .+)")
"""What Kconfig says where the tree selects a symbol without what that depends on; no fragment can."""
_ERRORS = (
    re.compile(r"(?:In file included from )?[^\s:]+:\d+:(?:\d+:)? (?:fatal |internal compiler )?error: .+"),
    re.compile(r".*: (?:undefined reference to|multiple definition of|relocation truncated to fit).*"),
    re.compile(r"(?:ERROR|FATAL): .+"),
    re.compile(r"error(?:\[E\d+\])?: .+"),
    re.compile(r"FAILED:? .+|Inconsistent kallsyms data.*"),
    re.compile(r"[^\s:]+\.o: error: objtool: .+"),
    re.compile(r"(?:\S*/)?(?:ld|as)(?:\.\w+)?: (?!.*warning).*(?:cannot find|error|failed|will not fit|overlaps).*"),
    re.compile(r"[^\s:]*Kconfig[^\s:/]*:\d+: ?(?!warning).+"),
    re.compile(r"[^\s:]+: Assembler messages:"),
    re.compile(r"[^\s:]+:\d+: Error: .+"),
    re.compile(r"make(?:\[\d+\])?: \*\*\* No rule to make target .+"),
    re.compile(r"[^\s:]+:\d+: \*\*\* .+"),
)
_MAKE_GAVE_UP = re.compile(r"make(?:\[\d+\])?: \*\*\* \[.+")
KCONFIG, MAKEFILES = "Kconfig", "Makefiles"
_NO_SPACE = "No space left on device"
_KILLED = re.compile(r".*(?:Killed signal terminated program|internal compiler error: Killed).*")
_NOT_FOUND = re.compile(r"(?:.*: )?(?:line \d+: |\d+: )?(?P<tool>[\w.+-]+): (?:command )?not found")
_NO_HEADER = re.compile(r".*fatal error: (?P<header>[\w./-]+): No such file or directory")


@dataclass(frozen=True)
class Folders:
    """The two folders that paths in a log are relative to: make ran in ``out``, the tree is ``source``."""

    source: Path
    out: Path

    def relative(self, path: str) -> str:
        """Return a path as seen from the top of the tree, or of the output folder for a generated file."""
        full = os.path.normpath(self.out / path)
        for top in (self.out, self.source):
            if full.startswith(f"{top}/"):
                return full[len(str(top)) + 1 :]
        return path


Warnings = dict[str, list[CompilerWarning]]
"""Warnings by the target they were printed for, as ``CC mm/shmem.o``; a target built without any is there, empty."""


MOST = 20_000
"""Warnings of one kernel that are kept: a kernel with all its modules has a tenth of them at W=1."""


def compiled(line: str) -> bool:
    """Whether a line of the log says that one more object was built."""
    return _COMPILED.match(line) is not None


def warnings(log: str, folders: Folders) -> Warnings:
    """Return the warnings of a log. Several groups of one target count as one.

    What Kconfig says of the tree's files counts as one target, built anew by each ``olddefconfig``, and what make says
    of Makefiles as another, built anew by each make: it reads them all. What Kconfig says of .config is of no account:
    a fragment that moves a choice is reported so, and ``kconfig.compare`` has the last word.
    """
    by_target: Warnings = {}
    target = ""
    for line in log.splitlines():
        if quiet := _QUIET.match(line):
            target = f"{quiet['what']} {folders.relative(quiet['target'])}"
            by_target.setdefault(target, [])
        elif line.startswith("$ "):
            target = KCONFIG if line.endswith(" olddefconfig") else ""
            by_target.setdefault(target, [])
            by_target.setdefault(MAKEFILES, [])
        elif warning := placeless(line, target.partition(" ")[2]) or _warning(line, folders):
            by_target.setdefault(_read_whole(warning) or target, []).append(warning)
    return by_target


def _read_whole(warning: CompilerWarning) -> str | None:
    """Return the target that stands for all files of a kind, where a warning is of one that is no object's."""
    name = Path(warning.where.partition(":")[0]).name
    if "Kconfig" in name:
        return KCONFIG
    return MAKEFILES if name == "Kbuild" or name.startswith("Makefile") or name.endswith(".mk") else None


def placeless(line: str, target: str) -> CompilerWarning | None:
    """Return the warning of a line that names no file, if it is one. Pure.

    That on options is of no file: the same one is said of each object, and of a new one as well.
    """
    if match := _PLACELESS.fullmatch(line.rstrip()):
        return CompilerWarning("command line" if match["tool"] else target, match["text"])
    return None


def _warning(line: str, folders: Folders) -> CompilerWarning | None:
    if unmet := _UNMET.fullmatch(line.rstrip()):
        return CompilerWarning(KCONFIG, unmet["text"])
    for pattern in _WARNINGS:
        if match := pattern.fullmatch(line.rstrip()):
            path, _, number = match["where"].partition(":")
            where = folders.relative(path) + (f":{number}" if number else "") if path else "link"
            return CompilerWarning(where, match["text"])
    return None


def listed(kept: Mapping[str, list[CompilerWarning]]) -> tuple[CompilerWarning, ...]:
    """Return every warning once, sorted by file and line: a header's warning is printed by each of its users."""
    return tuple(sorted({w for group in kept.values() for w in group}, key=order)[:MOST])


def order(warning: CompilerWarning) -> tuple[str, int, str]:
    """Return by what warnings are sorted: file, line, text."""
    path, _, number = warning.where.partition(":")
    return path, int(number) if number.isdigit() else 0, warning.text


def first_error(log: str, folders: Folders) -> str:
    """Return the line that says why a build failed: the first error of a tool, not the last words of make."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("$ ")]
    for patterns in (_ERRORS, (_MAKE_GAVE_UP,)):
        for number, line in enumerate(lines):
            if any(pattern.fullmatch(line) for pattern in patterns):
                follows = line.endswith("Assembler messages:") and number + 1 < len(lines)
                return _shown(lines[number + 1] if follows else line, folders)
    return _shown(lines[-1], folders) if lines else "make said nothing"


def error_of(name: str, log: str) -> str:
    """Return the line that says why one program of several was not made: an error in its source, else make's word."""
    lines = [line.strip() for line in log.splitlines()]
    at_fault = [line for line in lines if line.startswith(f"{name}.c:") and re.search(r" (?:fatal )?error: ", line)]
    gave_up = [line for line in lines if _MAKE_GAVE_UP.fullmatch(line) and f"/{name}]" in line]
    return next(iter(at_fault + gave_up), "make said nothing of it")


def _shown(line: str, folders: Folders) -> str:
    path, colon, rest = line.partition(":")
    return folders.relative(path) + colon + rest if colon and "/" in path and " " not in path else line


class Host(Protocol):
    """What can be asked of this host when a log blames it: a tree can print what it likes."""

    def is_full(self) -> bool:
        """Whether a disk that the build writes to has no space left."""

    def has_killed(self) -> bool:
        """Whether this host has killed a process for want of memory since the build began."""

    def lacks(self, name: str) -> bool:
        """Whether a tool or a header is not there."""


def host_fault(log: str, host: Host) -> str | None:
    """Return what this host lacks when that, and not the tree, made the build fail; else None."""
    for line in reversed(log.splitlines()):
        if _NO_SPACE in line and host.is_full():
            return "no space left on device"
        if _KILLED.fullmatch(line) and host.has_killed():
            return "the compiler was killed: out of memory"
        for pattern, kind in ((_NOT_FOUND, "tool"), (_NO_HEADER, "header")):
            match = pattern.fullmatch(line.strip())
            if match and match[kind] in packages.PACKAGES and host.lacks(match[kind]):
                return f"{match[kind]} is not installed ({packages.hint(match[kind])})"
    return None
