"""What goes of earlier runs: the old, then the oldest of what is too much."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator import prune
from orchestrator.config import Keep
from orchestrator.prune import Artifacts

DAY = 86400.0
runs = st.lists(st.builds(Artifacts, st.just(Path("r")), st.floats(0, 100 * DAY), st.integers(1, 1000)), max_size=12)


def test_the_old_go_and_then_the_oldest_of_what_is_too_much() -> None:
    young, middle, old = (Artifacts(Path(name), day * DAY, 10) for name, day in (("c", 99), ("b", 98), ("a", 10)))
    assert prune.doomed([middle, old, young], Keep(days=30, size=100), 100 * DAY) == [old]
    assert prune.doomed([middle, old, young], Keep(days=30, size=15), 100 * DAY) == [old, middle]
    assert prune.doomed([middle, old, young], Keep(days=1000, size=100), 100 * DAY) == []


@given(runs, st.integers(1, 60), st.integers(1, 3000))
def test_what_stays_is_young_fits_and_is_newer_than_what_went_for_its_size(
    found: list[Artifacts], days: int, size: int
) -> None:
    now = 100 * DAY
    gone = prune.doomed(found, Keep(days=days, size=size), now)
    left = [run for run in found if run not in gone]
    assert all(now - run.started <= days * DAY for run in left)
    assert sum(run.size for run in left) <= size
    too_much = [run for run in gone if now - run.started <= days * DAY]
    assert all(kept.started >= run.started for kept in left for run in too_much)


def test_only_artifacts_of_other_runs_are_removed(tmp_path: Path) -> None:
    for run in ("old", "current"):
        job = tmp_path / run / "jobs" / "toy.small"
        (job / "boot-1").mkdir(parents=True)
        (job / "boot-1" / "console.log").write_text("x" * 10_000)
        (job / "build.log").write_text("x" * 10_000)
        for name in ("result.json", "job-junit.xml", "reproduce.sh", "config"):
            (job / name).write_text("kept")
        (tmp_path / run / "result.json").write_text("kept")
        (tmp_path / run / "state.json").write_text("of a bisect")
    (tmp_path / "last").symlink_to("current")
    said = prune.prune(tmp_path, Keep(days=1, size=1), tmp_path / "current")
    assert said.startswith("artifacts of 1 earlier runs removed")
    left = {str(path.relative_to(tmp_path)) for path in (tmp_path / "old").rglob("*") if path.is_file()}
    job_files = {"result.json", "job-junit.xml", "reproduce.sh", "config"}
    assert left == {"old/result.json", "old/state.json", *(f"old/jobs/toy.small/{name}" for name in job_files)}
    assert (tmp_path / "current" / "jobs" / "toy.small" / "boot-1" / "console.log").exists()
    assert prune.prune(tmp_path, Keep(), tmp_path / "current").startswith("artifacts of 0")
