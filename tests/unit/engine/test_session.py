"""What becomes of a job whose worker went: once more where the scheduler is there, and else its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.engine.certificates import files
from orchestrator.engine.cluster import ClusterEngine, _Begun, _Session
from orchestrator.engine.order import Packer
from orchestrator.engine.roster import Roster
from orchestrator.engine.scheduler import Address
from orchestrator.engine.task import Place, Task
from orchestrator.errors import InfraError
from orchestrator.host.store import Store
from orchestrator.progress import SILENT
from tests.fakes import engines


@dataclass
class Client:
    """A client whose scheduler answers, or is gone."""

    there: bool

    def run_on_scheduler(self, function: Any) -> object:
        del function
        if not self.there:
            raise OSError("Timed out trying to connect")
        return None


@dataclass
class Future:
    status: str


def idle(place: Place) -> int:
    return place.turn


def taken(folder: Path, status: str, there: bool) -> _Session[int]:
    workspace = engines.workspace(folder)
    engine = ClusterEngine(Address("tls://lab:8786", files(folder)), Store((folder / "store").as_uri()))
    session = _Session[int](cast(Any, Client(there)), engine, workspace, Roster(SILENT))
    begun = _Begun(Task("toy", engines.job(), idle), 7, {"cores": 1.0}, cast(Any, Future(status)))
    assert session._taken(begun, Packer(workspace, engine.store, "topic")) is None
    return session


def test_a_result_that_went_with_its_worker_is_made_again(tmp_path: Path) -> None:
    assert [(turn, task.name) for turn, task in taken(tmp_path, "lost", there=True).again] == [(7, "toy")]


@pytest.mark.parametrize(("status", "there"), [("lost", False), ("cancelled", True)])
def test_without_a_scheduler_nothing_is_made_again(status: str, there: bool, tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="the scheduler tls://lab:8786 is gone"):
        taken(tmp_path, status, there)
