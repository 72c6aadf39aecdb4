"""Boot a guest, and be sure that it is gone afterwards."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.guest import accel, cage, console, dial, exit, hold, monitor, protocol, qemu
from orchestrator.guest.command import CommandResult
from orchestrator.guest.request import BootRequest, Limits
from orchestrator.guest.running import LAST_WORDS, Guest, QemuFacts
from orchestrator.guest.watch import Watch
from orchestrator.host import process, scratch
from orchestrator.host.process import Deadline
from orchestrator.model import Accel
from orchestrator.progress import Detail, Progress

__all__ = ["BootRequest", "CommandResult", "Guest", "Limits", "boot"]


@contextlib.contextmanager
def boot(request: BootRequest, progress: Progress) -> Iterator[Guest]:
    """Boot a guest, up to where SSH answers; on leaving it is gone, softly where the block ended well.

    How it went then is in ``Guest.ending``: a guest that did not end as it was asked to is not to be believed.

    Raises InfraError (QEMU does not start or is killed, SSH is silent), KernelError (the kernel panics, resets or
    hangs before SSH answers).
    """
    deadline = Deadline.after(request.limits.boot)
    with launched(request) as new:
        wait_for_ready(new, deadline, progress)
        with entered(new, deadline) as guest:
            yield guest


@dataclass(frozen=True)
class Launched:
    """A QEMU that has introduced itself: the guest that it runs may not be up yet."""

    request: BootRequest
    guest: Guest
    watch: Watch
    qmp: monitor.Monitor


@contextlib.contextmanager
def launched(request: BootRequest) -> Iterator[Launched]:
    """Start QEMU; on leaving it is gone. Raises as ``boot``."""
    watch = Watch(console.Follower(request.console), request.is_fatal)
    with contextlib.ExitStack() as stack:
        folder = _socket_folder(stack)
        qmp = stack.enter_context(monitor.listen(folder / "qmp", _events(watch, request), watch.no_more_events))
        if request.examine:  # before QEMU: what was seen of a guest is waited for when it is gone
            watch.holder = stack.enter_context(hold.holding(qmp, request.console, request.examine, watch.hold))
        child, reach = stack.enter_context(_started(request, folder / "qmp"))
        stack.enter_context(watch.running(child))
        guest = _introduced(request, watch, qmp, reach, lambda: child.poll() is not None)
        _unlink_early(request, folder)
        if request.debugger is None and not request.restored:
            qmp.execute("cont")
        yield Launched(request, guest, watch, qmp)


@contextlib.contextmanager
def entered(new: Launched, deadline: Deadline) -> Iterator[Guest]:
    """Open SSH to a guest that is up; on leaving it ends, softly where the block ended well. Raises as ``boot``."""
    with contextlib.closing(new.guest) as guest:
        guest.connect(deadline)
        yield guest
        guest.shutdown()


def _unlink_early(request: BootRequest, folder: Path) -> None:
    """Remove the names of what QEMU holds open by now: then nothing is left where we are killed."""
    shutil.rmtree(folder, ignore_errors=True)
    if request.saved is None:
        request.swap.unlink(missing_ok=True)


def _socket_folder(stack: contextlib.ExitStack) -> Path:
    """Return a folder with a short name: the address of a socket has 108 bytes."""
    usual = tempfile.gettempdir()
    return stack.enter_context(scratch.folder(Path(usual if len(usual) < 60 else "/tmp")))


def _events(watch: Watch, request: BootRequest) -> monitor.OnEvent:
    def on_event(name: str, data: dict[str, Any]) -> None:
        if name != "STOP" or not request.may_be_stopped:
            watch.on_event(name, data)

    return on_event


@contextlib.contextmanager
def _started(request: BootRequest, socket: Path) -> Iterator[tuple[process.Child, dial.Dial]]:
    """Start QEMU; yield it with how its guest is reached."""
    swap = request.swap if request.machine.swap else None
    files = qemu.Files(request.kernel.image, request.rootfs.image, request.console, socket, swap, request.saved)
    walls = _prepared(request, files)
    argv = qemu.argv(
        files,
        request.machine,
        request.accel,
        arch=request.arch,
        binary=request.program,
        debugger=request.debugger,
        sandboxed=accel.seccomp(request.program),
        extra=request.more,
    )
    try:
        with request.log.open("wb", buffering=0) as log:
            log.write(f"$ {process.pasteable(argv)}\n".encode())
            if walls is None or request.sockets is None:
                with process.spawn(argv, stdout=log, cage=walls) as child:
                    yield child, dial.of_this_host
                return
            with dial.link() as link:
                inner, sending = (link.inner.fileno(),), link.argv(request.sockets, argv)
                with process.spawn(sending, stdout=log, cage=walls, descriptors=inner) as child:
                    link.inner.close()
                    yield child, link.dial
    finally:
        if request.saved is None:
            request.swap.unlink(missing_ok=True)


def _prepared(request: BootRequest, files: qemu.Files) -> process.Cage | None:
    """Make the folder of the boot with the files that QEMU writes; return the cage to run it in, if there is to be one.

    Raises InfraError.
    """
    if request.console.exists():
        raise InfraError(f"{request.console} is from another boot")
    try:
        request.directory.mkdir(parents=True, exist_ok=True)
        for path in (request.console.with_name(protocol.ROWS), request.console):
            path.write_bytes(b"")
        if request.trace:
            request.trace.prepare(request.directory)
        if not request.restored:
            _make_disks(request, files)
        return cage.entered(request, files)
    except OSError as error:
        raise InfraError(f"cannot write {error.filename or request.swap}: {error.strerror}") from error


def _make_disks(request: BootRequest, files: qemu.Files) -> None:
    """Make the swap disk, and what a guest to be saved has as memory: holes, which take the room that is used."""
    for path in request.saved.memory(request.machine.numa_nodes) if request.saved else ():
        path.write_bytes(b"")
    if files.swap:
        with files.swap.open("wb") as file:
            file.truncate(request.machine.swap)


def _introduced(
    request: BootRequest, watch: Watch, qmp: monitor.Monitor, reach: dial.Dial, gone: Callable[[], bool]
) -> Guest:
    """Let QEMU call, and ask it what it is. Raises InfraError with QEMU's own words where it does not start."""
    if not qmp.accept(gone, Deadline.after(request.limits.start)):
        raise _early_fault(request, watch)
    try:
        facts = _facts(qmp)
        port = qemu.ssh_port(str(qmp.execute("human-monitor-command", {"command-line": "info usernet"})))
    except InfraError as error:
        raise _early_fault(request, watch) from error
    if facts.accel is not request.accel.accel:
        raise InfraError(f"QEMU runs with {facts.accel.value}, not {request.accel.accel.value}", log=request.log)
    if port is None:
        raise InfraError("QEMU does not tell the port of the guest's SSH", log=request.log)
    return Guest(request, watch, qmp, facts, port, reach)


def _facts(qmp: monitor.Monitor) -> QemuFacts:
    version = qmp.execute("query-version")
    number = ".".join(str(version["qemu"][part]) for part in ("major", "minor", "micro"))
    kvm = bool(qmp.execute("query-kvm")["enabled"])
    return QemuFacts(f"{number} {version.get('package', '')}".strip(), Accel.KVM if kvm else Accel.TCG)


def _early_fault(request: BootRequest, watch: Watch) -> PipelineError:
    """Return why there is no monitor; a kernel may have panicked before QEMU was asked anything."""
    watch.wait(lambda: False, Deadline.after(LAST_WORDS))
    return _boot_fault(request, watch) if watch.death else _not_started(request, watch)


def _not_started(request: BootRequest, watch: Watch) -> PipelineError:
    lines = request.log.read_text(errors="replace").splitlines()[1:]
    first = next((line for line in lines if line.strip() and "warning:" not in line), "")
    how = watch.death.line if watch.death else f"its monitor is silent for {request.limits.start:g} s"
    return InfraError(f"QEMU does not start: {first or how}", log=request.log)


def wait_for_ready(new: Launched, deadline: Deadline, progress: Progress) -> None:
    """Wait until a guest that boots is up. Raises as ``boot``."""
    import orchestrator.guest.remote  # noqa: F401 - while the guest boots, for it takes as long

    request, watch, limits = new.request, new.watch, new.request.limits

    def ready_or_silent() -> bool:
        silent = time.monotonic() - watch.grew > limits.silence
        return silent or watch.message(protocol.READY) is not None or watch.message(protocol.FAILED) is not None

    watch.wait(ready_or_silent, deadline)
    if watch.message(protocol.READY) is None:
        fault = _boot_fault(request, watch)
        if watch.death is None and watch.message(protocol.FAILED) is None:
            watch.look("the guest does not come up")
        raise fault
    progress.note(Detail(f"guest: up after {time.monotonic() - watch.started:.1f} s"))


def _boot_fault(request: BootRequest, watch: Watch) -> PipelineError:
    """Return whose fault it is that a guest did not come up."""
    if reason := watch.message(protocol.FAILED):
        return KernelError(f"init {reason.removeprefix('wpci: ')}", log=request.console)
    if watch.death is not None:
        if watch.death.kind.blames_kernel:
            return KernelError(f"{watch.death.kind.value} before login: {watch.death.line}", log=request.console)
        return InfraError(watch.death.line, log=request.log) if watch.last_line else _not_started(request, watch)
    seconds = time.monotonic() - watch.started
    if watch.last_line:
        silent = time.monotonic() - watch.grew
        text = f"not up after {seconds:.0f} s, silent for {silent:.0f} s; the last line is: {watch.last_line}"
        return exit.Hung(text, log=request.console)
    text = f"the kernel printed nothing in {seconds:.0f} s"
    if request.accel.accel is Accel.KVM:  # under TCG it is the kernel that is silent; KVM may not run it at all
        return InfraError(f"{text} under KVM", log=request.log)
    return exit.Hung(text, log=request.console)
