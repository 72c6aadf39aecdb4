"""Watch a guest: its console, QEMU's events and the QEMU process.

Whichever speaks first ends every wait. For a moment more the console is read on, so that an oops is there as a
whole, and so that it beats the 'reset' and 'connection lost' that race with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.guest import console, exit, protocol
from orchestrator.guest.hold import Holder
from orchestrator.host import process
from orchestrator.parse import printk

_TICK = 0.02
_QUIET = 0.6
"""Seconds without a new line after which a panicked guest that does not exit has printed all."""
_LONGEST = 3.0
"""Seconds that the last words may take."""
_MOST_TEXT = 400
"""Characters of a line that a fault quotes."""


class Watch:
    """Watch one guest from a thread of its own; others wait here for a line, or for the end."""

    def __init__(self, follower: console.Follower, is_fatal: Callable[[str], bool]) -> None:
        self._follower = follower
        self._is_fatal = is_fatal
        # Three threads come here: the watch, QEMU's monitor with its events, and whoever runs a command. The condition
        # guards the signs, the awaited lines and the end; actions of at_end run without it: they are others' code.
        self._changed = threading.Condition()
        self._signs = exit.Signs()
        self._all_events = False
        self._awaited: dict[str, str | None] = {protocol.READY: None, protocol.FAILED: None}
        self._at_end: list[Callable[[], None]] = []
        self._leave = threading.Event()
        self.started = time.monotonic()
        self.grew = self.started
        """When the console last grew, on the monotonic clock."""
        self.last_line = ""
        self.holder: Holder | None = None
        """Has the guest looked at when it dies; None where nobody wants to."""
        self._held = False
        self._late = ""
        self.death: exit.Death | None = None

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
        elif name == "STOP" and not self._held:
            self._note(stopped="it could not go on (its log may say why)")

    def hold(self, held: bool) -> None:
        """Take that we stop the guest, or let it go on: that is no sign of its end."""
        self._held = held

    def look(self, occasion: str) -> None:
        """Have the guest looked at, where anybody wants to."""
        if self.holder:
            self.holder.look(occasion)

    def leave(self) -> None:
        """Have the guest looked at no more, but where it is dead: its end is judged, and must not be delayed."""
        if self.holder:
            self.holder.leave()

    def no_more_events(self) -> None:
        """Take that QEMU's monitor has nothing more to say, from any thread."""
        with self._changed:
            self._all_events = True
            self._changed.notify_all()

    def wait(self, until: Callable[[], bool], deadline: process.Deadline) -> bool:
        """Wait until something holds, the guest is dead or time is up; return whether it holds."""
        with self._changed:
            while not until() and self.death is None and not deadline.expired:
                # a second at most: ``until`` may hold by something that does not notify us
                self._changed.wait(min(deadline.remaining, 1.0))
            return until()

    def expect(self, text: str) -> None:
        """Look out for a message of init that begins so; nothing that came before is it."""
        with self._changed:
            self._awaited[text] = None

    def message(self, text: str) -> str | None:
        """Return the first console message that began so; None where there was none yet."""
        return self._awaited.get(text)

    def at_end(self, action: Callable[[], None]) -> None:
        """Have something done when the guest dies; at once where it is dead."""
        with self._changed:
            self._at_end.append(action)
            dead = self.death is not None
        if dead:  # outside the lock; _conclude took its list before this action was on it, so that it runs once
            action()

    def _note(self, **signs: Any) -> None:
        with self._changed:
            self._signs = dataclasses.replace(self._signs, **signs)
            self._changed.notify_all()

    def _run(self, qemu: process.Child) -> None:
        while not self._leave.is_set():
            self._follow(qemu)
            if self._signs.any:
                self._conclude(qemu)
                return

    def _follow(self, qemu: process.Child) -> None:
        """Take more of the console; wait a moment where there is no more."""
        lines = self._follower.read()
        self._look(qemu, lines)
        if not lines:
            self._leave.wait(_TICK)

    def _look(self, qemu: process.Child, lines: list[str]) -> None:
        # asked after the lines were read: a QEMU that is gone has written all of them, and _conclude drains the rest
        code = qemu.poll()
        if code is not None:
            self._note(exit_code=code)
        if self._follower.flooded:
            self._note(flooded=True)
        if lines:
            with self._changed:
                self.grew = time.monotonic()
                for line in lines:
                    self._take(line)
                self._changed.notify_all()
        if self._late:  # outside the lock: while the guest stands still there is nothing to watch, but others wait
            late, self._late = self._late, ""
            self.look(f"{late} is out of time")

    def _take(self, line: str) -> None:
        text = printk.message(line).strip()[:_MOST_TEXT]
        self.last_line = text or self.last_line
        for awaited, message in self._awaited.items():
            if message is None and text.startswith(awaited):
                self._awaited[awaited] = text
        if text.startswith(protocol.LATE):
            self._late = text.removeprefix(protocol.LATE)
        if self._signs.fatal is None and self._is_fatal(line):
            self._signs = dataclasses.replace(self._signs, fatal=text)

    def _await_events(self, deadline: process.Deadline) -> None:
        with self._changed:
            while not (self._all_events or deadline.expired):
                self._changed.wait(deadline.remaining)

    @property
    def _silent(self) -> bool:
        return time.monotonic() - self.grew >= _QUIET

    def _conclude(self, qemu: process.Child) -> None:
        self.leave()  # one that stands still says nothing more
        # the first sign is seldom the reason: a reset or a lost connection races with the oops that caused it
        end = process.Deadline.after(_LONGEST)
        self.grew = time.monotonic()
        self._read_on(qemu, end)
        looks = self._signs.panicked and self.holder and qemu.poll() is None
        if self.holder and looks:
            if self._signs.fatal:  # who waits for the end need not wait for the look
                self._declare()
            self.holder.look(self._signs.fatal or "the kernel panicked", dead=True)
            self.grew = time.monotonic()
            self._read_on(qemu, process.Deadline.after(_LONGEST))
        process.kill_group(qemu, _QUIET)  # from here on nobody writes to the console: what is drained is all of it
        self._await_events(process.Deadline.after(_LONGEST))  # QEMU said why before it went, perhaps just now
        if not self._signs.flooded:
            self._look(qemu, self._follower.drain())
        self._declare()
        if self.holder and self.death and self.death.kind in {exit.Kind.PANIC, exit.Kind.RESET} and not looks:
            why = "QEMU was gone by then" if self._signs.panicked else "the kernel did not tell QEMU, and was gone"
            self.holder.miss(self.death.line, why)

    def _read_on(self, qemu: process.Child, end: process.Deadline) -> None:
        """Take what the console still says, until nothing more comes."""
        while not (qemu.poll() is not None or end.expired or self._signs.flooded or self._silent):
            self._follow(qemu)

    def _declare(self) -> None:
        """Say how the guest ended, once."""
        with self._changed:
            if self.death is not None:
                return
            self.death = exit.Death(*exit.judge(self._signs), time.monotonic() - self.started)
            actions = list(self._at_end)
            self._changed.notify_all()
        for action in actions:
            action()
