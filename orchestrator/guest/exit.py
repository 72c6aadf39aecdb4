"""How a guest ended, by the signs that were seen of it, and whose fault that is. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.guest import console

_BY_SIGNAL = 128
"""What a shell, and a cage, adds to the number of the signal that ended its child."""


class Hung(KernelError):
    """A guest did not come up in time, and did not say why."""


class Kind(enum.Enum):
    """What ended a guest."""

    PANIC = "panic"
    RESET = "reset"
    POWEROFF = "poweroff"
    FLOOD = "flood"
    STOPPED = "stopped"
    KILLED = "killed"

    @property
    def blames_kernel(self) -> bool:
        """Whether the guest did it, and not QEMU or the host."""
        return self in {Kind.PANIC, Kind.RESET, Kind.POWEROFF, Kind.FLOOD}


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
    flooded: bool = False

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
    if signs.flooded:
        return Kind.FLOOD, f"its console is over {console.CAP >> 20} MiB"
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
    if signs.exit_code is not None and (killed := _signal(signs.exit_code)):
        return f"QEMU was killed by signal {killed}"
    return f"QEMU ended with exit code {signs.exit_code}"


def _signal(code: int) -> int:
    """Return the signal that ended a child, 0 where none did; a cage ends with it as a shell does."""
    return -code if code < 0 else max(0, code - _BY_SIGNAL)


def runs_on(answered: bool, seconds: float, console: Path) -> PipelineError:
    """Return what is wrong with a guest that runs on after it was asked to power off; ``answered``: it took that in."""
    if answered:
        return KernelError(f"the guest was asked to power off, and runs on after {seconds:g} s", log=console)
    return InfraError(f"the guest does not answer, and cannot be asked to power off in {seconds:g} s", log=console)


def ended_early(death: Death, alive: bool, console: Path, log: Path) -> PipelineError:
    """Return what is wrong with a guest that ended by itself; ``alive``: it was there when it was asked to."""
    when = "when it was asked to power off" if alive else "before it was asked to"
    if death.kind.blames_kernel:
        return KernelError(f"the guest did not end as it should: {death.line}, {when}", log=console)
    return InfraError(f"{death.line}, {when}", log=log)
