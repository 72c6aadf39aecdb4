"""The monitor's end: whatever state it is left in, nothing of its loop is told to the user."""

from __future__ import annotations

import contextlib
import gc
import logging
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from orchestrator.cli.main import _Interrupted
from orchestrator.guest import monitor
from orchestrator.host.process import Deadline


def test_a_wait_for_qemu_that_is_interrupted_leaves_no_task_for_asyncio_to_complain_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def interrupted() -> NoReturn:
        raise _Interrupted(130)

    with caplog.at_level(logging.DEBUG, "asyncio"):
        for _ in range(40):  # without a wait for the tasks, one time in four
            with (
                tempfile.TemporaryDirectory() as folder,
                contextlib.suppress(_Interrupted),
                monitor.listen(Path(folder) / "qmp", lambda *_: None, lambda: None) as session,
            ):
                session.accept(interrupted, Deadline(5))
        gc.collect()
    complaints = [record for record in caplog.records if record.name == "asyncio" and record.levelno > logging.INFO]
    assert [record.message for record in complaints] == []
