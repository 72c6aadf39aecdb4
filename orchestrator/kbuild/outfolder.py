"""What an output folder remembers between builds: its configuration, and the warnings of objects it holds."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from orchestrator.errors import InfraError
from orchestrator.host.cache import digest, write_atomic
from orchestrator.kbuild import compiler_log
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.model import CompilerWarning
from orchestrator.progress import Progress

STATE = ".wpci.json"
LOG = "build.log"


@dataclass(frozen=True)
class Warned:
    """The warnings of one target; ``decided_by`` is a digest of the files that say whether it is built at all."""

    decided_by: str
    warnings: tuple[CompilerWarning, ...]


@dataclass(frozen=True)
class State:
    """What is known of an output folder.

    ``config`` is the stamp of the configuration, ``objects`` counts those built since the last whole kernel,
    ``taken`` is the size of the log when it was last taken in.
    """

    config: str = ""
    objects: int = 0
    taken: int = 0
    warned: Mapping[str, Warned] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[CompilerWarning, ...]:
        """Every warning of the folder's kernel, once."""
        return compiler_log.listed({target: list(w.warnings) for target, w in self.warned.items()})


def load(out: Path) -> State:
    """Read the state of an output folder; a missing or unreadable one is empty."""
    try:
        raw = json.loads((out / STATE).read_text())
        warned = {target: _warned(entry) for target, entry in raw["warned"].items()}
        return State(str(raw["config"]), int(raw["objects"]), int(raw["taken"]), warned)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return State()


def _warned(entry: Any) -> Warned:
    return Warned(str(entry["decided_by"]), tuple(CompilerWarning(*pair) for pair in entry["warnings"]))


def save(out: Path, state: State) -> None:
    """Write the state of an output folder."""
    warned = {
        target: {"decided_by": entry.decided_by, "warnings": [[w.where, w.text] for w in entry.warnings]}
        for target, entry in sorted(state.warned.items())
    }
    raw = {"config": state.config, "objects": state.objects, "taken": state.taken, "warned": warned}
    write_atomic(out / STATE, json.dumps(raw, indent=1, ensure_ascii=False))


def after_log(state: State, log: Path, folders: Folders, *, leftover: bool = False) -> State:
    """Return the state after the builds that a log tells of; what was taken in already changes nothing.

    A ``leftover`` log is of a run that was killed. The tree may have moved since, so that nobody knows which
    Makefiles decided on its objects: those that were warned of are left for make to decide on again.
    """
    raw = log.read_bytes()
    if len(raw) == state.taken:
        return state
    text = raw.decode(errors="replace")
    said = compiler_log.warnings(text, folders)
    now = {t: Warned("" if leftover else _decided_by(t, folders), tuple(found)) for t, found in said.items() if found}
    kept = {target: entry for target, entry in state.warned.items() if target not in said}
    objects = state.objects + sum(map(compiler_log.compiled, text.splitlines()))
    return replace(state, objects=objects, taken=len(raw), warned={**kept, **now})


def without_doubtful(state: State, folders: Folders) -> State:
    """Remove the warned objects that may no longer be part of the kernel, so that make must decide.

    An object that a changed .config or Makefile took out of the build stays in the folder, and so would its
    warnings. Those that are still wanted are compiled again, and say again what they said.
    """
    kept = {t: entry for t, entry in state.warned.items() if entry.decided_by == _decided_by(t, folders)}
    for target in state.warned.keys() - kept.keys():
        path = folders.out / target.partition(" ")[2]
        if path.is_relative_to(folders.out) and path.is_file():
            path.unlink()
    return replace(state, warned=kept)


def _decided_by(target: str, folders: Folders) -> str:
    """Return a digest of .config and of the Makefiles from the target's folder up."""
    files = [folders.out / ".config"]
    for folder in Path(target.partition(" ")[2]).parents:
        files += [folders.source / folder / "Makefile", folders.source / folder / "Kbuild"]
    return digest(*(file for file in files if file.is_file()))


@contextlib.contextmanager
def opened_log(out: Path, progress: Progress) -> Iterator[IO[bytes]]:
    """Open the log that make writes, for appending; it is the lock of the folder as well.

    make and all its children have the log as their output, so the lock is held for as long as any of them lives:
    also by those of a run that was killed and left a part of its make behind.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / LOG).open("ab") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.note(f"waiting for an earlier make that still works in {out}")
                fcntl.flock(log, fcntl.LOCK_EX)
            yield log
    except OSError as error:
        raise InfraError(f"cannot write in {out}: {error.strerror or error}") from error
