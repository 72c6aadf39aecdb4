"""A running guest: commands, files, markers, and its end."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.guest import exit, monitor, protocol, window
from orchestrator.guest.channel import Ended, Lost
from orchestrator.guest.command import CAP, CommandResult, Output, Patience, opened
from orchestrator.guest.dial import Dial
from orchestrator.guest.request import BootRequest, Limits
from orchestrator.guest.watch import Watch
from orchestrator.host import process
from orchestrator.host.process import Deadline
from orchestrator.model import Accel

if TYPE_CHECKING:  # importing fabric takes a third of a second: boot does it while the guest boots
    from orchestrator.guest.remote import Address, Remote

LAST_WORDS = 4.0
"""Seconds that a lost connection has to turn out to be the guest's death."""
MUTE = 40.0
"""Seconds in which any guest says a word to who connects; QEMU ends what a guest does not take after 75 s."""
_DROWNS = 64 * 2**10
"""Bytes that a guest prints in that time only where it does nothing else: the longest splats are half of it."""
_MOST_LINE = 80


@dataclass(frozen=True)
class QemuFacts:
    """What QEMU says of itself, not what we asked it for."""

    version: str
    accel: Accel


class Guest:
    """A running guest: the only live handle in the program. Made by ``boot``."""

    def __init__(
        self, request: BootRequest, watch: Watch, qmp: monitor.Monitor, facts: QemuFacts, port: int, reach: Dial
    ) -> None:
        self._request = request
        self._watch = watch
        self._qmp = qmp
        self._reach = reach
        self._remote: Remote | None = None
        self._deaf = False
        self._charged = False
        self.ending: PipelineError | None = None
        """What is wrong with how it ended, once it has; None where all is well, or where a command showed it."""
        self.facts = facts
        self.port = port
        """The loopback port on which the guest's SSH answers: of this host where the boot has no ``sockets``."""

    @property
    def death(self) -> exit.Death | None:
        """How the guest ended; None while it runs."""
        return self._watch.death

    @property
    def limits(self) -> Limits:
        """How long it may take for what."""
        return self._request.limits

    @property
    def console(self) -> Path:
        """The file of the console."""
        return self._request.console

    def connect(self, deadline: Deadline) -> None:
        """Open the SSH connection. Raises InfraError, and KernelError where the guest died instead."""
        from orchestrator.guest import remote

        try:
            self._remote = remote.connect(self._address, lambda: self.death is not None, deadline, self._watch.at_end)
        except Lost as error:
            raise self.lost(str(error)) from error
        # a command on a dead guest would wait for its keepalive: the watch cuts the connection from its own thread
        self._watch.at_end(self._remote.cut)

    @property
    def _address(self) -> Address:
        from orchestrator.guest import remote

        rootfs = self._request.rootfs
        return remote.Address(self.port, self._reach, rootfs.identity, rootfs.host_key)

    def run(
        self,
        command: str,
        *,
        deadline: Deadline,
        output: Path | None = None,
        cap: int = CAP,
        row: protocol.Row | None = None,
        quiet: float = 0.0,
        endless: bool = False,
    ) -> CommandResult:
        """Run a shell command; standard output and error together, ``cap`` bytes at most, also into ``output``.

        It is given ``row``, with which it opens and closes the windows of tests. It may be silent for ``quiet`` seconds
        where that is longer than the limit of the guest. That the time of an ``endless`` one is up is no reason to look
        at the guest.

        Returns also where the guest dies of its kernel, answers nobody any more, or the time is up: see
        ``CommandResult``, and ``death``. A command that is out of time is killed with all its children. Raises
        InfraError where SSH is lost and the kernel lives, and where the host ended the guest.
        """
        started = time.monotonic()
        patience = Patience(deadline, max(quiet, self.limits.silence))
        ended, why, sink = self._carried_out(command, patience, output, cap, row)
        if ended.exit_code is None and self.death is not None and not self.death.kind.blames_kernel:
            raise self.fault()
        unended = ended.exit_code is None and self.death is None
        occasion = f"{row.tests[0] if len(row.tests) == 1 else 'a test'}: {''.join(why)}" if row else ""
        looks = unended and row is not None and not sink.over and not self._deaf
        if looks and not endless:
            self._watch.look(occasion)
        hung = unended and self.death is None and (self._deaf or not self._end(ended))
        if looks and endless and hung:
            self._watch.look(f"{occasion}, and the guest does not answer")
        self._deaf = self._deaf or hung
        self._charged = self._charged or (ended.exit_code is None and self.death is not None)
        text = sink.data.decode(errors="replace")
        seconds = time.monotonic() - started
        return CommandResult(ended.exit_code, text, ended.truncated or sink.over, seconds, "".join(why), hung)

    def _carried_out(
        self, command: str, patience: Patience, output: Path | None, cap: int, row: protocol.Row | None
    ) -> tuple[Ended, list[str], Output]:
        """Return how a command ended, why it was left if it was, and what it printed. Raises as ``run``."""
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(opened(output)) if output else None
            sink = Output(cap, file)
            why: list[str] = []

            def give_up() -> bool:
                why[:] = self._reason_to_stop(patience, sink)
                return bool(why)

            try:
                given = stack.enter_context(window.recorded(row, self.console))
                ended = self._connected().run(protocol.wrapped(command, cap), sink.take, give_up, given)
            except Lost as error:
                ended, why = Ended(None, False, None), self._why_lost(str(error), patience, sink)
        return ended, why, sink

    def _why_lost(self, text: str, patience: Patience, sink: Output) -> list[str]:
        """Return why a command is left whose connection is lost: the guest died, or answers nobody. Raises as ``run``.

        Under TCG, QEMU gives up what a guest does not take before its silence has been long enough.
        """
        fault = self.lost(text)
        if self.death is None and isinstance(fault, KernelError):
            raise fault
        while self.death is None and self._hangs():
            if why := self._reason_to_stop(patience, sink):
                return why
        self._watch.wait(lambda: False, Deadline.after(LAST_WORDS))  # as in ``lost``: it may have died just now
        if self.death is None:
            raise fault
        return [f"the guest died: {self.death.line}"]

    def _hangs(self) -> bool:
        """Whether the guest answers nobody, and QEMU is well: it takes a connection, and runs the guest."""
        from orchestrator.guest import remote

        if not remote.is_mute(self._address, MUTE, lambda: self.death is not None):
            return False
        try:
            return bool(self._qmp.execute("query-status").get("running"))
        except InfraError:
            return False

    def _reason_to_stop(self, patience: Patience, sink: Output) -> list[str]:
        if self.death is not None:
            return [f"the guest died: {self.death.line}"]
        if sink.over:
            return [f"the guest sent more than the {sink.cap} bytes that it lets through"]
        if patience.deadline.expired:
            return ["out of time"]
        if time.monotonic() - max(sink.grew, self._watch.grew) > patience.silence:
            return [f"no output and no console line for {patience.silence:g} s"]
        return []

    def _end(self, ended: Ended) -> bool:
        """Kill what a command left running; return whether the guest answered."""
        command = protocol.killing(ended.session) if ended.session else "true"
        return self._answers(command, Deadline.after(self.limits.shutdown))

    def _answers(self, command: str, deadline: Deadline) -> bool:
        try:
            ended = self._connected().run(command, lambda _: None, lambda: deadline.expired or self.death is not None)
        except InfraError:
            return False
        return ended.exit_code is not None

    def put(self, local: Path, remote: str, *, deadline: Deadline) -> None:
        """Copy a file into the guest. Raises InfraError; where the guest died of its kernel, KernelError."""
        self._copy(lambda link: link.put(local, remote, deadline))

    def get(self, remote: str, local: Path, *, deadline: Deadline) -> None:
        """Copy a file from the guest. Raises as ``put``."""
        self._copy(lambda link: link.get(remote, local, deadline))

    def _copy(self, action: Callable[[Remote], None]) -> None:
        try:
            action(self._connected())
        except Lost as error:
            raise self.lost(str(error)) from error

    def shutdown(self) -> bool:
        """End the guest: it is asked first, then QEMU is. Return whether it ended by itself, and said so, when asked.

        A guest that stopped to answer is not asked. What is wrong with its end is in ``ending``.
        """
        self._watch.leave()
        deadline = Deadline.after(self.limits.shutdown)
        alive, word, answered, ended = self.death is None, secrets.token_hex(6), False, False
        before = self._printed
        if alive and not self._deaf:
            self._watch.expect(protocol.OFF + word)
            answered = self._answers(protocol.power_off(word), deadline)
            self._watch.wait(lambda: False, deadline)
        if self.death is None:
            with contextlib.suppress(InfraError):
                self._qmp.execute("quit")
            self._watch.wait(lambda: False, Deadline.after(process.GRACE))
            at_fault = answered or self._printed - before > _DROWNS
            self.ending = None if self._deaf else exit.runs_on(at_fault, self.limits.shutdown, self.console)
        elif not (ended := alive and self._off(word)):
            self.ending = (
                None if self._charged else exit.ended_early(self.death, alive, self.console, self._request.log)
            )
        return ended

    def _off(self, word: str) -> bool:
        """Whether the guest powered off, and said so with the word that it was asked with."""
        ended = self.death is not None and self.death.kind is exit.Kind.POWEROFF
        return ended and self._watch.message(protocol.OFF + word) is not None

    def close(self) -> None:
        """Close the SSH connection."""
        if self._remote:
            self._remote.close()

    def _connected(self) -> Remote:
        if self._remote is None or not self._remote.usable:
            if self.death is not None:
                raise self.fault()
            self.connect(Deadline.after(self.limits.shutdown))
        assert self._remote is not None
        return self._remote

    @property
    def _printed(self) -> int:
        """How many bytes there are on the console."""
        return self.console.stat().st_size

    def lost(self, text: str) -> PipelineError:
        """Return the fault behind a lost connection: the guest's death if it turns out to be one, or its console.

        A kernel that prints without end answers nobody, long before its console is over what is read of one. A guest
        that lives is looked at.
        """
        before = self._printed
        self._watch.wait(lambda: False, Deadline.after(LAST_WORDS))
        printed = self._printed - before
        if self.death is None and not self._deaf:
            self._watch.look("the guest does not answer")
        if self.death is not None:
            return self.fault()
        self._deaf = True
        if printed > _DROWNS:
            self._charged = True
            why = f"the guest does not answer, and printed {printed >> 10} KiB in {LAST_WORDS:g} s"
            return KernelError(f"{why}: {self._watch.last_line[:_MOST_LINE]}", log=self.console)
        return InfraError(f"{text}; the kernel says nothing of it", log=self.console)

    def fault(self) -> PipelineError:
        """Return the guest's death as a fault: the kernel's, or the host's."""
        assert self.death is not None
        self._charged = True
        if self.death.kind.blames_kernel:
            return KernelError(f"the guest died: {self.death.line}", log=self.console)
        return InfraError(self.death.line, log=self._request.log)
