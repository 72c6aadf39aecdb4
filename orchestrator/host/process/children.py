"""A child and its group, from its start to its end."""

from __future__ import annotations

import contextlib
import contextvars
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from orchestrator.errors import Cancelled, InfraError
from orchestrator.host.process.namespaces import full_argv
from orchestrator.host.process.sandbox import Cage

Child = subprocess.Popen[bytes]
"""A running child, as ``spawn`` yields it."""

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_YOUNG, _AGAIN = 2.0, 0.1
"""Seconds in which a child hears no SIGTERM for certain, as nothing does while a cage is built; those between two. One
that is older is not sent a second: make goes by that at once, and leaves what is half."""

PIPE = subprocess.PIPE
"""For ``spawn``: connect this end to us."""

_UMASK = 0o022
"""What a child writes others may read: a work tree of git is read by the user of a cage."""

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TERM", "USER", "LOGNAME")


def minimal_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment that children get: no token of ours is in it, and messages are in English."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **(extra or {})}


@dataclass
class ChildGroup:
    """Holds the children of one thread, so that another thread can end them: what they are waited for ends, too."""

    _children: dict[Child, float] = field(default_factory=dict)
    """Those that were not waited for yet, and when each was started."""
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _is_cut: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether the work is not wanted any more."""
        return self._is_cut

    def cut(self) -> None:
        """End every child and its group, as ``kill_group`` does but without waiting; from now on there is no other."""
        with self._guard:
            before, self._is_cut = self._is_cut, True
            for child in () if before else self._children:
                self._end(child)

    def add(self, child: Child) -> None:
        """Take a child on; one that comes too late is ended at once."""
        with self._guard:
            self._children[child] = time.monotonic()
            if self._is_cut:
                self._end(child)

    def remove(self, child: Child) -> None:
        """Let a child go that has ended."""
        with self._guard:
            self._children.pop(child, None)

    def _end(self, child: Child) -> None:
        self._signal(child, signal.SIGTERM)
        threading.Thread(target=self._insist, args=(child, self._children[child]), daemon=True).start()

    def _insist(self, child: Child, started: float) -> None:
        """Signal a child that is still in its cage's making again, and kill one that does not end."""
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + GRACE and child in self._children:
            time.sleep(_AGAIN)
            if now < started + _YOUNG:
                with self._guard:
                    self._signal(child, signal.SIGTERM)
        with self._guard:
            self._signal(child, signal.SIGKILL)

    def _signal(self, child: Child, number: signal.Signals) -> None:
        if child in self._children and child.returncode is None:
            _signal_group(child.pid, number)


_group: contextvars.ContextVar[ChildGroup | None] = contextvars.ContextVar("group", default=None)


def check_wanted() -> None:
    """Raise Cancelled where the group of this thread was cut: what it does now is of no use to anybody."""
    group = _group.get()
    if group and group.is_cut:
        raise Cancelled


def current_group() -> ChildGroup | None:
    """Return the group that holds the children of this thread, if there is one."""
    return _group.get()


def use_group(group: ChildGroup) -> None:
    """Let ``group`` hold every child that this thread starts from now on."""
    _group.set(group)


@contextlib.contextmanager
def spawn(  # noqa: PLR0913 - what Popen takes, and what keeps a child in
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.STDOUT,
    offline: bool = False,
    enclosed: bool = False,
    cage: Cage | None = None,
    descriptors: Sequence[int] = (),
) -> Iterator[Child]:
    """Start a command in a process group of its own; on leaving, whatever still runs of that group is killed.

    An ``offline`` child has no network. An ``enclosed`` one has a process namespace of its own besides, as far as
    this host allows it: with it end all processes that it started, whoever killed it, and however they hide.
    One in a ``cage`` is both, and sees no more than that: whatever the tree under test brings goes there.
    It inherits ``descriptors``, and no other.
    The parent-death signal follows the *thread* that calls this: keep that thread alive inside the block.
    Raises InfraError where the program cannot be started.
    """
    if shutil.which(str(argv[0])) is None:
        raise InfraError(f"{argv[0]} is not installed, or not executable")
    try:
        child = subprocess.Popen(
            full_argv(argv, offline, enclosed, cage),
            cwd=cwd,
            env=minimal_environment() if env is None else dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            umask=_UMASK,
            pass_fds=descriptors,
        )
    except OSError as error:
        raise InfraError(f"cannot start {argv[0]}: {error.strerror or error}") from error
    group = _group.get()
    try:
        if group:
            group.add(child)
        yield child
    finally:
        kill_group(child)
        if group:
            group.remove(child)


def kill_group(child: Child, grace: float = GRACE) -> None:
    """End a child and its group: SIGTERM, then after ``grace`` seconds SIGKILL. Harmless when it is gone."""
    if child.poll() is None:
        _signal_group(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(grace)
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
