"""Boot a guest, use it, and be sure that it is gone afterwards."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator import process
from orchestrator.config import Machine
from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.guest import console, death, elf, monitor, qemu
from orchestrator.model import Accel, AccelFact, Kernel, Rootfs
from orchestrator.process import Deadline
from orchestrator.progress import Progress

if TYPE_CHECKING:  # importing fabric takes a third of a second: boot does it while the guest boots
    from orchestrator.guest.remote import Ended, Remote

_START = 20.0
"""Seconds that QEMU has to open its monitor."""
_LAST_WORDS = 4.0
"""Seconds that a lost connection has to turn out to be the guest's death."""
CAP = 4 * 2**20
"""Bytes of a command's output that are kept unless something else is asked for."""


@dataclass(frozen=True)
class Limits:
    """Seconds, scaled for the accelerator already. ``silence``: neither a console line nor output of the command."""

    boot: float
    shutdown: float
    silence: float


@dataclass(frozen=True)
class BootRequest:
    """All that a boot needs. ``directory`` gets console.log and qemu.log, and is for one boot only."""

    kernel: Kernel
    rootfs: Rootfs
    machine: Machine
    accel: AccelFact
    directory: Path
    limits: Limits
    is_fatal: Callable[[str], bool]
    debugger: qemu.Debugger | None = None
    binary: str = qemu.BINARY

    @property
    def console(self) -> Path:
        """The file of the console."""
        return self.directory / "console.log"

    @property
    def log(self) -> Path:
        """The file with the command line of QEMU and what QEMU itself says."""
        return self.directory / "qemu.log"


@dataclass(frozen=True)
class QemuFacts:
    """What QEMU says of itself, not what we asked it for."""

    version: str
    accel: Accel


@dataclass(frozen=True)
class CommandResult:
    """How a command in the guest went.

    ``exit_code`` is None where the command did not end; ``why`` then says in words what happened, and ``hung`` that
    the guest did not answer any more. ``truncated``: the output was over its cap, and the rest was dropped there.
    """

    exit_code: int | None
    stdout: str
    truncated: bool
    seconds: float
    why: str = ""
    hung: bool = False


@dataclass
class _Output:
    """What a command printed so far, also in a file if there is one."""

    file: Any = None
    data: bytearray = field(default_factory=bytearray)
    grew: float = field(default_factory=time.monotonic)

    def take(self, data: bytes) -> None:
        self.data += data
        self.grew = time.monotonic()
        if self.file:
            self.file.write(data)


class Guest:
    """A running guest: the only live handle in the program. Made by ``boot``."""

    def __init__(self, request: BootRequest, watch: death.Watch, qmp: monitor.Monitor, facts: QemuFacts, port: int):
        self._request = request
        self._watch = watch
        self._qmp = qmp
        self._remote: Remote | None = None
        self.facts = facts
        self.port = port
        """The loopback port on which the guest's SSH answers."""

    @property
    def death(self) -> death.Death | None:
        """How the guest ended; None while it runs."""
        return self._watch.death

    @property
    def console(self) -> Path:
        """The file of the console."""
        return self._request.console

    def connect(self, deadline: Deadline) -> None:
        """Open the SSH connection. Raises InfraError, and KernelError where the guest died instead."""
        from orchestrator.guest import remote

        rootfs = self._request.rootfs
        address = remote.Address(self.port, rootfs.identity, rootfs.host_key)
        try:
            self._remote = remote.connect(address, lambda: self.death is not None, deadline, self._watch.at_end)
        except remote.Lost as error:
            raise self._lost(str(error)) from error
        self._watch.at_end(self._remote.cut)

    def run(self, command: str, *, deadline: Deadline, output: Path | None = None, cap: int = CAP) -> CommandResult:
        """Run a shell command; standard output and error together, ``cap`` bytes at most, also into ``output``.

        Returns also where the guest dies or the time is up: see ``CommandResult``, and ``death``. A command that
        is out of time is killed with all its children. Raises InfraError where SSH is lost and the kernel lives.
        """
        from orchestrator.guest import remote

        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(output.open("wb", buffering=0)) if output else None
            sink = _Output(file)
            why: list[str] = []

            def give_up() -> bool:
                why[:] = self._reason_to_stop(deadline, sink.grew)
                return bool(why)

            try:
                ended = self._connected().run(remote.wrapped(command, cap), sink.take, give_up)
            except remote.Lost as error:
                fault = self._lost(str(error))
                if self.death is None:
                    raise fault from error
                ended, why = remote.Ended(None, False, None), [f"the guest died: {self.death.line}"]
        hung = ended.exit_code is None and self.death is None and not self._end(ended)
        text = sink.data.decode(errors="replace")
        seconds = time.monotonic() - started
        return CommandResult(ended.exit_code, text, ended.truncated, seconds, "".join(why), hung)

    def _reason_to_stop(self, deadline: Deadline, grew: float) -> list[str]:
        if self.death is not None:
            return [f"the guest died: {self.death.line}"]
        if deadline.expired:
            return ["out of time"]
        silence = self._request.limits.silence
        if time.monotonic() - max(grew, self._watch.grew) > silence:
            return [f"no output and no console line for {silence:g} s"]
        return []

    def _end(self, ended: Ended) -> bool:
        """Kill what a command left running; return whether the guest answered."""
        from orchestrator.guest import remote

        command = remote.killing(ended.session) if ended.session else "true"
        return self._answers(command, Deadline.after(self._request.limits.shutdown))

    def _answers(self, command: str, deadline: Deadline) -> bool:
        try:
            ended = self._connected().run(command, lambda _: None, lambda: deadline.expired or self.death is not None)
        except InfraError:
            return False
        return ended.exit_code is not None

    def alive(self, deadline: Deadline) -> bool:
        """Whether the guest answers a command within the deadline."""
        return self.death is None and self._answers("true", deadline)

    def put(self, local: Path, remote: str, *, deadline: Deadline) -> None:
        """Copy a file into the guest. Raises InfraError; where the guest died of its kernel, KernelError."""
        self._copy(lambda link: link.put(local, remote, deadline))

    def get(self, remote: str, local: Path, *, deadline: Deadline) -> None:
        """Copy a file from the guest. Raises as ``put``."""
        self._copy(lambda link: link.get(remote, local, deadline))

    def _copy(self, action: Callable[[Remote], None]) -> None:
        from orchestrator.guest import remote

        try:
            action(self._connected())
        except remote.Lost as error:
            raise self._lost(str(error)) from error

    def log(self, text: str) -> None:
        """Write a line into the kernel's log: a marker between what came before and what comes after."""
        deadline = Deadline.after(self._request.limits.shutdown)
        if not self._answers(f"echo {shlex.quote(text)} >/dev/kmsg", deadline):
            raise self._lost("the guest does not take a marker")

    def verify(self, kernel: Kernel) -> None:
        """Check that what runs is the kernel that was built. Raises InfraError where it is another one."""
        answer = self.run(
            "uname -r && hexdump -ve '1/1 \"%02x\"' /sys/kernel/notes",
            deadline=Deadline.after(self._request.limits.shutdown),
        )
        if answer.exit_code != 0:
            raise self._lost(f"the guest does not tell its release and build-id: {answer.why or answer.stdout}")
        release, _, notes = answer.stdout.partition("\n")
        runs = (release.strip(), elf.build_id(bytes.fromhex(notes.strip())))
        if runs != (kernel.release, kernel.build_id):
            raise InfraError(
                f"booted another kernel: {runs[0]} with build-id {runs[1]}, built was {kernel.release} with "
                f"{kernel.build_id}",
                log=self.console,
            )

    def shutdown(self) -> bool:
        """End the guest: it is asked first, then QEMU is. Return whether it ended by itself, with its end marker."""
        deadline = Deadline.after(self._request.limits.shutdown)
        if self.death is None:
            self._answers("poweroff", deadline)
            self._watch.wait(lambda: False, deadline)
        if self.death is None:
            with contextlib.suppress(InfraError):
                self._qmp.execute("quit")
            self._watch.wait(lambda: False, Deadline.after(process.GRACE))
        ended = self.death is not None and self.death.kind is death.Kind.POWEROFF
        return ended and self._watch.marker(console.END) is not None

    def close(self) -> None:
        """Close the SSH connection."""
        if self._remote:
            self._remote.close()

    def _connected(self) -> Remote:
        if self._remote is None or not self._remote.usable:
            if self.death is not None:
                raise self.fault()
            self.connect(Deadline.after(self._request.limits.shutdown))
        assert self._remote is not None
        return self._remote

    def _lost(self, text: str) -> PipelineError:
        """Return the fault behind a lost connection: the guest's death if it turns out to be one."""
        self._watch.wait(lambda: False, Deadline.after(_LAST_WORDS))
        if self.death is not None:
            return self.fault()
        return InfraError(f"{text}; the kernel says nothing of it", log=self.console)

    def fault(self) -> PipelineError:
        """Return the guest's death as a fault: the kernel's, or the host's."""
        assert self.death is not None
        if self.death.kind.blames_kernel:
            return KernelError(f"the guest died: {self.death.line}", log=self.console)
        return InfraError(self.death.line, log=self._request.log)


@contextlib.contextmanager
def boot(request: BootRequest, progress: Progress) -> Iterator[Guest]:
    """Boot a guest, up to where SSH answers; on leaving it is gone, softly where the block ended well.

    Raises InfraError (QEMU does not start or is killed, SSH is silent), KernelError (the kernel panics, resets or
    hangs before SSH answers).
    """
    deadline = Deadline.after(request.limits.boot)
    watch = death.Watch(console.Follower(request.console), request.is_fatal)
    with contextlib.ExitStack() as stack:
        folder = _socket_folder(stack)
        qmp = stack.enter_context(monitor.listen(folder / "qmp", _events(watch, request)))
        child = stack.enter_context(_started(request, folder / "qmp"))
        stack.enter_context(watch.running(child))
        guest = _introduced(request, watch, qmp)
        _wait_for_ready(request, watch, deadline, progress)
        stack.callback(guest.close)
        guest.connect(deadline)
        yield guest
        guest.shutdown()


def _socket_folder(stack: contextlib.ExitStack) -> Path:
    """Return a folder with a short name: the address of a socket has 108 bytes."""
    usual = tempfile.gettempdir()
    parent = usual if len(usual) < 60 else "/tmp"
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wpci-", dir=parent)))


def _events(watch: death.Watch, request: BootRequest) -> monitor.OnEvent:
    def on_event(name: str, data: dict[str, Any]) -> None:
        if name != "STOP" or request.debugger is None:  # a debugger stops the guest as it likes
            watch.on_event(name, data)

    return on_event


@contextlib.contextmanager
def _started(request: BootRequest, socket: Path) -> Iterator[subprocess.Popen[bytes]]:
    if request.console.exists():
        raise InfraError(f"{request.console} is from another boot")
    request.directory.mkdir(parents=True, exist_ok=True)
    swap = _swap_disk(request)
    files = qemu.Files(request.kernel.image, request.rootfs.image, request.console, socket, swap)
    argv = qemu.argv(files, request.machine, request.accel, binary=request.binary, debugger=request.debugger)
    try:
        with request.log.open("wb", buffering=0) as log:
            log.write(f"$ {process.pasteable(argv)}\n".encode())
            with process.spawn(argv, stdout=log, stderr=subprocess.STDOUT) as child:
                yield child
    finally:
        if swap:
            swap.unlink(missing_ok=True)


def _swap_disk(request: BootRequest) -> Path | None:
    if request.machine.swap is None:
        return None
    path = request.directory / "swap.img"
    with path.open("wb") as file:
        file.truncate(request.machine.swap)  # a hole: it takes the room that is used
    return path


def _introduced(request: BootRequest, watch: death.Watch, qmp: monitor.Monitor) -> Guest:
    """Let QEMU call, and ask it what it is. Raises InfraError with QEMU's own words where it does not start."""
    if not qmp.accept(lambda: watch.death is not None, Deadline.after(_START)):
        raise _not_started(request, watch)
    try:
        facts = _facts(qmp)
        port = qemu.ssh_port(str(qmp.execute("human-monitor-command", {"command-line": "info usernet"})))
    except InfraError as error:
        raise _not_started(request, watch) from error
    if facts.accel is not request.accel.accel:
        raise InfraError(f"QEMU runs with {facts.accel.value}, not {request.accel.accel.value}", log=request.log)
    if port is None:
        raise InfraError("QEMU does not tell the port of the guest's SSH", log=request.log)
    return Guest(request, watch, qmp, facts, port)


def _facts(qmp: monitor.Monitor) -> QemuFacts:
    version = qmp.execute("query-version")
    number = ".".join(str(version["qemu"][part]) for part in ("major", "minor", "micro"))
    kvm = bool(qmp.execute("query-kvm")["enabled"])
    return QemuFacts(f"{number} {version.get('package', '')}".strip(), Accel.KVM if kvm else Accel.TCG)


def _not_started(request: BootRequest, watch: death.Watch) -> PipelineError:
    watch.wait(lambda: False, Deadline.after(_LAST_WORDS))
    lines = request.log.read_text(errors="replace").splitlines()[1:]
    said = next((line for line in lines if line.strip() and "warning:" not in line), "")
    how = watch.death.line if watch.death else f"its monitor is silent for {_START:g} s"
    return InfraError(f"QEMU does not start: {said or how}", log=request.log)


def _wait_for_ready(request: BootRequest, watch: death.Watch, deadline: Deadline, progress: Progress) -> None:
    import orchestrator.guest.remote  # noqa: F401 - while the guest boots, for it takes as long

    limits = request.limits

    def ready_or_silent() -> bool:
        silent = time.monotonic() - watch.grew > limits.silence
        return silent or watch.marker(console.READY) is not None or watch.marker(console.FAILED) is not None

    watch.wait(ready_or_silent, Deadline.after(deadline.remaining))
    if watch.marker(console.READY) is None:
        raise _boot_fault(request, watch)
    progress.note(f"guest: up after {time.monotonic() - watch.started:.1f} s")


def _boot_fault(request: BootRequest, watch: death.Watch) -> PipelineError:
    """Return whose fault it is that a guest did not come up."""
    if reason := watch.marker(console.FAILED):
        return KernelError(f"init {reason.removeprefix('wpci: ')}", log=request.console)
    if watch.death is not None:
        if watch.death.kind.blames_kernel:
            return KernelError(f"{watch.death.kind.value} before login: {watch.death.line}", log=request.console)
        said = _not_started(request, watch) if not watch.last_line else InfraError(watch.death.line, log=request.log)
        return said
    seconds = time.monotonic() - watch.started
    if watch.last_line:
        silent = time.monotonic() - watch.grew
        text = f"not up after {seconds:.0f} s, silent for {silent:.0f} s; the last line is: {watch.last_line}"
        return death.Hung(text, log=request.console)
    text = f"the kernel printed nothing in {seconds:.0f} s"
    if request.accel.accel is Accel.KVM:  # under TCG it is the kernel that is silent; KVM may not run it at all
        return InfraError(f"{text} under KVM", log=request.log)
    return death.Hung(text, log=request.console)
