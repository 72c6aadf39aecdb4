"""What a run takes over from its first call when it goes on, and what it works out anew."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.model import Products, RunResult, Side, Tree, rundir
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.pipeline.values import Plan
from orchestrator.report import result_json
from tests.fakes import engines, results


def test_a_run_that_goes_on_has_each_note_once_and_none_that_holds_no_longer(tmp_path: Path) -> None:
    plan = Plan("night", "night", (), (engines.job("toy.one"), engines.job("toy.two")))
    space = engines.workspace(tmp_path)
    first = RunRecord(plan, space, notes=["toy.two: is what this note begins with"])
    first.lose(plan.singles[1], InfraError("the disk is full"))
    first.pending.append("bisect")
    earlier = first.result()
    assert [note.rpartition(": ")[2] for note in earlier.notes] == [
        "is what this note begins with", "the disk is full", "toy.one", "toy.two", "bisect",
    ]  # fmt: skip

    assert _resumed(plan, tmp_path, earlier).notes == (
        "toy.two: is what this note begins with", "did not run: toy.one", "did not run: toy.two",
    )  # fmt: skip


def _resumed(plan: Plan, folder: Path, earlier: RunResult) -> RunResult:
    record = RunRecord(plan, engines.workspace(folder))
    record.go_on(earlier)
    return record.result()


def test_a_job_that_ran_after_all_is_lost_no_longer(tmp_path: Path) -> None:
    plan = Plan("night", "night", (), (engines.job("toy.one"),))
    record = RunRecord(plan, engines.workspace(tmp_path))
    record.lose(plan.singles[0], InfraError("the disk is full"))
    done = results.job(Side.BASE, (), name="toy.one", directory=tmp_path / "jobs" / "toy.one")
    assert not [note for note in record.add(done).notes if "disk" in note]


def test_what_is_drawn_of_all_jobs_is_drawn_seldom_where_that_is_wanted_and_always_at_the_end(tmp_path: Path) -> None:
    plan = Plan("night", "night", (), (engines.job("toy.one"), engines.job("toy.two")))
    space = engines.workspace(tmp_path)
    record = RunRecord(plan, space, pages_every=60.0)
    record.write()
    page, known = space.directory / rundir.PAGE, space.directory / rundir.RESULT
    for name in ("toy.one", "toy.two"):
        done = results.job(Side.BASE, (), name=name, directory=tmp_path / "jobs" / name)
        record.add(done)
        assert name in [job.name for job in result_json.read_run(known).jobs], "who goes on needs it"
        assert (done.directory / rundir.JOB_JUNIT).is_file()
    drawn = page.read_text()
    record.write()
    assert page.read_text() != drawn


def test_what_went_wrong_with_the_evidence_of_a_job_is_a_note_of_the_run(tmp_path: Path) -> None:
    """The page alone had it, folded: nobody at a terminal or in CI saw that a dead guest was not looked at."""
    plan = Plan("night", "night", (), (engines.job("toy.one"), engines.job("toy.two")))
    record = RunRecord(plan, engines.workspace(tmp_path))
    alike, long = "not looked at: drgn\n\tis not installed", tuple(f"boot-{n}: not looked at" for n in range(40))
    tree = Tree(tmp_path, "c", "c", "t", "toy", notes=("series toy names no base-commit",))
    products = Products(tree=tree)
    for name, notes in (("toy.one", (*tree.notes, alike, alike)), ("toy.two", (alike, *long))):
        folder = tmp_path / "jobs" / name
        done = results.job(Side.BASE, (), name=name, directory=folder, notes=notes, products=products)
        result = record.add(done)
    assert result.notes[0] == "toy.one, toy.two: not looked at: drgn is not installed"
    assert result.notes[1] == "toy.two: boot-0: not looked at"
    assert not any("base-commit" in note for note in result.notes)
    assert len(result.notes) < 30 and result.notes[-1] == "jobs noted 21 things more: see the page"
    for name in (rundir.JUNIT, rundir.SUMMARY):
        assert "drgn is not installed" in (result.directory / name).read_text()
    assert _resumed(plan, tmp_path, result).notes == result.notes
