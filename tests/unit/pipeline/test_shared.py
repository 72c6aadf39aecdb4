"""What several machines make once: others wait for who makes it, and take over from one that is dead."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.host.cache import Cache
from orchestrator.host.process import FOREVER
from orchestrator.host.store import Store
from orchestrator.kbuild import programs
from orchestrator.pipeline import shared
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.shared import Product
from tests.fakes import engines

DEAD_AFTER = 1.0
BUILDER = """
import sys, time
from pathlib import Path
from tests.unit.pipeline.test_shared import machine, product
from orchestrator.pipeline import shared

def build():
    Path(sys.argv[1], "begun").touch()
    time.sleep(600)

shared.of(product(machine(Path(sys.argv[1]), "first")), machine(Path(sys.argv[1]), "first"), build)
"""


@dataclass
class Notes:
    """Keeps what is said."""

    lines: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        del what, done, total, left


def machine(folder: Path, name: str, dead_after: float = DEAD_AFTER) -> Workspace:
    """Return a workspace of one machine: a cache of its own, and the store of all."""
    store = Store((folder / "store").as_uri(), patience=20.0, dead_after=dead_after)
    made = engines.workspace(folder / name, Notes())
    return replace(made, cache=Cache(folder / name / "cache"), store=store)


def product(workspace: Workspace) -> Product[str]:
    folder = workspace.cache.path("things", "key")

    def lookup() -> str | None:
        return (folder / "it").read_text() if (folder / "it").is_file() else None

    return Product("things", "key", "thing", folder, lookup)


def making(workspace: Workspace, text: str, made: list[str]) -> str:
    def build() -> str:
        folder = product(workspace).folder
        folder.mkdir(parents=True)
        (folder / "it").write_text(text)
        made.append(text)
        return text

    return shared.of(product(workspace), workspace, build)[0]


def lines(workspace: Workspace) -> str:
    assert isinstance(workspace.progress, Notes)
    return "\n".join(workspace.progress.lines)


def test_who_was_killed_while_building_is_taken_over_from_and_nobody_else(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[3])
    first = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(tmp_path)], env={**os.environ, "PYTHONPATH": root}, cwd=root
    )
    second, made, answers = machine(tmp_path, "second"), [], []  # type: ignore[var-annotated]
    try:
        while not (tmp_path / "begun").exists():
            assert first.poll() is None
            time.sleep(0.02)
        thread = threading.Thread(target=lambda: answers.append(making(second, "second", made)))
        thread.start()
        time.sleep(2.5 * DEAD_AFTER)
        assert not made, "its claim is renewed: it lives"
    finally:
        first.kill()
        first.wait()
    thread.join(60)
    assert answers == made == ["second"]
    assert "who was to build the thing key is gone: it is built here" in lines(second)
    third = machine(tmp_path, "third")
    assert making(third, "third", made) == "second" and made == ["second"], "it is in the store now"
    assert second.store and second.store.claim("things", "key") is not None, "no claim is left"


def test_two_that_begin_at_once_make_one(tmp_path: Path) -> None:
    machines = [machine(tmp_path, name) for name in ("a", "b", "c")]
    made: list[str] = []
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda one=one, k=k: answers.append(making(one, f"of {k}", made)))
        for k, one in enumerate(machines)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 1 and answers == made * 3


def test_what_the_store_holds_is_not_believed_where_its_bytes_differ(tmp_path: Path) -> None:
    made: list[str] = []
    making(machine(tmp_path, "a"), "right", made)
    (stored,) = (tmp_path / "store" / "things").iterdir()
    stored.write_bytes(stored.read_bytes()[:-50] + b"x" * 50)
    assert making(machine(tmp_path, "b"), "again", made) == "again"
    assert making(machine(tmp_path, "c"), "third", made) == "again", "it was put again, in place of what was wrong"


@pytest.mark.parametrize("trouble", ["full", "gone"])
def test_a_store_that_fails_costs_a_build_and_a_line(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Store, *_: object) -> None:
        del self
        raise InfraError("No space left on device")

    monkeypatch.setattr(Store, "put" if trouble == "full" else "get", fails)
    one = machine(tmp_path, "a")
    assert making(one, "here", []) == "here"
    line = {"full": "the thing key stays here: No space", "gone": "the thing is built here: No space"}[trouble]
    assert line in lines(one)


def test_programs_are_made_once_for_all_machines(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "t.sh").write_text("#!/bin/sh\n")
    log = tmp_path / "made"
    (sources / "Makefile").write_text(f"all:\n\techo once >>{log}\n\tcp t.sh $(O)/t.sh\n\tchmod +x $(O)/t.sh\n")

    def built(workspace: Workspace) -> Path:
        share = shared.programs_of(workspace)
        made = programs.build_own("own", sources, workspace.cache, workspace.progress, FOREVER, 1, share)
        return made.directory / "t.sh"

    one, other = (built(machine(tmp_path, name, dead_after=60)) for name in ("a", "b"))
    assert one != other and one.read_text() == other.read_text() == "#!/bin/sh\n"
    assert os.access(other, os.X_OK)
    assert log.read_text() == "once\n"
