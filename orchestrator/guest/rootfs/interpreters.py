"""What runs the scripts among the tests: the interpreter that each names, and the modules of perl.

An interpreter goes along with its libraries where it needs nothing else, and perl with the modules of perl-base.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.guest.rootfs import elf

_LINE = re.compile(rb"#!\s*/(\S+)[ \t]*(\S*)")
ENV = "usr/bin/env"
"""By this name scripts know the command that looks for their interpreter."""
_WITH_MODULES = re.compile(r"(python|ruby|node|php|tclsh|expect|guile|lua)[\d.]*$")
"""Interpreters that are of no use without a library of modules: tens of MB of it, and nobody knows which of them."""
_USES = re.compile(rb"^\s*(?:use|require)\s+([A-Za-z_]\w*(?:::\w+)*)", re.M)
_END = re.compile(rb"^__(?:END|DATA)__$", re.M)


@dataclass(frozen=True)
class Host:
    """Where this host has what scripts need; ``applets`` are the commands that the guest has of its own."""

    triplet: str
    applets: Collection[str] = ()

    @property
    def perl_modules(self) -> Path:
        """The folder of the modules that go along with perl."""
        return Path("/usr/lib", self.triplet, "perl-base")


def needed_by(scripts: Mapping[str, Path], host: Host) -> dict[str, Path]:
    """Return the files that scripts need besides libraries, by guest path; ``scripts`` are by name.

    Raises UserError, in a line that says why, where one cannot run in the guest.
    """
    files: dict[str, Path] = {}
    for name, path in scripts.items():
        interpreter = _interpreter(path.read_bytes()[:256], host)
        if interpreter is None:
            continue
        program = Path("/", interpreter)
        if why := _obstacle(program):
            raise UserError(f"{name} asks for {program}, {why}")
        files[interpreter] = program.resolve()
        if program.name == "perl":
            files |= _perl(name, path, host)
    return files


def uses_env(scripts: Mapping[str, Path]) -> bool:
    """Whether one of them names its interpreter without a path: ``#!/usr/bin/env bash``."""
    lines = (_LINE.match(path.read_bytes()[:256]) for path in scripts.values())
    return any(line and line[1].decode(errors="replace") == ENV for line in lines)


def _interpreter(head: bytes, host: Host) -> str | None:
    """Return the guest path of what a script names; None where it is no script, or the guest has that of its own."""
    line = _LINE.match(head)
    if line is None:
        return None
    path, word = (part.decode(errors="replace") for part in line.groups())
    if path == ENV:
        return None if word in host.applets else (shutil.which(word) or f"/usr/bin/{word}").lstrip("/")
    return None if path.startswith("bin/") and path.removeprefix("bin/") in host.applets else path


def _obstacle(program: Path) -> str:
    if _WITH_MODULES.match(program.name):
        return "which needs a library of modules besides, and that does not go along: sh, bash, awk and perl do"
    if not program.is_file():
        return "which this host does not have"
    return "" if elf.is_elf(program.read_bytes()[:6]) else "which is a script itself"


def _perl(name: str, script: Path, host: Host) -> dict[str, Path]:
    """Return the modules of perl; a script that uses another one would fail there as the kernel's test."""
    folder = host.perl_modules
    if not folder.is_dir():
        raise UserError(f"{name} asks for perl, and this host has no {folder}, the modules that go along with it")
    text = _END.split(script.read_bytes())[0]
    for module in dict.fromkeys(match.decode() for match in _USES.findall(text)):
        if not (folder / f"{module.replace('::', '/')}.pm").is_file() and not re.fullmatch(r"v?\d*", module):
            raise UserError(f"{name} uses {module}, which is none of the modules that go along with perl ({folder})")
    return {str(path).lstrip("/"): path for path in sorted(folder.rglob("*")) if path.is_file()}
