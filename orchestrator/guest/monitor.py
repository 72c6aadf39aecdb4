"""QEMU's monitor (QMP), from ordinary threads: one loop thread, in here only."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.errors import InfraError
from orchestrator.host.process import Deadline

T = TypeVar("T")
_TICK = 0.02
_QUICK = 5.0
_LATE = 0.3

OnEvent = Callable[[str, dict[str, Any]], None]
"""Called in the loop thread with the name and the data of each event."""


class Monitor:
    """One QMP session. QEMU connects to us, so that no event is missed; ``on_end`` is called when none can follow."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, client: Any, on_event: OnEvent, on_end: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._client = client
        self._on_event = on_event
        self._on_end = on_end

    def accept(self, gone: Callable[[], bool], deadline: Deadline) -> bool:
        """Wait for QEMU to connect; return False where it was gone, or the time was up, before."""
        future = self._submit(self._accept())
        while not (future.done() or gone() or deadline.expired):
            concurrent.futures.wait([future], _TICK)
        concurrent.futures.wait([future], _LATE)  # a QEMU that is gone may have called before
        if future.done() and future.exception() is None:  # one that dies early resets the connection
            return True
        future.cancel()
        self._on_end()
        return False

    async def _accept(self) -> None:
        self._listener = asyncio.create_task(self._listen())  # first: what comes with the greeting counts too
        await self._client.accept()
        self._follower = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        """Tell when the connection has ended and its last event was handed on."""
        from qemu.qmp import Runstate

        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()
        while not self._client.events.empty():
            await asyncio.sleep(0)
        self._on_end()

    async def _listen(self) -> None:
        async for event in self._client.events:
            self._on_event(str(event["event"]), dict(event.get("data", {})))

    def execute(self, command: str, arguments: dict[str, Any] | None = None, seconds: float = _QUICK) -> Any:
        """Run one QMP command and return its answer. Raises InfraError where QEMU refuses, or does not answer."""
        return self._result(self._client.execute(command, arguments), command, seconds)

    def hand(self, descriptor: int, name: str) -> None:
        """Give QEMU a descriptor of ours, under a name: it need not open the file itself. Raises as ``execute``."""
        self._result(self._sent(descriptor), "getfd", _QUICK)
        self.execute("getfd", {"fdname": name})

    def _result(self, work: Coroutine[Any, Any, T], what: str, seconds: float) -> T:
        """Return what comes of work with QEMU. Raises InfraError."""
        future = self._submit(work)
        try:
            return future.result(seconds)
        except concurrent.futures.TimeoutError as error:
            future.cancel()
            raise InfraError(f"QEMU does not answer {what} within {seconds:g} s") from error
        except Exception as error:  # qemu.qmp has a tree of its own; all of it means the same here
            raise InfraError(f"QEMU does not do {what}: {error}") from error

    async def _sent(self, descriptor: int) -> None:
        self._client.send_fd_scm(descriptor)

    def _submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def close(self) -> None:
        """Leave, whatever state the session is in. Runs in the loop thread."""
        with contextlib.suppress(Exception):
            await self._client.disconnect()


async def _end_tasks() -> None:
    """Cancel every other task of the loop and wait for it: asyncio writes of each that is left to the user's stderr."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def listen(socket: Path, on_event: OnEvent, on_end: Callable[[], None]) -> Iterator[Monitor]:
    """Listen on a socket for the monitor of a QEMU that is yet to be started."""
    from qemu.qmp import QMPClient  # slow to import

    logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())  # a QEMU that dies is no news for stderr
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="qmp", daemon=True)
    thread.start()

    async def start() -> Monitor:
        client = QMPClient("guest")
        await client.start_server(str(socket))
        return Monitor(loop, client, on_event, on_end)

    def quickly(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(_QUICK)

    try:
        monitor = quickly(start())
        try:
            yield monitor
        finally:
            with contextlib.suppress(concurrent.futures.TimeoutError):
                quickly(monitor.close())
    finally:
        with contextlib.suppress(concurrent.futures.TimeoutError):
            quickly(_end_tasks())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_QUICK)
        if not thread.is_alive():
            loop.close()
