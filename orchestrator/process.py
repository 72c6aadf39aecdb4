"""The only user of subprocess: argv lists, a deadline, a log file, and one pasteable line a command.

Every child leads a process group of its own and dies with this process: the kernel sends it SIGKILL if
we vanish (``setpriv --pdeathsig``), and a deadline or an exception kills its whole group. An enclosed child takes
all that it started along, whoever killed it.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from orchestrator.errors import InfraError

Child = subprocess.Popen[bytes]
"""A running child, as ``spawn`` yields it."""

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

PIPE = subprocess.PIPE
"""For ``spawn``: connect this end to us."""


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock, handed down instead of a number of seconds that each level would re-arm."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        return time.monotonic() >= self.at

    def capped(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and the one ``seconds`` from now."""
        return Deadline(min(self.at, time.monotonic() + seconds))


FOREVER = Deadline(float("inf"))


@dataclass(frozen=True)
class Completed:
    """A command that ended by itself. ``stdout`` and ``stderr`` are empty where the output went to a log."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command ended with exit code 0."""
        return self.returncode == 0


class CommandFailed(InfraError):
    """A command ended with another code than 0, or was out of time."""

    def __init__(
        self, message: str, *, output: str = "", returncode: int | None = None, log: Path | None = None
    ) -> None:
        super().__init__(message, log=log)
        self.output = output
        self.returncode = returncode


def pasteable(argv: Sequence[str | Path], cwd: Path | None = None) -> str:
    """Return the command as one line that a person can paste into a shell."""
    line = shlex.join(str(a) for a in argv)
    return f"(cd {shlex.quote(str(cwd))} && {line})" if cwd else line


_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TERM", "USER", "LOGNAME")


def minimal_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment that children get: no token of ours is in it, and messages are in English."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **(extra or {})}


_OFFLINE = ("--net",)
_ENCLOSED = ("--net", "--pid", "--kill-child")
_FIRST = ("timeout", "--foreground", "0")
"""The first process of a namespace: it waits for the command and hands signals on. make must not be the first: the
kernel keeps a first process from ending itself by a signal, which is how make ends when it is interrupted."""


@functools.cache
def _unshared(namespaces: tuple[str, ...], *first: str) -> tuple[str, ...]:
    """Return the argv prefix that gives a child namespaces of its own, or nothing where this host does not allow it."""
    for options in ((), ("--map-current-user",)):
        prefix = ("unshare", *options, *namespaces, *first)
        with contextlib.suppress(OSError):
            if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
                return prefix
    return ()


def network_can_be_cut() -> bool:
    """Whether this host lets us start a child without a network."""
    return bool(_unshared(_OFFLINE))


def can_enclose() -> bool:
    """Whether this host lets us start a child whose processes all end with it."""
    return bool(_unshared(_ENCLOSED, *_FIRST))


def _full_argv(argv: Sequence[str | Path], offline: bool, enclosed: bool) -> list[str]:
    guard = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    fence = _unshared(_ENCLOSED, *_FIRST) if enclosed else ()
    return [*guard, *(fence or (_unshared(_OFFLINE) if offline or enclosed else ())), *(str(a) for a in argv)]


@dataclass
class Leash:
    """Holds the children of one thread, so that another thread can end them: what they are waited for ends, too."""

    _children: set[Child] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _is_cut: bool = False

    def cut(self) -> None:
        """End every child and its group with SIGTERM; from now on there will be no other."""
        with self._guard:
            self._is_cut = True
            for child in self._children:
                if child.returncode is None:
                    _signal_group(child.pid, signal.SIGTERM)

    def add(self, child: Child) -> None:
        """Take a child on; one that comes too late is ended at once."""
        with self._guard:
            self._children.add(child)
            if self._is_cut:
                _signal_group(child.pid, signal.SIGTERM)

    def remove(self, child: Child) -> None:
        """Let a child go that has ended."""
        with self._guard:
            self._children.discard(child)


_leash: contextvars.ContextVar[Leash | None] = contextvars.ContextVar("leash", default=None)


def put_on(leash: Leash) -> None:
    """Let ``leash`` hold every child that this thread starts from now on."""
    _leash.set(leash)


@contextlib.contextmanager
def spawn(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.STDOUT,
    offline: bool = False,
    enclosed: bool = False,
) -> Iterator[Child]:
    """Start a command in a process group of its own; on leaving, whatever still runs of that group is killed.

    An ``offline`` child has no network. An ``enclosed`` one has a process namespace of its own besides, as far as
    this host allows it: with it end all processes that it started, whoever killed it, and however they hide.
    The parent-death signal follows the *thread* that calls this: keep that thread alive inside the block.
    Raises InfraError where the program cannot be started.
    """
    if shutil.which(str(argv[0])) is None:
        raise InfraError(f"{argv[0]} is not installed, or not executable")
    try:
        child = subprocess.Popen(
            _full_argv(argv, offline, enclosed),
            cwd=cwd,
            env=minimal_environment() if env is None else dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except OSError as error:
        raise InfraError(f"cannot start {argv[0]}: {error.strerror or error}") from error
    leash = _leash.get()
    try:
        if leash:
            leash.add(child)
        yield child
    finally:
        kill_group(child)
        if leash:
            leash.remove(child)


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


def run(
    argv: Sequence[str | Path],
    *,
    deadline: Deadline = FOREVER,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input_text: str | None = None,
    log: Path | None = None,
    check: bool = True,
    offline: bool = False,
) -> Completed:
    """Run a command to its end.

    With ``log``, the pasteable command line and all output are appended to that file, and ``stdout`` of the
    result is empty. Raises CommandFailed (an InfraError; a caller that knows better turns it into a KernelError)
    when the deadline passes, or when ``check`` is set and the exit code is not 0.
    """
    started, line = time.monotonic(), pasteable(argv, cwd)
    stdin = PIPE if input_text is not None else subprocess.DEVNULL
    with (
        _opened(log, line) as (stdout, stderr),
        spawn(argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, offline=offline) as child,
    ):
        try:
            out, err = _talk(child, input_text, deadline)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"out of time: {line}", log=log) from error
    done = Completed(tuple(str(a) for a in argv), child.returncode, out, err, time.monotonic() - started)
    if check and not done.ok:
        raise _failure(done, line, log)
    return done


@contextlib.contextmanager
def _opened(log: Path | None, line: str) -> Iterator[tuple[int | IO[bytes], int]]:
    """Yield where standard output and error of a command go: a pipe each, or both behind its line in the log."""
    if log is None:
        yield PIPE, PIPE
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        file.write(f"$ {line}\n".encode())
        file.flush()
        yield file, subprocess.STDOUT


def _talk(child: Child, text: str | None, deadline: Deadline) -> tuple[str, str]:
    """Give a child its input and take its output, to its end. Raises subprocess.TimeoutExpired."""
    limit = None if deadline == FOREVER else deadline.remaining
    said = child.communicate(text.encode() if text is not None else None, timeout=limit)
    out, err = ((part or b"").decode(errors="replace") for part in said)
    return out, err


def _failure(done: Completed, line: str, log: Path | None) -> CommandFailed:
    """Return the fault of a command that ended badly, its last line being the reason."""
    output = f"{done.stdout}\n{done.stderr}".rstrip()
    last = output.rpartition("\n")[2].strip()
    why = f"exit code {done.returncode}: {line}" + (f": {last}" if last else "")
    return CommandFailed(why, output=done.stdout + done.stderr, returncode=done.returncode, log=log)


def interact(argv: Sequence[str | Path]) -> int:
    """Run a command that takes the terminal over, with this process's own environment; return its exit code."""
    try:
        return subprocess.run([str(a) for a in argv], check=False).returncode
    except OSError as error:
        raise InfraError(f"cannot start {argv[0]}: {error.strerror or error}") from error
