"""Hold a guest still for a moment, and have its memory looked at.

QEMU stops a guest that panics by itself (``PAUSES``); one that hangs is stopped here. It stands still only while its
memory is written to a file. That is read by a thread of its own, and the guest goes on: nobody waits for what is seen
but the end of the boot, when the guest is gone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.guest import monitor
from orchestrator.host import process
from orchestrator.host.process import Deadline

PAUSES = ("-action", "panic=pause")
"""More arguments for QEMU: a guest that panics waits to be looked at."""

MOST = 3
"""Times that one guest is looked at while it lives; its death is one more."""
SECONDS = 20.0
"""What writing the memory of a guest may take, and then reading it."""


@dataclass(frozen=True)
class Memory:
    """The memory of a guest when it died or hung, in the pieces of a kdump.

    ``occasion`` says why it is looked at, ``number`` counts the looks from 1 (0: there was none), and ``printed`` is
    how many bytes its console had then; ``fault`` says why there is nothing to be read.
    """

    pieces: Path
    occasion: str
    number: int
    printed: int
    fault: InfraError | None = None


Examine = Callable[[Memory, Deadline], None]
"""Looks at the memory of a guest. It raises nothing: what it finds is evidence, and a fault of it is a note."""


@contextlib.contextmanager
def holding(qmp: monitor.Monitor, console: Path, examine: Examine, holds: Callable[[bool], None]) -> Iterator[Holder]:
    """Yield what holds a guest; on leaving, what was written of its memory has been looked at."""
    group = process.current_group() or process.ChildGroup()
    with ThreadPoolExecutor(1, "guest-look", process.use_group, (group,)) as reader:
        try:
            yield Holder(qmp, console, examine, holds, reader)
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C: nobody waits for what is seen
                group.cut()
            raise


def _read(examine: Examine, memory: Memory) -> None:
    try:
        examine(memory, Deadline.after(SECONDS))
    finally:
        memory.pieces.unlink(missing_ok=True)


class Holder:
    """Holds one guest, a few times at most. From any thread, one at a time."""

    def __init__(
        self,
        qmp: monitor.Monitor,
        console: Path,
        examine: Examine,
        holds: Callable[[bool], None],
        reader: ThreadPoolExecutor,
    ) -> None:
        self._qmp = qmp
        self._console = console
        self._examine = examine
        self._holds = holds
        self._reader = reader
        self._lock = threading.Lock()
        self._looks = 0
        self._is_spent = False
        self._is_left = False

    def look(self, occasion: str, dead: bool = False) -> None:
        """Stop the guest, write its memory, let it go on, and have that looked at. Raises nothing."""
        # The watch (the guest hangs) and who runs a test (its time is up) may want a look at the same moment; each look
        # stops the guest and lets it go on, so that two at a time would write the memory of one that runs.
        with self._lock:
            if self._is_left and not dead:
                return
            if self._looks < MOST or dead:
                self._looks += 1
                self._take(occasion, self._looks, self._written)
            elif not self._is_spent:  # said once: of a hundred tests that hang, each would say it
                self._is_spent = True
                self._take(occasion, 0, lambda _: InfraError(f"it had been looked at {MOST} times"))

    def miss(self, occasion: str, why: str) -> None:
        """Have it noted why the guest was not looked at. Raises nothing."""
        with self._lock:
            self._take(occasion, 0, lambda _: InfraError(why))

    def _take(self, occasion: str, number: int, written: Callable[[Path], InfraError | None]) -> None:
        pieces, printed = self._console.with_name(f"memory-{number}.pieces"), self._console.stat().st_size
        memory = Memory(pieces, occasion, number, printed, written(pieces))
        self._reader.submit(_read, self._examine, memory)

    def leave(self) -> None:
        """Hold the guest no more, but where it is dead; one that is held has gone on when this returns.

        Its end has time limits, and one that stands still keeps none.
        """
        with self._lock:
            self._is_left = True

    def _written(self, pieces: Path) -> InfraError | None:
        """Write the memory of the guest; return why that failed."""
        self._holds(True)
        try:
            self._qmp.execute("stop")
            with pieces.open("wb") as file:
                self._qmp.hand(file.fileno(), "memory")
            arguments = {"paging": False, "protocol": "fd:memory", "format": "kdump-zlib"}
            self._qmp.execute("dump-guest-memory", arguments, SECONDS)
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
