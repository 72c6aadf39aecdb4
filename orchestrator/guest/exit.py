"""How a guest ends: three watchers, the console, QEMU's events and the QEMU process, and the judge of their signs.

Whichever speaks first ends every wait. For a moment more the console is read on, so that an oops is there as a
whole, and so that it beats the 'reset' and 'connection lost' that race with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import KernelError
from orchestrator.guest import console
from orchestrator.host import process
from orchestrator.parse import printk

_TICK = 0.02
_QUIET = 0.6
"""Seconds without a new line after which a panicked guest that does not exit has said all."""
_LONGEST = 3.0
"""Seconds that the last words may take."""


class Hung(KernelError):
    """A guest did not come up in time, and did not say why."""


class Kind(enum.Enum):
    """What ended a guest."""

    PANIC = "panic"
    RESET = "reset"
    POWEROFF = "poweroff"
    STOPPED = "stopped"
    KILLED = "killed"

    @property
    def blames_kernel(self) -> bool:
        """Whether the guest did it, and not QEMU or the host."""
        return self in {Kind.PANIC, Kind.RESET, Kind.POWEROFF}


@dataclass(frozen=True)
class Death:
    """How a guest ended: ``line`` says it in words, ``when`` is in seconds after QEMU was started."""

    kind: Kind
    line: str
    when: float


@dataclass(frozen=True)
class Signs:
    """What the watchers saw. ``shutdown`` and ``stopped`` are the reasons that QEMU gave."""

    fatal: str | None = None
    panicked: bool = False
    shutdown: str | None = None
    stopped: str | None = None
    exit_code: int | None = None

    @property
    def any(self) -> bool:
        """Whether any watcher spoke."""
        return self != Signs()


def judge(signs: Signs) -> tuple[Kind, str]:
    """Return what ended the guest, and in words. What the kernel says comes before what QEMU saw of it."""
    if signs.fatal is not None:
        return Kind.PANIC, signs.fatal
    if signs.panicked:
        return Kind.PANIC, "the kernel panicked, and the console does not say why"
    if signs.stopped is not None:
        return Kind.STOPPED, f"QEMU stopped the guest: {signs.stopped}"
    if signs.shutdown == "guest-reset":
        return Kind.RESET, "the guest reset itself with no word on the console (triple fault, or reboot)"
    if signs.shutdown in {"guest-shutdown", "guest-panic"}:
        return Kind.POWEROFF, "the guest powered off"
    return Kind.KILLED, _end_of_qemu(signs)


def _end_of_qemu(signs: Signs) -> str:
    if signs.shutdown == "host-signal":
        return "QEMU was ended from outside by a signal"
    if signs.exit_code is not None and signs.exit_code < 0:
        return f"QEMU was killed by signal {-signs.exit_code}"
    return f"QEMU ended with exit code {signs.exit_code}"


class Watch:
    """Watch one guest from a thread of its own; others wait here for a line, or for the end."""

    def __init__(self, follower: console.Follower, is_fatal: Callable[[str], bool]) -> None:
        self._follower = follower
        self._is_fatal = is_fatal
        self._changed = threading.Condition()
        self._signs = Signs()
        self._markers: dict[str, str] = {}
        self._at_end: list[Callable[[], None]] = []
        self._leave = threading.Event()
        self.started = time.monotonic()
        self.grew = self.started
        """When the console last grew, on the monotonic clock."""
        self.last_line = ""
        self.death: Death | None = None

    @contextlib.contextmanager
    def running(self, qemu: process.Child) -> Iterator[Watch]:
        """Watch while the block runs."""
        thread = threading.Thread(target=self._run, args=(qemu,), name="guest-watch", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._leave.set()
            thread.join()

    def on_event(self, name: str, data: dict[str, Any]) -> None:
        """Take an event of QEMU's monitor, from any thread."""
        if name == "GUEST_PANICKED":
            self._note(panicked=True)
        elif name == "SHUTDOWN":
            self._note(shutdown=str(data.get("reason", "unknown")))
        elif name == "RESET" and data.get("guest"):
            self._note(shutdown="guest-reset")
        elif name == "STOP":
            self._note(stopped="it could not go on (its log may say why)")

    def wait(self, until: Callable[[], bool], deadline: process.Deadline) -> bool:
        """Wait until something holds, the guest is dead or time is up; return whether it holds."""
        with self._changed:
            while not until() and self.death is None and not deadline.expired:
                self._changed.wait(min(deadline.remaining, 1.0))
            return until()

    def marker(self, name: str) -> str | None:
        """Return the first console message that is the marker of init of that name."""
        return self._markers.get(name)

    def at_end(self, action: Callable[[], None]) -> None:
        """Have something done when the guest dies; at once where it is dead."""
        with self._changed:
            self._at_end.append(action)
            dead = self.death is not None
        if dead:
            action()

    def _note(self, **signs: Any) -> None:
        with self._changed:
            self._signs = dataclasses.replace(self._signs, **signs)
            self._changed.notify_all()

    def _run(self, qemu: process.Child) -> None:
        while not self._leave.is_set():
            self._look(qemu, self._follower.read())
            if self._signs.any:
                self._bury(qemu)
                return
            self._leave.wait(_TICK)

    def _look(self, qemu: process.Child, lines: list[str]) -> None:
        code = qemu.poll()
        if code is not None:
            self._note(exit_code=code)
        if lines:
            with self._changed:
                self.grew = time.monotonic()
                for line in lines:
                    self._take(line)
                self._changed.notify_all()

    def _take(self, line: str) -> None:
        text = printk.message(line).strip()
        self.last_line = text or self.last_line
        if marker := console.marker(text):
            self._markers.setdefault(marker, text)
        if self._signs.fatal is None and self._is_fatal(line):
            self._signs = dataclasses.replace(self._signs, fatal=text)

    def _await_reason(self, deadline: process.Deadline) -> None:
        with self._changed:
            while self._signs.shutdown is None and not deadline.expired:
                self._changed.wait(deadline.remaining)

    def _bury(self, qemu: process.Child) -> None:
        end = process.Deadline.after(_LONGEST)
        self.grew = time.monotonic()
        while qemu.poll() is None and not end.expired and time.monotonic() - self.grew < _QUIET:
            self._look(qemu, self._follower.read())
            self._leave.wait(_TICK)
        process.kill_group(qemu, _QUIET)
        if qemu.returncode == 0:  # QEMU said why before it went, perhaps in an event that is still on its way
            self._await_reason(process.Deadline.after(_QUIET))
        self._look(qemu, self._follower.drain())
        with self._changed:
            self.death = Death(*judge(self._signs), time.monotonic() - self.started)
            actions = list(self._at_end)
            self._changed.notify_all()
        for action in actions:
            action()
