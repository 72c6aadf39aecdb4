"""How long the tests of a suite took the last time: what a person is told to expect, and no more."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import write_atomic
from orchestrator.model import SuiteRun


def load(cache: Cache, *key: str) -> Mapping[str, float]:
    """Return the seconds of each test, as far as they are known."""
    with contextlib.suppress(InfraError, OSError, ValueError, TypeError, AttributeError):  # whatever lies there
        known = json.loads(_place(cache, key).read_bytes())
        return {str(name): float(seconds) for name, seconds in known.items()}
    return {}


def save(cache: Cache, run: SuiteRun, *key: str) -> None:
    """Remember how long the tests of a suite took; those that did not run now are as they were."""
    now = {test.name: round(test.seconds, 3) for test in run.tests if test.seconds is not None}
    with contextlib.suppress(InfraError):
        write_atomic(_place(cache, key), json.dumps({**load(cache, *key), **now}, sort_keys=True))


def _place(cache: Cache, key: tuple[str, ...]) -> Path:
    return cache.path("durations", f"{digest(*key)}.json")
