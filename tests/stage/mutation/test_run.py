"""`wpci mutate` as a user runs it, on the fake kernel tree and a fake guest: what is noticed, and that it goes on."""

from __future__ import annotations

import difflib
import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.coverage import measure
from orchestrator.model.coverage import DiffFile, DiffHunk, DiffLine, LineCoverage, Reach
from orchestrator.mutation.campaign import coverage_key
from tests.stage.pipeline.test_run import PANIC, Bench, wait_for

GUEST = "guest:"
"""A guest that does what its kernel says (see fakeguest.py)."""
MEMORY = "mm/memory.c"
SWAP = "mm/swap.c"


def mark(word: str) -> str:
    return f'const char {word.lower()}_mark[] = "{word}";\n'


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A series whose mutants are noticed, not noticed, used by another one, and not code."""
    bench = Bench(tmp_path)
    bench.configure(GUEST)
    (tmp_path / "programs" / "t.sh").write_text("#!/bin/sh\necho T01\necho T02\n")
    blank = "\n" * 8
    tree = tmp_path / "tree"
    for name in (MEMORY, SWAP):  # room between two hunks
        room = blank + "/* a */" + blank + "/* b */" + blank + "/* c */\n"
        (tree / name).write_text((tree / name).read_text() + room)
    plays = "".join(f'const char play_{t}[] = "play: needs {t} {w}";\n' for t, w in (("T01", "SEEN"), ("T02", "LATE")))
    (tree / "init" / "main.c").write_text((tree / "init" / "main.c").read_text() + plays)
    bench.git("add", "-fu")
    bench.commit("toy: room")
    bench.series(
        (MEMORY, "/* a */", mark("SEEN")),
        (MEMORY, "/* b */", "int helper(int x); int helper(int x) { return x; }"),
        (SWAP, "return page - 1", "return page - 2"),
        (SWAP, "/* a */", mark("LATE")),
        (MEMORY, "return page + 1", "int helper(int); return helper(page)"),
        (SWAP, "/* b */", "/* bb */"),
    )
    return bench


def ran(bench: Bench) -> list[tuple[str, list[str]]]:
    """Return, for each job of the last run that came as far as a test, its mutant and the tests that ran."""
    found = []
    for folder in (bench.folder / "results" / "last" / "jobs").iterdir():
        outputs = sorted(folder.glob("own*/*.ktap"), key=lambda p: (p.parent.name, int(p.suffixes[-2][1:])))
        tests = [t for path in outputs for t in re.findall(r"^# wpci: \w+ begin (\S+)", path.read_text(), re.M)]
        if tests:
            found.append((folder.name.removeprefix("toy.three.small.").removeprefix("without."), tests))
    return sorted(found)


def mutate(bench: Bench, *options: str, late: str = "T02") -> tuple[int, str]:
    done = subprocess.run(
        bench.argv("mutate", "--late", late, *options), cwd=bench.folder, env=bench.environment, text=True,
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def begun(bench: Bench, *options: str) -> subprocess.Popen[bytes]:
    """Start a run whose end is not waited for."""
    return subprocess.Popen(
        bench.argv("mutate", *options),
        cwd=bench.folder,
        env=bench.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )


def entries(bench: Bench) -> dict[str, dict[str, Any]]:
    report = json.loads((bench.folder / "patches" / "evidence" / "mutation.json").read_text())
    return {entry["name"]: entry for entry in report["sections"][0]["entries"]}


def kernels(bench: Bench) -> set[str]:
    return {path.name for path in (bench.folder / "cache" / "kernels").iterdir()}


def test_each_hunk_is_taken_out_and_its_fate_is_told(bench: Bench) -> None:
    code, output = mutate(bench)
    assert code == 1, output
    assert {name: (entry["outcome"], entry["by"][:1]) for name, entry in entries(bench).items()} == {
        f"0001/{MEMORY}/1": ("killed", ["T01"]),
        f"0002/{MEMORY}/1": ("does not build without it", []),
        f"0003/{SWAP}/1": ("survived", []),
        f"0004/{SWAP}/1": ("killed", ["T02"]),
        f"0005/{MEMORY}/1": ("survived", []),
    }, output
    page = (bench.folder / "patches" / "evidence" / "mutation.md").read_text()
    assert "1 comment" in page and "**no reason is known**" in page
    assert f"survived: 0003/{SWAP}/1" in output
    assert "helper" in entries(bench)[f"0002/{MEMORY}/1"]["detail"]
    assert bench.left_running() == []


def test_what_is_known_is_not_done_again_and_a_reason_makes_it_green(bench: Bench) -> None:
    mutate(bench)
    why = {
        entry["identity"]: "no test can see it" for entry in entries(bench).values() if entry["outcome"] == "survived"
    }
    (bench.folder / "patches" / "evidence" / "mutation-why.yaml").write_text(json.dumps(why))
    code, output = mutate(bench)
    assert code == 0, output
    assert ran(bench) == []
    assert "**no reason is known**" not in (bench.folder / "patches" / "evidence" / "mutation.md").read_text()


BAD_REASON = "4f1c0ffee0: only a window: of a few instructions\n"


def test_reasons_that_cannot_be_read_are_refused_before_anything_is_done(bench: Bench) -> None:
    why = bench.folder / "patches" / "evidence" / "mutation-why.yaml"
    why.parent.mkdir(parents=True, exist_ok=True)
    why.write_text(BAD_REASON)
    code, output = mutate(bench)
    assert code == 2 and "mutation-why.yaml: not YAML: line 1: " in output, output
    assert "toy.three.small" not in output, output


def test_reasons_that_nobody_can_read_any_more_are_refused_at_the_end(bench: Bench) -> None:
    with subprocess.Popen(
        bench.argv("mutate", "--only", "000[145]*"),
        cwd=bench.folder,
        env=bench.environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        wait_for(bench.folder, "results/*/jobs/*0001*/boot-1/console.log")
        (bench.folder / "patches" / "evidence" / "mutation-why.yaml").write_text(BAD_REASON)
        output, _ = child.communicate()
    assert child.returncode == 2, output
    assert set(entries(bench)) == {f"0001/{MEMORY}/1", f"0004/{SWAP}/1", f"0005/{MEMORY}/1"}, output
    assert f"| 0005/{MEMORY}/1 |" in (bench.folder / "patches" / "evidence" / "mutation.md").read_text()
    assert output.count("mutation-why.yaml: not YAML") == 2, "when it was seen, and at the end"


def test_a_mutant_of_a_module_is_not_equivalent_because_the_rest_of_the_kernel_is_the_same(bench: Bench) -> None:
    (bench.folder / "small.config").write_text("CONFIG_64BIT=y\nCONFIG_SWAP=y\nCONFIG_SHMEM=y\nCONFIG_TOY=m\n")
    for patch in (bench.folder / "series").iterdir():
        patch.unlink()
    bench.series(("drivers/toy.c", "int toy;", "int toy = 7;"))
    mutate(bench)
    assert [(e["name"], e["outcome"]) for e in entries(bench).values()] == [("0001/drivers/toy.c/1", "survived")]


@pytest.mark.nightly
def test_the_whole_series_is_run_again_where_its_tests_have_another_budget(bench: Bench) -> None:
    mutate(bench, "--only", "0001*", "--budget", "1")
    _, output = mutate(bench, "--only", "0002*", "--budget", "1")
    assert ".whole: suite:" not in output
    _, output = mutate(bench, "--only", "0003*", "--budget", "2")
    assert ".whole: suite:" in output, output


@pytest.mark.nightly
def test_the_whole_series_is_run_again_where_something_else_is_expected_of_its_tests(bench: Bench) -> None:
    expected, pipeline = bench.folder / "expected.yaml", bench.folder / "pipeline.yaml"
    text = pipeline.read_text().replace("directory: programs", "directory: programs, expected: expected.yaml")
    pipeline.write_text(text.replace("tree: toy}", "tree: toy, expect: patched}"))
    for wanted, mutant, outcome in (("fail", f"0003/{SWAP}/1", "survived"), ("pass", f"0001/{MEMORY}/1", "killed")):
        expected.write_text(f"columns: [patched]\ntests: {{T01: {{patched: {wanted}}}}}\n")
        mutate(bench, "--only", mutant)
        assert entries(bench)[mutant]["outcome"] == outcome


def test_a_mutant_is_tried_again_where_something_else_is_expected_of_its_tests(bench: Bench) -> None:
    expected, pipeline = bench.folder / "expected.yaml", bench.folder / "pipeline.yaml"
    text = pipeline.read_text().replace("directory: programs", "directory: programs, expected: expected.yaml")
    pipeline.write_text(text.replace("tree: toy}", "tree: toy, expect: patched}"))
    for wanted, outcome in (("fail", "survived"), ("pass", "killed"), ("any", "survived")):
        expected.write_text(f"columns: [patched]\ntests: {{T01: {{patched: {wanted}}}}}\n")
        mutate(bench, "--only", "0001*")
        assert entries(bench)[f"0001/{MEMORY}/1"]["outcome"] == outcome
    mutate(bench, "--only", "0001*")
    assert ran(bench) == []


def test_a_survivor_is_tried_again_where_its_tests_have_another_budget(bench: Bench) -> None:
    mutate(bench, "--only", "000[13]*", "--budget", "1")
    mutate(bench, "--only", "000[13]*", "--budget", "30")
    assert {name[:4] for name, _ in ran(bench) if name != "whole"} == {"0003"}


@pytest.mark.nightly
def test_all_is_tried_again_where_the_variant_has_another_configuration(bench: Bench) -> None:
    mutate(bench, "--only", "000[12]*")
    config = bench.folder / "small.config"
    config.write_text(config.read_text() + "CONFIG_TOY=y\n")
    _, output = mutate(bench, "--only", "0003*")
    assert "4 to do (1 of them killed in an earlier version of the series)" in output, output
    mutate(bench, "--only", "000[12]*")
    assert [e["outcome"] for e in entries(bench).values()] == ["killed", "does not build without it", "survived"]
    assert mutate(bench, "--only", "000[12]*") and ran(bench) == [], "and then it is known"


@pytest.mark.nightly
def test_new_tests_are_tried_on_what_no_test_noticed(bench: Bench) -> None:
    mutate(bench, "--only", "000[1-3]*")
    before = entries(bench)
    script = bench.folder / "programs" / "t.sh"
    script.write_text(script.read_text() + "# another test\n")
    _, output = mutate(bench)
    after = entries(bench)
    order = re.findall(r"(000\d)/\S+: (?:survived|killed)", output)
    assert order == ["0004", "0005", "0003"], "what is not known goes first"
    assert [name for name in before if after[name]["suite"] != before[name]["suite"]] == [f"0003/{SWAP}/1"]


@pytest.mark.nightly
def test_every_test_is_tried_where_that_is_asked_for(bench: Bench) -> None:
    mutate(bench, "--only", "0001*")
    code, output = mutate(bench, "--only", "000[14]*", "--every-test")
    assert code == 0, output
    known = entries(bench)
    assert known[f"0001/{MEMORY}/1"]["by"] == ["T01"] and known[f"0001/{MEMORY}/1"]["tests"] == 2, "again, and whole"
    assert ran(bench) == [
        ("0001-mm-memory.c-1", ["T01", "T02"]),
        ("0004-mm-swap.c-1", ["T01", "T02"]),
    ]
    assert "2 of 2 tests fail" in (bench.folder / "patches" / "evidence" / "mutation.md").read_text()
    assert mutate(bench, "--only", "000[14]*", "--every-test")[0] == 0 and ran(bench) == [], "and then it is known"


def test_a_killed_run_is_gone_on_with(bench: Bench) -> None:
    with begun(bench) as child:
        wait_for(bench.folder, "results/*/jobs/*0003*/boot-1/console.log")
        child.send_signal(signal.SIGKILL)
    known = set(entries(bench))
    assert known == {f"0001/{MEMORY}/1", f"0002/{MEMORY}/1"}
    code, output = mutate(bench)
    assert code == 1, output
    assert len(entries(bench)) == 5
    assert ran(bench) == [
        ("0003-mm-swap.c-1", ["T01", "T02"]),
        ("0004-mm-swap.c-1", ["T01", "T02", "T02"]),
        ("0005-mm-memory.c-1", ["T01", "T02"]),
    ]


@pytest.mark.nightly
def test_a_changed_series_is_taken_apart_anew(bench: Bench) -> None:
    mutate(bench, "--only", "0003*")
    assert list(entries(bench)) == [f"0003/{SWAP}/1"]
    third = next((bench.folder / "series").glob("0003*"))
    third.write_text(third.read_text().replace("page - 2", "page - 3"))
    mutate(bench, "--only", "0004*")
    assert list(entries(bench)) == [f"0004/{SWAP}/1"], "what no longer exists is dropped"


@pytest.mark.nightly
def test_after_a_change_elsewhere_what_killed_a_mutant_before_goes_first(bench: Bench) -> None:
    mutate(bench, "--only", "000[134]*")
    third = next((bench.folder / "series").glob("0003*"))
    third.write_text(third.read_text().replace("page - 2", "page - 3"))
    _, output = mutate(bench, "--only", "0002*")
    assert "5 mutants:" in output and "4 to do (2 of them killed in an earlier version of the series)" in output, output
    _, output = mutate(bench)
    order = re.findall(r"(000\d)/\S+: (?:survived|killed)", output)
    assert order == ["0003", "0005", "0001", "0004"], "what was never tried goes first"
    assert f"0004/{SWAP}/1: killed: T02 (before: " in output, output
    assert "0 to do." in output


@pytest.mark.nightly
def test_a_host_that_fails_has_noticed_nothing(bench: Bench) -> None:
    mutate(bench, "--only", "0001*")
    bench.configure("line:Linux+version+5.10,die:SIGKILL")
    code, output = mutate(bench)
    assert code == 3, output
    assert "the host failed on 3 mutants in a row" in output
    assert set(entries(bench)) == {f"0001/{MEMORY}/1", f"0002/{MEMORY}/1"}, "what does not build needs no guest"


def test_a_mutant_that_was_not_judged_for_the_host_failed_is_no_pass(bench: Bench) -> None:
    assert mutate(bench, "--only", "0001*")[0] == 0
    bench.configure("line:Linux+version+5.10,die:SIGKILL")
    code, output = mutate(bench, "--only", "0001*", "--only", "0004*")
    assert code == 3, output
    assert f"not judged: 0004/{SWAP}/1" in output and "not judged: 0001" not in output
    assert set(entries(bench)) == {f"0001/{MEMORY}/1"}
    plant(bench, "not-seeded", "it does not apply\n\n", mark("LATE"), "\n")
    fault = bench.folder / "faults" / "not-seeded.diff"
    fault.write_text(fault.read_text().replace("LATE", "GONE"))
    code, output = mutate(bench, "--only", "0004*", "--only", "fault/*")
    assert code == 1 and f"not judged: 0004/{SWAP}/1" in output, "what is open counts before"
    bench.configure(GUEST)
    assert mutate(bench, "--only", "0004*")[0] == 0, "the next run tries it again"


def test_a_series_that_is_not_well_is_not_taken_apart(bench: Bench) -> None:
    bench.configure(PANIC)
    code, output = mutate(bench)
    assert code == 1, output
    assert "Kernel panic" in output and not (bench.folder / "patches" / "evidence" / "mutation.json").exists()


def test_a_mode_with_two_variants_needs_a_choice(bench: Bench) -> None:
    path = bench.folder / "pipeline.yaml"
    path.write_text(path.read_text().replace("variants: [small], suites", "variants: [small, other], suites", 1)
                    .replace("suites:\n", "  other: {fragments: [small.config]}\nsuites:\n", 1))  # fmt: skip
    code, output = mutate(bench)
    assert code == 2 and "--variant must leave one" in output


def plant(bench: Bench, name: str, head: str, old: str, new: str) -> None:
    """Write a fault for the tip of the series: what it makes of a line of the memory code."""
    lines = (bench.folder / "tree" / SWAP).read_text().replace("/* a */", mark("LATE").strip())
    lines = lines.replace("return page - 1", "return page - 2").replace("/* b */", "/* bb */")
    wrong = lines.replace(old, new)
    assert wrong != lines
    diff = "".join(difflib.unified_diff(lines.splitlines(True), wrong.splitlines(True), f"a/{SWAP}", f"b/{SWAP}"))
    (bench.folder / "faults").mkdir(exist_ok=True)
    (bench.folder / "faults" / f"{name}.diff").write_text(head + diff)
    path = bench.folder / "pipeline.yaml"
    if "faults:" not in path.read_text():
        path.write_text(path.read_text().replace("path: series,", "path: series, faults: faults,"))


def test_a_planted_fault_is_tried_with_the_tests_that_must_notice(bench: Bench) -> None:
    plant(bench, "late-is-lost", "the mark is lost\nNoticed-by: T02\n\n", mark("LATE"), "\n")
    plant(bench, "harmless", "nothing at all\nNoticed-by: T01\n\n", "return page - 2", "return page - 4")
    code, output = mutate(bench, "--only", "fault/*")
    assert code == 1, output
    known = entries(bench)
    assert known["fault/late-is-lost"]["by"] == ["T02"] and known["fault/late-is-lost"]["tests"] == 1
    assert known["fault/harmless"]["outcome"] == "survived"
    assert "survived: fault/harmless" in output and "nothing at all" in output
    assert mutate(bench, "--only", "fault/late*")[0] == 1 and ran(bench) == [], "and then it is known"


def test_a_test_that_is_red_with_the_whole_series_notices_nothing_and_is_named(bench: Bench) -> None:
    main = bench.folder / "tree" / "init" / "main.c"
    main.write_text(main.read_text().replace("needs T02 LATE", "needs T02 NEVER"))
    bench.git("add", "-fu")
    bench.commit("toy: T02 is red")
    plant(bench, "late-is-lost", "the mark is lost\nNoticed-by: T02\n\n", mark("LATE"), "\n")
    code, output = mutate(bench, "--only", "fault/*")
    assert code == 1, output
    known = entries(bench)["fault/late-is-lost"]
    assert (known["outcome"], known["detail"]) == ("survived", "not as expected with the whole series either: T02")
    assert known["detail"] in output


def test_a_fault_that_names_a_test_that_is_not_there_is_refused(bench: Bench) -> None:
    plant(bench, "late-is-lost", "the mark is lost\nNoticed-by: T02 T99\n\n", mark("LATE"), "\n")
    code, output = mutate(bench, "--only", "fault/*")
    assert code == 2 and "fault/late-is-lost: suite own: no test matches 'T99' (2 tests there)" in output
    assert "boot" not in output, "before anything is built for it"


def test_the_report_of_another_series_is_left_alone(bench: Bench) -> None:
    report = bench.folder / "patches" / "evidence" / "mutation.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text('{"series": "other"}')
    code, output = mutate(bench)
    assert code == 2 and "mutation.json is the report of other: give series one of its own (--report)" in output
    assert report.read_text() == '{"series": "other"}'


@pytest.mark.nightly
def test_two_runs_do_not_write_one_report(bench: Bench) -> None:
    with begun(bench, "--only", "0001*") as child:
        wait_for(bench.folder, "patches/evidence/mutation.json")
        child.send_signal(signal.SIGSTOP)
        code, output = mutate(bench, "--only", "0004*")
        child.send_signal(signal.SIGCONT)
        assert code == 2, output
        assert "patches/evidence/mutation.json: another wpci mutate is at work on this report" in output
        assert len(list((bench.folder / "results").glob("2*"))) == 1, "nothing of it stays"
        assert mutate(bench, "--only", "0004*", "--report", "other")[0] == 0
    assert mutate(bench, "--only", "0004*")[0] == 0
    assert set(entries(bench)) == {f"0001/{MEMORY}/1", f"0004/{SWAP}/1"}


@pytest.mark.nightly
def test_what_is_on_top_of_a_series_stays_and_is_no_part_of_it(bench: Bench) -> None:
    checks = bench.folder / "checks"
    checks.mkdir()
    tip = (bench.folder / "tree" / "init" / "main.c").read_text().splitlines(keepends=True)
    counted = [*tip, 'const char counted[] = "COUNTED";\n']
    diff = "".join(difflib.unified_diff(tip, counted, "a/init/main.c", "b/init/main.c"))
    (checks / "0001.diff").write_text(diff)
    path = bench.folder / "pipeline.yaml"
    path.write_text(path.read_text().replace("path: series,", "path: series, on_top: checks,"))
    plant(bench, "late-is-lost", "the mark is lost\nNoticed-by: T02\n\n", mark("LATE"), "\n")
    code, output = mutate(bench, "--only", "fault/*", "--only", "0001*")
    assert code == 0, output
    known = entries(bench)
    assert set(known) == {"fault/late-is-lost", f"0001/{MEMORY}/1"}
    assert (
        json.loads((bench.folder / "patches" / "evidence" / "mutation.json").read_text())["sections"][0]["planned"] == 6
    )
    without = next((bench.folder / "results" / "last" / "jobs").glob("*fault-late-is-lost"))
    assert len(list((without / "patches").iterdir())) == 6 + 1 + 1


def test_a_choice_that_picks_nothing_is_refused(bench: Bench) -> None:
    plant(bench, "late-is-lost", "the mark is lost\nNoticed-by: T02\nVariants: other\n\n", mark("LATE"), "\n")
    code, output = mutate(bench, "--only", "0001*", "--only", "0099*")
    assert code == 2 and "--only 0099*: none of the 5 mutants has that name or id" in output
    code, output = mutate(bench, "--only", "fault/late*")
    assert code == 2 and "--only fault/late*: fault/late-is-lost is for variant other, and this is small" in output
    assert "boot" not in output, "before anything is built for it"


def test_no_mutant_begins_when_the_time_is_up(bench: Bench) -> None:
    code, output = mutate(bench, "--for", "1ms")
    assert code == 0 and "the time is up: 5 mutants are left for the next run" in output
    assert entries(bench) == {}
    assert mutate(bench, "--for", "soon")[0] == 2


def test_the_report_says_when_a_mutant_was_noticed_and_wrong_kernels_do_not_stay(bench: Bench) -> None:
    mutate(bench, "--only", "0004*")
    known = entries(bench)[f"0004/{SWAP}/1"]
    assert (known["by"], known["round"], known["after"]) == (["T02"], "quick", 2)
    assert "T02 (quick: " in (bench.folder / "patches" / "evidence" / "mutation.md").read_text()
    assert len(kernels(bench)) == 2, "those of the whole series: as it is, and as mutants are built"


@pytest.mark.nightly
def test_a_kernel_that_another_command_built_stays(bench: Bench) -> None:
    for patch in (bench.folder / "series").iterdir():
        patch.unlink()
    bench.series((MEMORY, "/* a */", mark("SEEN")), (SWAP, "return page - 1", "return page - 2"))
    bench.run("--at", "1")
    before = kernels(bench)
    assert len(before) == 2
    mutate(bench, "--only", "0002*")
    assert list(entries(bench)) == [f"0002/{SWAP}/1"]
    assert before < kernels(bench), "without its last patch the series is what was tested at the first one"


@pytest.mark.nightly
def test_one_of_two_equal_mutants_does_not_lose_its_kernel_to_the_other(bench: Bench) -> None:
    plant(bench, "late-is-lost", "the mark is lost\nNoticed-by: T02\n\n", mark("LATE"), "/* a */")
    code, output = mutate(bench, "--ahead", "--only", "fault/*", "--only", "0004*")
    assert code == 0, output
    assert {name: entry["by"] for name, entry in entries(bench).items()} == {
        "fault/late-is-lost": ["T02"],
        f"0004/{SWAP}/1": ["T02"],
    }, output


def test_the_kernel_of_an_equivalent_mutant_does_not_stay(bench: Bench) -> None:
    for patch in (bench.folder / "series").iterdir():
        patch.unlink()
    bench.series(("drivers/toy.c", "int toy;", "int toy = 7;"))
    mutate(bench)
    assert [entry["outcome"] for entry in entries(bench).values()] == ["equivalent"]
    assert len(kernels(bench)) == 2, "those of the whole series: as it is, and as mutants are built"


def test_a_mutant_is_built_without_debug_information_and_the_whole_series_with_it(bench: Bench) -> None:
    (bench.folder / "small.config").write_text("CONFIG_64BIT=y\nCONFIG_SWAP=y\nCONFIG_SHMEM=y\nCONFIG_TOY=y\n")
    for patch in (bench.folder / "series").iterdir():
        patch.unlink()
    # what is above another line moves it, and no instruction: so the kernels differ by their lines alone
    bench.series(("drivers/toy.c", "int toy;", "int toy = 7;"), (SWAP, "/* a */", "/* aa */\nextern int of_nobody;"))
    mutate(bench)
    configurations = (bench.folder / "cache" / "work" / "toy").glob("*.out/small/.config")
    described = {path.parts[-3]: "CONFIG_DEBUG_INFO=y" in path.read_text() for path in configurations}
    assert described == {"patched.out": True, "mutant.out": False}
    known = entries(bench)
    assert known[f"0002/{SWAP}/1"]["outcome"] == "equivalent", known
    assert known["0001/drivers/toy.c/1"]["outcome"] == "survived", known


def test_a_test_that_does_not_fail_again_has_noticed_nothing_and_is_shown(bench: Bench) -> None:
    plays = 'return page - 2; }\nconst char play_flaky[] = "play: flaky T01 1100"; int other(void) { return 1'
    plant(bench, "harmless", "nothing at all\nNoticed-by: T01\n\n", "return page - 2", plays)
    code, output = mutate(bench, "--only", "fault/harmless")
    known = entries(bench)["fault/harmless"]
    assert (known["outcome"], known["by"], known["doubtful"]) == ("survived", [], ["T01"]), output
    assert code == 1 and "doubtful: fault/harmless: T01 failed once and not again" in output
    assert "| doubtful: T01 |" in (bench.folder / "patches" / "evidence" / "mutation.md").read_text()


@pytest.mark.nightly
def test_mutants_are_tried_on_workers_as_they_are_here(bench: Bench) -> None:
    mutate(bench, "--report", "here")
    here = json.loads((bench.folder / "here.json").read_text())["sections"][0]
    code, output = mutate(bench, "--engine", "workers:2", "--report", "there")
    assert code == 1, output
    there = json.loads((bench.folder / "there.json").read_text())["sections"][0]
    fates = [{(e["name"], e["outcome"]) for e in section["entries"]} for section in (here, there)]
    assert fates[0] == fates[1] and len(fates[0]) == 5
    assert here["baseline"]["fails_on"] == there["baseline"]["fails_on"]
    assert "waiting for a worker" in output and bench.left_running() == []


def cover(bench: Bench, *lines: DiffLine) -> None:
    """Put down what the whole series was seen to run of the swap code: of a fake guest nothing can be seen."""
    report = json.loads((bench.folder / "patches" / "evidence" / "mutation.json").read_text())
    baseline = report["sections"][0]["baseline"]
    known = LineCoverage(("T02",), (DiffFile(SWAP, (DiffHunk("", lines),)),))
    place = bench.folder / "cache" / "coverage" / f"{coverage_key(baseline['kernel'], baseline['suite'])}.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(measure.dump(known))


def at_the_tip(bench: Bench, words: str) -> int:
    """Return the number of the line of the swap code that has these words, with the whole series."""
    text = (bench.folder / "tree" / SWAP).read_text().replace("/* a */", mark("LATE").strip())
    tip = text.replace("return page - 1", "return page - 2").splitlines()
    return next(number for number, line in enumerate(tip, 1) if words in line)


def test_the_tests_that_run_a_mutants_lines_go_first_and_one_that_none_runs_is_not_booted(bench: Bench) -> None:
    mutate(bench, "--only", "0002*")
    missed, late = at_the_tip(bench, "return page - 2"), at_the_tip(bench, "late_mark")
    cover(bench, DiffLine("+", missed, "x", Reach.MISSED), DiffLine("+", late, "y", Reach.RAN, (0,)))
    code, output = mutate(bench, "--only", "000[34]*", late="none")
    assert code == 1, output
    known = entries(bench)
    assert known[f"0003/{SWAP}/1"]["outcome"] == "run by no test" and known[f"0003/{SWAP}/1"]["tests"] == 0
    assert ran(bench) == [("0004-mm-swap.c-1", ["T02", "T02"])], "and no other test ran before"
    assert known[f"0004/{SWAP}/1"]["round"] == "its lines, first" and known[f"0004/{SWAP}/1"]["after"] == 1
    assert f"run by no test: 0003/{SWAP}/1" in output


def test_a_mutant_is_spared_the_tests_that_cannot_run_its_lines(bench: Bench) -> None:
    mutate(bench, "--only", "0002*")
    cover(bench, DiffLine("+", at_the_tip(bench, "return page - 2"), "x", Reach.RAN, (0,)))
    mutate(bench, "--only", "0003*", late="none")
    assert ran(bench) == [("0003-mm-swap.c-1", ["T02"])], "and not T01"
    assert entries(bench)[f"0003/{SWAP}/1"]["outcome"] == "survived"
    mutate(bench, "--only", "0003*", "--every-test", late="none")
    assert ran(bench) == [("0003-mm-swap.c-1", ["T02", "T01"])]


def test_an_interruption_loses_nothing_that_ran(bench: Bench) -> None:
    with subprocess.Popen(
        bench.argv("mutate", "--ahead"),
        cwd=bench.folder,
        env=bench.environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        wait_for(bench.folder, "results/*/jobs/*0003*/boot-1/console.log")
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate()
    assert child.returncode == 130, output
    assert set(entries(bench)) >= {f"0001/{MEMORY}/1", f"0002/{MEMORY}/1"}
    assert bench.left_running() == []
    assert len(kernels(bench)) == 2, "also of those that were built ahead none stays"


@pytest.mark.nightly
def test_the_next_kernel_is_built_while_a_guest_runs_where_that_is_wanted(bench: Bench) -> None:
    def order(*options: str) -> list[str]:
        _, output = mutate(bench, "--only", "0001*", "--only", "0002*", *options)
        found = re.findall(r"(?:without\.(0002)\S*: (build):)|(?:(0001)/\S*: (killed|survived):)", output)
        (bench.folder / "patches" / "evidence" / "mutation.json").unlink()
        return ["".join(words) for words in found]

    assert order("--no-ahead") == ["0001killed", "0002build"]
    assert order("--ahead") == ["0002build", "0001killed"]
