"""What is shown of a test that is red, wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.model.bounds import Bounded
from orchestrator.model.words import Status


@dataclass(frozen=True)
class Evidence(Bounded):
    """Why a test is red.

    ``sentence`` says what it is about, ``place`` where its source is (``zap/punch.c:55``); ``base`` is what it showed
    without the series. ``reason`` is the assertion with its values, ``printed`` what it printed besides. ``console``
    is the end of what the kernel said meanwhile, in the file ``log`` from line ``first`` on. ``outputs`` is the folder
    of what its suite printed. ``alone`` says how it went without the tests before it,
    ``kernel`` what its guest looked like in the end; ``postmortem`` is the file that has all of it.
    """

    job: str
    suite: str
    test: str
    status: Status
    reason: str
    base: str = ""
    sentence: str = ""
    place: str = ""
    printed: tuple[str, ...] = ()
    alone: str = ""
    kernel: tuple[str, ...] = ()
    postmortem: Path | None = None
    console: tuple[str, ...] = ()
    log: Path | None = None
    first: int = 0
    outputs: Path | None = None
