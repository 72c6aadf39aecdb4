"""Hold a guest still for a moment, and have its memory looked at.

QEMU stops a guest that panics by itself (``PAUSES``); one that hangs is stopped here. It stands still only while its
memory is written to a file: whoever looks at that has time, and the guest goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.guest import monitor
from orchestrator.host.process import Deadline

PAUSES = ("-action", "panic=pause")
"""More arguments for QEMU: a guest that panics waits to be looked at."""

MOST = 3
"""Times that one guest is looked at."""
SECONDS = 20.0
"""What a look may take in all."""


@dataclass(frozen=True)
class Memory:
    """The memory of a guest when it died or hung, in the pieces of a kdump. ``deadline`` is for whoever reads it.

    ``occasion`` says why it is looked at; ``fault`` why there is nothing to be read.
    """

    pieces: Path
    occasion: str
    deadline: Deadline
    fault: InfraError | None = None


Examine = Callable[[Memory], None]
"""Looks at the memory of a guest. It raises nothing: what it finds is evidence, and a fault of it is a note."""


class Holder:
    """Holds one guest, a few times at most. From any thread, one at a time."""

    def __init__(self, qmp: monitor.Monitor, folder: Path, examine: Examine, holds: Callable[[bool], None]) -> None:
        self._qmp = qmp
        self._folder = folder
        self._examine = examine
        self._holds = holds
        self._lock = threading.Lock()
        self._looks = 0

    def look(self, occasion: str) -> None:
        """Stop the guest, write its memory, let it go on, and have it looked at. Raises nothing."""
        # The watch (the guest hangs) and who runs a test (its time is up) may want a look at the same moment; each look
        # stops the guest and lets it go on, so that two at a time would write the memory of one that runs.
        with self._lock:
            if self._looks >= MOST:
                return
            self._looks += 1
            deadline = Deadline.after(SECONDS)
            pieces = self._folder / f"memory-{self._looks}.pieces"
            try:
                self._examine(Memory(pieces, occasion, deadline, self._written(pieces, deadline)))
            finally:
                pieces.unlink(missing_ok=True)

    def _written(self, pieces: Path, deadline: Deadline) -> InfraError | None:
        """Write the memory of the guest; return why that failed."""
        self._holds(True)
        try:
            self._qmp.execute("stop")
            with pieces.open("wb") as file:
                self._qmp.hand(file.fileno(), "memory")
            arguments = {"paging": False, "protocol": "fd:memory", "format": "kdump-zlib"}
            self._qmp.execute("dump-guest-memory", arguments, deadline.remaining)
            return None
        except InfraError as error:
            return error
        except OSError as error:
            return InfraError(f"cannot write {pieces}: {error.strerror}")
        finally:
            self._go_on()

    def _go_on(self) -> None:
        try:
            self._qmp.execute("cont")
        except InfraError:
            return  # it is gone, and the watch sees that
        finally:
            self._holds(False)
