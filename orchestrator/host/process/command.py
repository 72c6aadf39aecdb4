"""A command that is run to its end: its output, how it ended, and whose fault that is."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestrator.errors import InfraError
from orchestrator.host.process.children import PIPE, Child, spawn
from orchestrator.host.process.deadline import FOREVER, Deadline
from orchestrator.host.process.sandbox import Cage


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


_FULL = os.strerror(errno.ENOSPC)
_BY_SIGNAL = 128
"""What a shell adds to the number of the signal that ended a command."""


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


def run(  # noqa: PLR0913 - what Popen takes, and what keeps a child in
    argv: Sequence[str | Path],
    *,
    deadline: Deadline = FOREVER,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input_text: str | bytes | None = None,
    log: Path | None = None,
    check: bool = True,
    offline: bool = False,
    cage: Cage | None = None,
) -> Completed:
    """Run a command to its end.

    With ``log``, the pasteable command line and all output are appended to that file, and ``stdout`` of the
    result is empty. Raises CommandFailed (an InfraError; a caller that knows better turns it into a KernelError)
    when the deadline passes, or when ``check`` is set and the exit code is not 0; InfraError where a cage cannot be
    built, whatever ``check`` says.
    """
    started, line = time.monotonic(), pasteable(argv, cwd)
    stdin = PIPE if input_text is not None else subprocess.DEVNULL
    with (
        _opened(log, line) as (stdout, stderr),
        spawn(argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, offline=offline, cage=cage) as child,
    ):
        try:
            out, err = _talk(child, input_text, deadline)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"out of time: {line}", log=log) from error
    done = Completed(tuple(str(a) for a in argv), child.returncode, out, err, time.monotonic() - started)
    if cage and not done.ok:
        check_cage(cage)
    if check and not done.ok:
        raise _failure(done, line, log)
    return done


def check_cage(cage: Cage) -> None:
    """Try a cage in which a command has failed: it is the command's own fault only where the cage itself stands.

    Raises InfraError.
    """
    with spawn(["true"], stdout=PIPE, cage=cage) as child:
        output, _ = child.communicate()
    if child.returncode:
        last = (output or b"").decode(errors="replace").rstrip().rpartition("\n")[2]
        raise InfraError(f"the cage of what the tree brings cannot be built: {last}")


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


def _talk(child: Child, text: str | bytes | None, deadline: Deadline) -> tuple[str, str]:
    """Give a child its input and take its output, to its end. Raises subprocess.TimeoutExpired."""
    limit = None if deadline == FOREVER else deadline.remaining
    output = child.communicate(text.encode() if isinstance(text, str) else text, timeout=limit)
    out, err = ((part or b"").decode(errors="replace") for part in output)
    return out, err


def _failure(done: Completed, line: str, log: Path | None) -> CommandFailed:
    """Return the fault of a command that ended badly: the last line says why, or one that names a full disk."""
    output = f"{done.stdout}\n{done.stderr}".rstrip()
    full = [text for text in done.stderr.splitlines() if _FULL in text][-1:]
    last = (full or [output.rpartition("\n")[2]])[0].strip()
    why = f"exit code {done.returncode}: {line}" + (f": {last}" if last else "")
    return CommandFailed(why, output=done.stdout + done.stderr, returncode=done.returncode, log=log)


def interact(argv: Sequence[str | Path]) -> int:
    """Run a command that takes the terminal over, with this process's own environment; return its exit code.

    Ctrl-C is the command's: at the prompt of a shell it ends a line, and not the session.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)  # other than one that is ignored, the command has its own
    try:
        code = subprocess.run([str(a) for a in argv], check=False).returncode
    except OSError as error:
        raise InfraError(f"cannot start {argv[0]}: {error.strerror or error}") from error
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else _BY_SIGNAL - code
