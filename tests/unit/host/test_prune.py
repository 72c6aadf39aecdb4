"""What goes of earlier runs: the old, then the oldest of what is too much."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.schema import Keep
from orchestrator.errors import InfraError
from orchestrator.host import prune, scratch
from orchestrator.host.cache import Cache
from orchestrator.host.prune import Artifacts
from orchestrator.progress import SILENT

DAY = 86400.0
OLD, CURRENT = "20261101-000000-abcd", "20261130-000000-0123"
runs = st.lists(st.builds(Artifacts, st.just(Path("r")), st.floats(0, 100 * DAY), st.integers(1, 1000)), max_size=12)


def test_the_old_go_and_then_the_oldest_of_what_is_too_much() -> None:
    young, middle, old = (Artifacts(Path(name), day * DAY, 10) for name, day in (("c", 99), ("b", 98), ("a", 10)))
    assert prune.doomed([middle, old, young], Keep.model_construct(days=30, size=100), 100 * DAY) == [old]
    assert prune.doomed([middle, old, young], Keep.model_construct(days=30, size=15), 100 * DAY) == [old, middle]
    assert prune.doomed([middle, old, young], Keep.model_construct(days=1000, size=100), 100 * DAY) == []


@given(runs, st.integers(1, 60), st.integers(1, 3000))
def test_what_stays_is_young_fits_and_is_newer_than_what_went_for_its_size(
    found: list[Artifacts], days: int, size: int
) -> None:
    now = 100 * DAY
    gone = prune.doomed(found, Keep.model_construct(days=days, size=size), now)
    left = [run for run in found if run not in gone]
    assert all(now - run.when <= days * DAY for run in left)
    assert sum(run.size for run in left) <= size
    too_much = [run for run in gone if now - run.when <= days * DAY]
    assert all(kept.when >= run.when for kept in left for run in too_much)


def kernel(root: Path, name: str, day: int, size: int = 100_000) -> None:
    """Put a kernel into a cache that was used on that day of 1970."""
    folder = root / "kernels" / name
    folder.mkdir(parents=True)
    (folder / "vmlinux").write_bytes(b"x" * size)
    os.utime(folder, (day * DAY, day * DAY))


def kernels(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "kernels").iterdir())


def test_the_kernel_that_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    today = int(time.time() / DAY)
    for name, ago in (("a", 5), ("b", 1), ("c", 3), ("d", 90)):
        kernel(tmp_path, name, today - ago)
    Cache(tmp_path).touch(tmp_path / "kernels" / "a")
    said = prune.kernels(Cache(tmp_path), Keep.model_construct(days=60, size=250_000))
    assert kernels(tmp_path) == ["a", "b"] and said.startswith("2 kernels removed from the cache")
    assert prune.kernels(Cache(tmp_path), Keep()) == ""
    assert prune.kernels(Cache(tmp_path / "none"), Keep()) == ""


def test_no_kernel_goes_while_a_run_is_going_on(tmp_path: Path) -> None:
    kernel(tmp_path, "a", 1)
    with Cache(tmp_path).in_use(SILENT), pytest.raises(InfraError, match="in use by a run"):
        prune.kernels(Cache(tmp_path), Keep.model_construct(days=1, size=1))
    assert kernels(tmp_path) == ["a"]


def test_what_was_never_whole_goes_with_the_next_look(tmp_path: Path) -> None:
    kernel(tmp_path, "a", int(time.time() / DAY))
    kernel(tmp_path, ".b.half-written", 1)
    kernel(tmp_path, ".removed.c", 1)
    prune.kernels(Cache(tmp_path), Keep())
    assert kernels(tmp_path) == ["a"]


def test_what_workers_have_as_inputs_goes_by_its_age(tmp_path: Path) -> None:
    today = int(time.time() / DAY)
    kept = (
        *("sources/git-x", "sources/local-my-bundle-x", "sources/bundle-new", "store/inputs/new", "store/sources/new"),
        *("shared/inputs/new", "shared/claims/kernels-old"),
    )
    gone = (
        *("sources/bundle-old", "sources/.removed.bundle-a", "store/inputs/old", "store/sources/.old.got"),
        *("shared/inputs/old", "shared/sources/old", "shared/programs/old", "shared/inputs/.old.half"),
    )
    for name in (*kept, *gone):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(b"x" * 2**20)
        ago = 1 if "new" in name else 90
        os.utime(tmp_path / name, ((today - ago) * DAY, (today - ago) * DAY))
    with Cache(tmp_path).in_use(SILENT), pytest.raises(InfraError, match="in use by a run"):
        prune.kernels(Cache(tmp_path), Keep.model_construct(days=60, size=1))
    said = prune.kernels(Cache(tmp_path), Keep.model_construct(days=60, size=1))
    assert said == "0 kernels and 8 inputs of workers removed from the cache: 8 MiB"
    assert [name for name in (*kept, *gone) if (tmp_path / name).exists()] == list(kept)
    assert prune.kernels(Cache(tmp_path), Keep.model_construct(days=60, size=1)) == ""


def test_kernels_in_the_store_of_this_machine_count_among_the_others(tmp_path: Path) -> None:
    today = int(time.time() / DAY)
    kernel(tmp_path, "a", today - 2)
    for name, ago in (("b", 1), ("c", 3), ("d", 90), (".e.half", 0)):
        path = Cache(tmp_path).path("shared", "kernels", name)
        path.write_bytes(b"x" * 100_000)
        os.utime(path, ((today - ago) * DAY, (today - ago) * DAY))
    prune.kernels(Cache(tmp_path), Keep.model_construct(days=60, size=250_000))
    assert kernels(tmp_path) == ["a"] and [path.name for path in (tmp_path / "shared/kernels").iterdir()] == ["b"]


def test_what_another_run_removes_meanwhile_is_no_fault(tmp_path: Path) -> None:
    kernel(tmp_path, "a", int(time.time() / DAY))
    (tmp_path / "kernels" / "gone").symlink_to("nowhere")  # as a name that was read, and has no folder any more
    assert prune.kernels(Cache(tmp_path), Keep()) == ""


def test_kernels_are_measured_while_another_run_removes_them(tmp_path: Path) -> None:
    over = threading.Event()

    def other() -> None:
        while not over.is_set():
            for name in "abcdefgh":
                (tmp_path / "kernels" / name / "sub").mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(InfraError):
                prune.kernels(Cache(tmp_path), Keep.model_construct(days=1, size=1))

    thread = threading.Thread(target=other)
    thread.start()
    try:
        for _ in range(1000):
            with contextlib.suppress(InfraError):  # what the other has half removed is to go, and the other holds it
                prune.kernels(Cache(tmp_path), Keep.model_construct(days=1, size=10**12))
    finally:
        over.set()
        thread.join()


def test_only_artifacts_of_other_runs_are_removed(tmp_path: Path) -> None:
    for run in (OLD, CURRENT):
        job = tmp_path / run / "jobs" / "toy.small"
        (job / "boot-1").mkdir(parents=True)
        (job / "boot-1" / "console.log").write_text("x" * 10_000)
        (job / "build.log").write_text("x" * 10_000)
        for name in ("result.json", "job-junit.xml", "reproduce.sh", "config"):
            (job / name).write_text("kept")
        (tmp_path / run / "result.json").write_text("kept")
        (tmp_path / run / "state.json").write_text("of a bisect")
    (tmp_path / "last").symlink_to(CURRENT)
    said = prune.prune(tmp_path, Keep.model_construct(days=1, size=1), tmp_path / CURRENT)
    assert said.startswith("artifacts of 1 earlier runs removed")
    left = {str(path.relative_to(tmp_path)) for path in (tmp_path / OLD).rglob("*") if path.is_file()}
    job_files = {"result.json", "job-junit.xml", "reproduce.sh", "config"}
    assert left == {f"{OLD}/result.json", f"{OLD}/state.json", *(f"{OLD}/jobs/toy.small/{name}" for name in job_files)}
    assert (tmp_path / CURRENT / "jobs" / "toy.small" / "boot-1" / "console.log").exists()
    assert prune.prune(tmp_path, Keep(), tmp_path / CURRENT) == ""


def test_what_was_seen_of_a_guest_that_died_stays_and_its_memory_goes(tmp_path: Path) -> None:
    guest = tmp_path / OLD / "jobs" / "toy.small" / "boot-1"
    guest.mkdir(parents=True)
    for name in ("console.log", "postmortem-1.kdump", "postmortem-1.txt", "postmortem-1.json"):
        (guest / name).write_text("x" * 10_000)
    said = prune.prune(tmp_path, Keep.model_construct(days=1, size=1), tmp_path / CURRENT)
    assert said.startswith("artifacts of 1 earlier runs removed")
    assert {path.name for path in guest.iterdir()} == {"postmortem-1.txt", "postmortem-1.json"}
    assert prune.prune(tmp_path, Keep.model_construct(days=1, size=1), tmp_path / CURRENT) == ""


def test_a_run_that_is_at_work_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / OLD / "jobs" / "toy.small").mkdir(parents=True)
    (tmp_path / OLD / "jobs" / "toy.small" / "build.log").write_text("x" * 10_000)
    with scratch.held(tmp_path / OLD):
        assert prune.prune(tmp_path, Keep.model_construct(days=1, size=1), tmp_path / CURRENT) == ""
    assert prune.prune(tmp_path, Keep.model_construct(days=1, size=1), tmp_path / CURRENT).startswith("artifacts of 1")


def test_only_what_has_the_name_of_a_run_loses_anything(tmp_path: Path) -> None:
    bisect, own = f"{OLD}-bisect-1", ("thesis-2025", f"{OLD}-to-keep")
    for name in (bisect, *own):
        (tmp_path / name / "jobs" / "fig3").mkdir(parents=True)
        (tmp_path / name / "jobs" / "fig3" / "measurements.csv").write_text("x" * 10_000)
    assert prune.prune(tmp_path, Keep.model_construct(days=1, size=1), tmp_path / CURRENT).startswith("artifacts of 1")
    assert [path.parents[2].name for path in sorted(tmp_path.glob("*/jobs/*/*"))] == [own[1], own[0]]
