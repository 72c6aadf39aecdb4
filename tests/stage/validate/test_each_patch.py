"""wpci validate --each-patch: the kernel after each patch boots, and what worked before it works."""

from pathlib import Path

import pytest

from tests.stage.validate.test_run import ONE, TWO, Desk, plays

FILE = "mm/memory.c"
SKIPPED = tuple(f"--skip={name}" for name in ("checkpatch", "warnings", "sparse", "builds", "suites"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def then(before: str, after: str) -> tuple[str, str, str]:
    """Return an edit after which the guest does something else."""
    return FILE, f'"play: {before}"', f'"play: {after}"'


def messages(desk: Desk) -> list[str]:
    return [check["message"] for check in desk.checks("bisectable")]


def test_what_a_later_patch_mends_is_charged_to_the_patch_that_broke_it(desk: Desk) -> None:
    desk.series(ONE, plays("not-ok T02"), then("not-ok T02", "skip T01"), then("skip T01", "nothing"))
    code, output = desk.validate("--each-patch", "test")
    assert code == 1, output
    assert [(check["subject"][:3], check["verdict"]) for check in desk.checks("bisectable")] == [
        ("1/4", "pass"),
        ("2/4", "fail"),
        ("3/4", "fail"),
    ], output
    assert messages(desk) == [
        "2 pass",
        "T02: works→broken, regression",
        "T01: works→refused, regression: no longer offered",
    ]
    assert desk.result()["series"][0]["verdict"] == "pass", "the whole series is good"
    assert "bisectable: 2/4 toy: edit 2" in output


def test_a_prefix_that_shows_what_the_whole_series_promises_is_right(desk: Desk) -> None:
    desk.series(plays("skip T01"), ONE)
    expected = desk.folder / "programs" / "expected.yaml"
    expected.write_text("columns: [stock, patched]\ntests:\n  T01: {stock: pass, patched: skip}\n")
    path = desk.folder / "pipeline.yaml"
    text = path.read_text()
    for old, new in (
        ("tree: toy}", "tree: toy, expect: patched}"),
        ("path: tree}", "path: tree}\n    expect: stock"),
        ("directory: programs}", "directory: programs, expected: programs/expected.yaml}"),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text + "\nvalidate:\n  each_patch: test\n")
    code, output = desk.validate()
    assert desk.verdicts("bisectable") == ["pass"], output
    assert messages(desk) == ["1 pass, 1 skip"] and code == 0, output


@pytest.mark.nightly
def test_a_kernel_that_comes_up_is_enough_where_no_more_is_asked_for(desk: Desk) -> None:
    desk.series(plays("not-ok T02"), then("not-ok T02", "panic so it goes"), then("panic so it goes", "nothing"))
    code, output = desk.validate("--each-patch", "boot")
    assert code == 1, output
    assert desk.verdicts("bisectable") == ["pass", "fail"], output
    assert messages(desk)[0] == "boots" and "so it goes" in messages(desk)[1]
    log = desk.checks("bisectable")[1]["log"]
    assert (desk.folder / "results" / "last" / log).is_file() or Path(log).is_file(), log
    for path in (desk.folder / "series").iterdir():
        path.write_text(path.read_text().replace("\n---\n", f"\nprerequisite-patch-id: {'ab' * 20}\n---\n"))
    code, output = desk.validate("--each-patch", "boot", *SKIPPED)
    assert code == 3 and desk.verdicts("bisectable") == ["pass", "infra", "pass"], output
    assert "which are not here (prerequisite-patch-id: abab" in messages(desk)[1] and "so it goes" in messages(desk)[1]


def test_one_that_comes_and_goes_is_tried_again_and_said_to(desk: Desk) -> None:
    desk.series(plays("flaky T02 100"), then("flaky T02 100", "nothing"))
    code, output = desk.validate("--each-patch", "test")
    assert code == 1 and messages(desk) == ["T02: works→broken, flaky with the series only: 1 of 3 tries broken"], (
        output
    )


@pytest.mark.nightly
def test_one_that_comes_and_goes_before_the_patch_as_well_is_not_charged_to_it(desk: Desk) -> None:
    desk.series(plays("flaky T02 010"), then("flaky T02 010", "flaky T02 100"), then("flaky T02 100", "nothing"))
    code, output = desk.validate("--each-patch", "test")
    assert messages(desk) == ["2 pass", "2 pass"] and code == 0, output
    assert desk.verdicts("bisectable") == ["pass", "pass"]


@pytest.mark.nightly
def test_the_base_is_tried_again_too(desk: Desk) -> None:
    name, old, new = plays("flaky T02 010")
    path = desk.folder / "tree" / name
    path.write_text(path.read_text().replace(old, new, 1))
    desk.git("add", "-fu")
    desk.commit("toy: a test that comes and goes")
    desk.series(then("flaky T02 010", "flaky T02 100"), then("flaky T02 100", "nothing"))
    code, output = desk.validate("--each-patch", "test")
    assert desk.verdicts("bisectable") == ["pass"] and code == 0, output
    retried = dict(desk.result()["jobs"][0]["suites"][0]["retried"])
    assert retried["T02"][:2] == ["pass", "fail"], "the tries of the base are those of its job"


@pytest.mark.nightly
def test_no_kernel_no_base_and_the_first_red(desk: Desk) -> None:
    desk.series((FILE, "return page + 1;", "return page +;"), (FILE, "return page +;", "return page + 3;"), TWO)
    code, output = desk.validate("--each-patch", "boot")
    assert code == 1 and desk.verdicts("bisectable") == ["skip", "pass"], output
    assert messages(desk)[0] == "did not run: there is no kernel"
    code, output = desk.validate("--each-patch", "boot", "--stop-at-first")
    assert code == 1 and desk.verdicts("bisectable") == [], output
    desk.configure("panic:")
    code, output = desk.validate("--each-patch", "boot")
    assert desk.verdicts("bisectable") == ["infra"], output
    assert messages(desk)[0].startswith("no verdict, for the base failed: boot: "), output


@pytest.mark.nightly
def test_without_the_suites_the_last_patch_is_brought_up_too(desk: Desk) -> None:
    desk.series(ONE, TWO)
    code, output = desk.validate("--each-patch", "test", "--skip", "suites")
    assert code == 0 and messages(desk) == ["2 pass", "2 pass"], output


def test_patches_of_which_some_come_to_nothing_are_as_good_as_others(desk: Desk) -> None:
    desk.series(ONE, (FILE, "return page + 2;", "return page + 1;"), TWO)
    code, output = desk.validate("--each-patch", "boot")
    assert code == 0 and desk.verdicts("compile") == ["pass"] * 3, output
    assert messages(desk) == ["boots", "boots"]


def test_a_word_that_is_none_is_refused(desk: Desk) -> None:
    desk.series(ONE)
    code, output = desk.validate("--each-patch", "[/b]")
    assert code == 2 and "--each-patch" in output and "Traceback" not in output, output
