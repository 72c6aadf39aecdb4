"""What is remembered of an output folder between builds: whose it is, its configuration, the warnings of its objects.

The folder itself is written by programs of the tree under test. What is remembered lies beside it, where they cannot
write, and of the folder nothing is read or written but through ``beneath``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from orchestrator.errors import InfraError
from orchestrator.host import beneath, disk, seal
from orchestrator.host.cache import digest
from orchestrator.host.disk import remove_tree, write_atomic
from orchestrator.host.process import Deadline, sandbox
from orchestrator.kbuild import compiler_log, make, manifest
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.model import CompilerWarning
from orchestrator.progress import Progress

_MOMENT = 2.0


def log(out: Path) -> Path:
    """Return the log that make writes for an output folder."""
    return _notes(out) / "build.log"


def state(out: Path) -> Path:
    """Return the file of what is remembered of an output folder."""
    return _notes(out) / "state.json"


def layer(out: Path) -> Path:
    """Return the ccache folder of what is built there: nobody else reads it."""
    return _notes(out) / "ccache"


def _notes(out: Path) -> Path:
    return out.with_name(f"{out.name}.notes")


@dataclass(frozen=True)
class Warned:
    """The warnings of one target; ``decided_by`` is a digest of the files that say whether it is built at all."""

    decided_by: str
    warnings: tuple[CompilerWarning, ...]


@dataclass(frozen=True)
class State:
    """What is known of an output folder.

    ``config`` is the stamp of the configuration, ``objects`` counts those built since the last whole kernel,
    ``taken`` is the size of the log when it was last taken in. ``owner`` is whose code ran there, and ``headers`` the
    stamp of the headers that it was made beside (``namesakes``).
    """

    config: str = ""
    objects: int = 0
    taken: int = 0
    warned: Mapping[str, Warned] = field(default_factory=dict)
    owner: str = ""
    headers: str = ""

    @property
    def warnings(self) -> tuple[CompilerWarning, ...]:
        """Every warning of the folder's kernel, once."""
        return compiler_log.listed({target: list(w.warnings) for target, w in self.warned.items()})


def load(out: Path) -> State:
    """Read the state of an output folder; a missing or unreadable one is empty."""
    try:
        raw = seal.unsealed(state(out).read_text())
        warned = {target: _warned(entry) for target, entry in raw["warned"].items()}
        return State(
            str(raw["config"]), int(raw["objects"]), int(raw["taken"]), warned, str(raw["owner"]), str(raw["headers"])
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return State()


def _warned(entry: Any) -> Warned:
    return Warned(str(entry["decided_by"]), tuple(CompilerWarning(*pair) for pair in entry["warnings"]))


def save(out: Path, now: State) -> None:
    """Write the state of an output folder."""
    warned = {
        target: {"decided_by": entry.decided_by, "warnings": [[w.where, w.text] for w in entry.warnings]}
        for target, entry in sorted(now.warned.items())
    }
    kept = {name: getattr(now, name) for name in ("owner", "headers", "config", "objects", "taken")}
    write_atomic(state(out), seal.sealed({**kept, "warned": warned}))


def after_log(state: State, log: Path, folders: Folders, out: Path | None = None) -> State:
    """Return the state after the builds that a log tells of; what was taken in already changes nothing.

    ``out`` is where they left what they built. A log without it is of a run that was killed. The tree may have moved
    since, so that nobody knows which Makefiles decided on its objects: make decides again on those that were warned of.
    """
    size = log.stat().st_size
    if size == state.taken:
        return state
    text = make.output(log)
    fresh = compiler_log.warnings(text, folders)
    now = {
        t: Warned(_decided_by(t, folders.source, out) if out else "", tuple(warnings))
        for t, warnings in fresh.items()
        if warnings
    }
    kept = {target: entry for target, entry in state.warned.items() if target not in fresh}
    objects = state.objects + sum(map(compiler_log.compiled, text.splitlines()))
    return replace(state, objects=objects, taken=size, warned={**kept, **now})


def without_doubtful(state: State, source: Path, out: Path) -> State:
    """Remove the warned objects that may no longer be part of the kernel, so that make must decide.

    An object that a changed .config or Makefile took out of the build stays in the folder, and so would its
    warnings. Those that are still wanted are compiled again, and say again what they said.
    """
    kept = {t: entry for t, entry in state.warned.items() if entry.decided_by == _decided_by(t, source, out)}
    for target in state.warned.keys() - kept.keys():
        beneath.remove(out, target.partition(" ")[2])
    return replace(state, warned=kept)


def _decided_by(target: str, source: Path, out: Path) -> str:
    """Return a digest of .config and of the Makefiles from the target's folder up."""
    names = [f"{folder}/{name}" for folder in Path(target.partition(" ")[2]).parents for name in ("Makefile", "Kbuild")]
    texts = [beneath.read_if_there(out, ".config"), *(beneath.read_if_there(source, name) for name in names)]
    return digest(*(text for text in texts if text is not None))


@contextlib.contextmanager
def opened_log(out: Path, owner: str, headers: str, progress: Progress) -> Iterator[IO[bytes]]:
    """Open the log of an output folder for appending, and let the folder be ``owner``'s; the log is its lock as well.

    What another owner left there is removed: an object, or its time, may have been made up. So is what was made beside
    other headers than those of the stamp ``headers``, where their names leave a choice. make and all its children have
    the log as their output, so the lock is held for as long as any of them lives.
    """
    try:
        with locked(log(out), progress) as file:
            _hand_over(out, State(owner=f"{owner or 'trusted'} {sandbox.user()}", headers=headers))
            if damaged := manifest.mend(out, _notes(out)):
                what = "are not what make left there, or of a time that is yet to come"
                progress.note(f"{damaged} files in {out} {what}, and are made again")
            manifest.begin(_notes(out))
            with _recorded(out):
                yield file
    except OSError as error:
        raise InfraError(f"cannot write in {out}: {error.strerror or error}") from error


@contextlib.contextmanager
def _recorded(out: Path) -> Iterator[None]:
    """Write down what is in the folder when make has come to its end, well or not: an interrupted one cleans up."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(InfraError, OSError):
            manifest.record(out, _notes(out))
        raise
    manifest.record(out, _notes(out))


@contextlib.contextmanager
def locked(path: Path, progress: Progress) -> Iterator[IO[bytes]]:
    """Open a log for appending, once no other process writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as log:
        moment = Deadline.after(_MOMENT)  # what ended a namespace takes to be gone
        while not disk.locked(log):
            if moment.expired:
                progress.note(f"waiting for an earlier make that still works in {path.parent}")
                disk.wait_for_lock(log)
                break
            time.sleep(0.01)
        yield log


def _hand_over(out: Path, mine: State) -> None:
    was = load(out)
    ours = (was.owner, was.headers) == (mine.owner, mine.headers) and out.is_dir() and not out.is_symlink()
    if not ours or not manifest.is_readable(_notes(out)):
        _begin_anew(out, mine)
    for folder in (out, layer(out)):
        folder.mkdir(parents=True, exist_ok=True)
        sandbox.give(folder)


def _begin_anew(out: Path, mine: State) -> None:
    """Empty an output folder, and note what is true of it from now on."""
    for folder in (out, layer(out)):
        remove_tree(folder)
        folder.mkdir(parents=True)
        sandbox.give(folder)
    manifest.forget(_notes(out))
    log(out).write_bytes(b"")
    save(out, mine)
