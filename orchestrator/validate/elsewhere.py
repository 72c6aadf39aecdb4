"""What of a validation other machines do, from its beginning: pairs are tested, and kernels built that are not booted.

Each patch by itself is compiled here: one builds on what the one before it left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from orchestrator.engine.task import Task
from orchestrator.engine.whole_run import KernelOf
from orchestrator.pipeline.values import Pair
from orchestrator.validate.paired import PairOf
from orchestrator.validate.request import Request


def tasks(wanted: Request) -> Iterator[Task[Any]]:
    """Return what workers are to do, what is looked at first in front."""
    skip = wanted.settings.skip
    for pair in wanted.plan.pairs if "suites" not in skip else ():
        yield Task(tested(pair), pair.patched, PairOf(pair, wanted.tries))
    for pair in wanted.builds if "builds" not in skip else ():
        yield Task(built(pair), pair.patched, KernelOf(replace(pair.patched, name=built(pair))))


def tested(pair: Pair) -> str:
    """Return the name of the task that tests a pair."""
    return f"{pair.patched.name}.pair"


def built(pair: Pair) -> str:
    """Return the name of the task that builds the patched kernel of a pair."""
    return f"{pair.patched.name}.build"
