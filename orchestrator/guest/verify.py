"""What holds of a guest before it is used: that it runs the kernel that was built, and that a clone is no twin."""

from __future__ import annotations

from orchestrator.errors import InfraError
from orchestrator.guest import protocol
from orchestrator.guest.running import Guest
from orchestrator.host.process import Deadline
from orchestrator.model import Kernel
from orchestrator.parse import build_id


def same_kernel(guest: Guest, kernel: Kernel) -> None:
    """Check that what runs is the kernel that was built. Raises InfraError where it is another one."""
    answer = guest.run(protocol.IDENTIFY, deadline=Deadline.after(guest.limits.shutdown))
    identity = protocol.identified(answer.stdout)
    if answer.exit_code != 0 or identity is None:
        words = answer.why or answer.stdout[:200]
        raise guest.lost(f"the guest does not tell its release and build-id: {words!r}")
    runs = (identity[0], build_id.of_notes(identity[1]))
    if runs != (kernel.release, kernel.build_id):
        raise InfraError(
            f"booted another kernel: {runs[0]} with build-id {runs[1]}, built was {kernel.release} with "
            f"{kernel.build_id}",
            log=guest.console,
        )


def renew(guest: Guest) -> None:
    """Give a clone random numbers and a time of its own, before anything else runs. Raises InfraError."""
    answer = guest.run(protocol.renewing(), deadline=Deadline.after(guest.limits.shutdown))
    if answer.exit_code != 0:
        words = answer.why or answer.stdout[:200]
        raise guest.lost(f"the clone takes no random numbers, or no time: {words!r}")
