"""What programs of the user's own are made from: files and folders, and what a C file includes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.errors import UserError
from orchestrator.host import process
from orchestrator.host.cache import digest
from orchestrator.host.process import Deadline

ELF = b"\x7fELF"
_MOST_SOURCE = 2**20
"""Bytes of a source that is kept."""


@dataclass(frozen=True)
class Sources:
    """The programs of a suite with what they are made from.

    ``include`` are the headers that come first; ``included`` is what each C file includes and is no system's.
    """

    suite: Suite
    include: Path | None
    included: Mapping[Path, Sequence[Path]]

    def contents(self) -> dict[Path, str]:
        """Return the files by their digests, and folders by that of the names in them.

        What has a dot before its name in a folder is not among them: editors and git leave such files, and change them.
        """
        known: dict[Path, str] = {}
        for program in self.suite.programs:
            assert program.file
            made_from = [*files(program.file), *self.included.get(program.file, ())]
            if program.file.is_dir():
                names = (file.relative_to(program.file) for file in made_from)
                made_from = [program.file / name for name in names if not any(p.startswith(".") for p in name.parts)]
                known[program.file] = digest(*map(str, made_from))
            known.update((file, digest(file)) for file in made_from if file.is_file())
        return known

    def keep(self, to: Path) -> None:
        """Copy what the programs are made from: text that a reader of the results can see, and no executable."""
        for program in self.suite.programs:
            for place, file in self.laid_out(program).items():
                data = file.read_bytes() if file.stat().st_size <= _MOST_SOURCE else ELF
                if not data.startswith(ELF):
                    path = to / program.name / place
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)

    def copy(self, program: ProgramConfig, to: Path) -> Path:
        """Copy a program of one file and what it includes; return where that file is in the copy."""
        assert program.file
        placed = self.laid_out(program)
        for place, file in placed.items():
            (to / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to / place)
        return next(place for place, file in placed.items() if file == program.file)

    def laid_out(self, program: ProgramConfig) -> dict[Path, Path]:
        """Return the files of a program, each by where it lies in the folder that holds them all."""
        assert program.file
        if program.file.is_dir():
            return {file.relative_to(program.file): file for file in files(program.file)}
        made_from = (program.file, *self.included.get(program.file, ()))
        # a header outside of the folder is reached by "../": as gcc spells it, whatever is linked where
        places = {Path(os.path.normpath(file.absolute())): file for file in made_from}
        root = os.path.commonpath([place.parent for place in places])
        return {place.relative_to(root): file for place, file in places.items()}


def of(suite: Suite, include: Path | None, deadline: Deadline) -> Sources:
    """Return what a suite is made from, with these headers first; the compiler is asked once for each C file."""
    named = [program.file for program in suite.programs if program.file and is_c(program.file)]
    return Sources(suite, include, {file: _included(file, include, deadline) for file in named})


def is_c(file: Path) -> bool:
    """Whether a program is one C file."""
    return file.suffix == ".c" and file.is_file()


def files(place: Path) -> list[Path]:
    """Return the files of a program: those of linked folders too, which are copied. Raises UserError for a circle."""
    if not place.is_dir():
        return [place]
    inside: list[Path] = []
    for folder, folders, names in os.walk(place, followlinks=True):
        for path in (Path(folder, name) for name in folders):
            if path.is_symlink() and path.resolve() in {parent.resolve() for parent in path.absolute().parents}:
                raise UserError(f"{path} leads to itself")
        inside += (path for path in (Path(folder, name) for name in names) if path.is_file())
    return sorted(inside)


def compiler(include: Path | None) -> tuple[str, ...]:
    """Return what compiles a C file, with these headers first."""
    return ("gcc", "-static", "-pthread", "-O2", *first_headers(include))


def first_headers(include: Path | None) -> tuple[str, ...]:
    """Return the options of the compiler with which these headers come first."""
    return ("-isystem", str(include)) if include else ()


def _included(source: Path, include: Path | None, deadline: Deadline) -> list[Path]:
    """Return the files that a C file includes and that are no system's; none where the compiler will say why.

    A header that is not there is passed over (``-MG``): without ``include``, the tree under test may bring it.
    """
    argv = [*compiler(include), "-MM", "-MG", "-MT", "it", str(source.absolute())]
    done = process.run(argv, deadline=deadline, env=process.minimal_environment(), check=False)
    named = map(Path, _prerequisites(done.stdout)[1:] if done.ok else ())
    return [file for file in named if file.is_absolute() and file.is_file()]


_WORD = re.compile(r"(?:\\.|[^\\\s])+")


def _prerequisites(rule: str) -> list[str]:
    """Return what stands behind the colon of a rule for make. Pure."""
    words: list[str] = _WORD.findall(rule.partition(":")[2].replace("\\\n", " "))
    return [re.sub(r"\\(.)", r"\1", word).replace("$$", "$") for word in words]
