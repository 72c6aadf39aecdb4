"""The first red comes first, and a guest runs while the next kernel is built: as a user types it, on the fake tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table
from tests.stage.validate.test_run import ONE, plays

BUILDS = ("mm/Makefile", "objs-$(CONFIG_SWAP)", "$(shell touch building)\nobjs-$(CONFIG_SWAP)")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(tmp_path)
    config = table.folder / "pipeline.yaml"
    (table.folder / "large.config").write_text("CONFIG_64BIT=y\nCONFIG_SHMEM=y\n")
    text = config.read_text().replace("suites:", "  large: {fragments: [large.config], accel: tcg}\nsuites:", 1)
    config.write_text(text.replace("variants: [small]", "variants: [small, large]", 1).replace("accel: tcg}", GUEST, 1))
    return table


GUEST = "machine: {cpus: 1, memory: 64M, cmdline: ['fake=guest:']}, accel: tcg}"


def edit(table: Table, change: tuple[str, str, str], subject: str) -> None:
    """Commit a change to the tree itself."""
    name, old, new = change
    path = table.folder / "tree" / name
    path.write_text(path.read_text().replace(old, new, 1))
    table.git("add", "-fu")
    table.commit(subject)


def said(output: str) -> list[str]:
    """Return the verdicts in the order in which they were printed: check and subject."""
    lines = (
        re.match(r"\s*\S+ (\w+): (.+?)(?: toy: edit \d+|): (?:PASS|FAIL|SKIP): ", line) for line in output.splitlines()
    )
    return [f"{line[1]} {line[2].partition(':')[0]}" for line in lines if line]


@pytest.mark.nightly
def test_a_kernel_that_is_there_is_red_before_anything_is_built(table: Table) -> None:
    table.series(ONE, plays("panic of the patched kernel"))
    table.type("run", "--variant", "small")
    code, output = table.type("validate", "series", "--stop-at-first")
    assert code == 1, output
    assert said(output)[:4] == ["applies three", "checkpatch 1/2", "checkpatch 2/2", "suites small"], output
    later = [check for check in table.result()["checks"] if check["name"] not in ("applies", "checkpatch")]
    assert [c["name"] for c in later] == ["compile", "builds", "warnings", "sparse", "builds", "suites"], output
    why = "did not run: --stop-at-first, and suites: small is red"
    assert {(check["verdict"], check["message"]) for check in later} == {("skip", why)}, later


def test_the_first_red_test_ends_its_suite(table: Table) -> None:
    table.series(plays("not-ok T01"))
    code, output = table.type("validate", "series", "--stop-at-first", "--variant", "small", "--skip", "checkpatch")
    base, patched = ({t["name"]: t["status"] for t in job["suites"][0]["tests"]} for job in table.result()["jobs"])
    assert code == 1 and base == {"T01": "pass", "T02": "pass"} and patched == {"T01": "fail"}, output
    (series,) = table.result()["series"]
    assert [change["test"] for change in series["transitions"]] == ["T01"], "of T02 nothing is known"
    (note,) = [note for note in table.result()["jobs"][1]["notes"] if "first red" in note]
    assert note == "suite own ended at T01, the first red: what had not run by then did not run"


@pytest.mark.nightly
def test_the_first_red_test_ends_isolated_ones(table: Table) -> None:
    names = [f"T{number:02}" for number in range(1, 25)]
    many = plays(f"lists {' '.join(names)}")
    name, _, new = many
    edit(table, many, "toy: many tests")
    table.series((name, new, f'extern const char red[];\nconst char red[] = "play: not-ok T01";\n{new}'))
    words = ("--isolate", "--stop-at-first", "--variant", "small", "--skip", "checkpatch")
    code, output = table.type("validate", "series", *words)
    assert code == 1, output
    base, patched = ({t["name"]: t["status"] for t in job["suites"][0]["tests"]} for job in table.result()["jobs"])
    assert set(base) == set(names) and patched["T01"] == "fail", output
    assert len(patched) < len(names), "what had not begun by then did not run"
    (series,) = table.result()["series"]
    assert [change["test"] for change in series["transitions"] if change["verdict"] == "fail"] == ["T01"]
    folder = Path(table.result()["jobs"][1]["directory"])
    assert len(list(folder.glob("boot-*/qemu.log"))) < len(names), "nor was a guest booted for it"
    assert table.left_running() == []


@pytest.mark.nightly
def test_without_being_asked_to_stop_it_goes_on(table: Table) -> None:
    table.series(plays("not-ok T02"))
    table.type("run", "--variant", "small")
    code, output = table.type("validate", "series")
    order = said(output)
    assert code == 1 and order.index("suites small") < order.index("compile 1/1"), output
    assert order.count("suites small") == 1 and order[-2:] == ["builds large", "suites large"], output


@pytest.mark.nightly
def test_a_pair_is_tested_before_the_next_variant_is_built(table: Table) -> None:
    table.series(ONE)
    code, output = table.type("validate", "series")
    order = said(output)
    assert code == 0, output
    assert order.index("compile 1/1") < order.index("suites small") < order.index("warnings small"), output
    assert order.index("sparse small") < order.index("builds large") < order.index("suites large"), output


def test_the_first_patch_that_breaks_the_build_is_the_end(table: Table) -> None:
    table.series(("mm/swap.c", "page - 1", "pgae - 1"), ONE, ("mm/swap.c", "pgae - 1", "page - 1"))
    code, output = table.type("validate", "series", "--stop-at-first", "--skip", "checkpatch")
    assert code == 1, output
    compiled = [(c["subject"], c["verdict"]) for c in table.result()["checks"] if c["name"] == "compile"]
    assert compiled == [("1/3 toy: edit 1", "fail"), ("2 more patches", "skip")], output
    assert table.result()["jobs"] == [] and table.left_running() == []


def awaiting(table: Table) -> None:
    """Let the guest of the base come up only while the patched kernel is built."""
    name, _, _ = plays("awaits building")
    edit(table, plays("awaits building"), "toy: a base that waits")
    (table.folder / "tree" / ".gitignore").write_text("building\n")
    table.series(BUILDS, (name, "play: awaits building", "play: nothing"))


@pytest.mark.parametrize("command", [("run",), ("validate", "series")])
def test_the_guest_of_the_base_runs_while_the_patched_kernel_is_built(table: Table, command: tuple[str, ...]) -> None:
    awaiting(table)
    code, output = table.type(*command, "--variant", "small", "--ahead")
    assert code == 0, output
    assert table.left_running() == []


@pytest.mark.nightly
def test_nothing_is_built_beside_a_guest_where_that_is_not_wanted(table: Table) -> None:
    table.series(ONE)
    code, output = table.type("validate", "series", "--variant", "small", "--no-ahead", "-v")
    assert code == 0, output
    assert output.index("toy.three.small: build") < output.index("toy.small: boot"), output
    code, output = table.type("run", "--variant", "small", "--no-ahead")
    assert code == 0, output
    assert output.index("toy.small: suite: 2 tests") < output.index("toy.three.small: source"), output


@pytest.mark.nightly
def test_a_run_says_each_verdict_before_the_next_guest(table: Table) -> None:
    table.series(plays("not-ok T02"))
    code, output = table.type("run")
    words = " ".join(output.split())
    assert code == 1, output
    assert (
        words.index("three in small: FAIL: T02") < words.index("toy.large: boot:") < words.index("three in large: FAIL")
    )


@pytest.mark.parametrize("engine", [(), pytest.param(("--engine", "workers:1"), marks=pytest.mark.nightly)])
def test_a_run_ends_at_its_first_red(table: Table, engine: tuple[str, ...]) -> None:
    table.series(plays("not-ok T01"))
    code, output = table.type("run", "--stop-at-first", *engine)
    result = table.result()
    assert code == 1 and result["missing"] == ["toy.large", "toy.three.large"], output
    last = r"toy(\.three)?\.small" if engine else r"toy\.three\.small"  # a worker may take either side first
    assert any(re.fullmatch(f"--stop-at-first: the run is red with {last}", note) for note in result["notes"]), output
    base, patched = ({t["name"]: t["status"] for t in job["suites"][0]["tests"]} for job in result["jobs"])
    assert base == {"T01": "pass", "T02": "pass"} and patched["T01"] == "fail"
    assert engine or list(patched) == ["T01"], "a worker knows nothing of the other side"
    assert table.left_running() == []


def test_a_tree_alone_ends_at_its_first_red(table: Table) -> None:
    edit(table, plays("not-ok T01"), "toy: a red test")
    code, output = table.type("run", "--tree", "toy", "--variant", "small", "--stop-at-first")
    (job,) = table.result()["jobs"]
    assert code == 1 and [t["name"] for t in job["suites"][0]["tests"]] == ["T01"], output


def test_a_run_that_is_green_goes_on_to_its_end(table: Table) -> None:
    table.series(ONE)
    code, output = table.type("run", "--stop-at-first")
    assert code == 0 and table.result()["missing"] == [] and len(table.result()["jobs"]) == 4, output
