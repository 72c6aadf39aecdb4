"""Options that no other stage test types: each with what it is there for, through the command itself."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table
from tests.stage.pipeline.test_run import GOOD
from tests.stage.validate.test_run import CHECKS, ONE

pytestmark = pytest.mark.nightly

ELSEWHERE = ("--config", "other.yaml", "--results", "there")
JOB = "toy.three.small"


def another(table: Table) -> None:
    """Give the pipeline a second variant, suite, series and mode, and another name."""
    path = table.folder / "pipeline.yaml"
    text = path.read_text()
    variant = text[text.index("  small:\n") : text.index("suites:\n")]
    text = text.replace(
        "suites:\n", variant.replace("small:", "large:", 1) + "suites:\n  again: {directory: programs}\n", 1
    )
    text += "  both: {series: [three], variants: [small, large], suites: [own, again]}\n"
    (table.folder / "other.yaml").write_text(text)
    path.unlink()


@pytest.fixture
def table(tmp_path: Path) -> Table:
    made = Table(tmp_path)
    made.series(*GOOD)
    return made


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A run of another pipeline file, with results in another folder."""
    made = Table(tmp_path_factory.mktemp("ran"))
    made.series(*GOOD)
    another(made)
    code, output = made.type("run", *ELSEWHERE)
    assert code == 0 and (made.folder / "there" / "last").is_dir(), output
    return made


def plays(table: Table, play: str) -> None:
    """Let the guest of every kernel do something."""
    path = table.folder / "tree" / "init" / "main.c"
    path.write_text(f'{path.read_text()}const char play_it[] = "play: {play}";\n')
    table.git("add", "-fu")
    table.commit("toy: play")


def test_a_run_is_one_document_for_scripts(table: Table) -> None:
    another(table)
    argv = table.argv("run", "--config", "other.yaml", "--json")
    done = subprocess.run(argv, cwd=table.folder, env=table.environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0 and json.loads(done.stdout)["result"]["verdict"] == "pass", done.stderr
    assert "toy.small: boot:" in done.stderr and "pipeline  other.yaml" not in done.stderr


def test_a_run_of_another_file_leaves_no_trace_here(ran: Table) -> None:
    assert not (ran.folder / "results").exists()


def test_an_earlier_job_is_booted_by_name_with_a_test(ran: Table) -> None:
    code, output = ran.type("boot", "--run", "last", "--job", JOB, "--results", "there", "--test", "T01")
    assert code == 0 and "ok 1 T01" in output and "T02" not in output, output
    code, output = ran.type("boot", "--job", "nothing", "--results", "there")
    assert code == 2 and "no such job" in output, output


def test_a_shell_in_an_earlier_job_by_name(ran: Table) -> None:
    real = shutil.which("ssh")
    ran.script("bin/ssh", f"exec {real} \"$@\" 'echo someone was here >/dev/kmsg'")
    code, output = ran.type("shell", "--job", "toy.small", "--results", "there")
    assert code == 0 and "toy.small: the tests are under /tests" in output, output


def test_the_history_of_other_results_by_mode_and_job(ran: Table) -> None:
    code, output = ran.type("history", "--import", *ELSEWHERE)
    assert code == 0 and "smoke  PASS" in output, output
    assert "smoke" not in ran.type("history", "--mode", "both", *ELSEWHERE)[1]
    lines = ran.type("history", "own/T01", "--job", JOB, "--mode", "smoke", *ELSEWHERE)[1].splitlines()
    assert len(lines) == 1 and "own/T01  pass" in lines[0]
    assert len(ran.type("history", "own/T01", *ELSEWHERE)[1].splitlines()) == 2


def test_the_pages_of_other_results(ran: Table) -> None:
    ran.type("history", "--import", *ELSEWHERE)
    code, output = ran.type("report", "--mode", "smoke", *ELSEWHERE)
    assert code == 0 and (ran.folder / "there" / "report" / "index.html").is_file(), output


def test_a_report_for_kcidb_of_other_results(ran: Table) -> None:
    code, output = ran.type("kcidb", *ELSEWHERE)
    assert code == 0 and json.loads(output)["builds"], output


def test_a_list_is_of_the_mode_variant_suite_and_test(ran: Table) -> None:
    config = ("--config", "other.yaml")
    code, output = ran.type("list", *config, "--mode", "both", "--json")
    assert code == 0 and len(json.loads(output)) == 4, output
    chosen = ("--variant", "large", "--suite", "again", "--test", "T01")
    (base, patched) = json.loads(ran.type("list", *config, "--mode", "both", *chosen, "--json")[1])
    assert (base["variant"], base["suites"][0][0], base["tests"]) == ("large", "again", ["T01"]) and patched["series"]


def test_old_kernels_go_by_the_limits_of_the_named_file(table: Table) -> None:
    assert table.type("run")[0] == 0
    another(table)
    path = table.folder / "other.yaml"
    path.write_text(path.read_text().replace("{alone: null}", "{kernels: {size: 1M}}"))
    next(table.folder.glob("cache/kernels/*")).joinpath("large").write_bytes(bytes(2 * 2**20))
    code, output = table.type("clean", "--old", "--config", "other.yaml")
    assert code == 0 and "no kernel is too old" not in output, output


def test_saved_files_as_values(table: Table) -> None:
    (table.folder / "out.ktap").write_text("KTAP version 1\n1..1\nnot ok 1 T01\n")
    (table.folder / "console.log").write_text("[    1.000000] BUG: Bad page map in process x  pte:1 pmd:2\n")
    code, output = table.type("parse", "out.ktap", "--json")
    assert code == 1 and json.loads(output)["tests"][0]["status"] == "fail", output
    code, output = table.type("scan", "console.log", "--json")
    (splat,) = json.loads(output)
    assert code == 1 and "Bad page map" in splat["title"], output
    path, title = table.folder / "pipeline.yaml", splat["title"]
    entry = f"{{title: '{title}', reason: known, link: https://example.org/1, expires: 2099-01-01}}"
    allow = f"allow:\n  - {entry}\n"
    (table.folder / "allowing.yaml").write_text(path.read_text() + allow)
    code, output = table.type("scan", "console.log", "--config", "allowing.yaml")
    assert code == 0 and "(allowed: known" in output, output


def test_nothing_but_skips_and_nothing_at_all_are_no_pass(table: Table) -> None:
    (table.folder / "out.ktap").write_text("1..2\nok 1 T01 # SKIP no symbol\nok 2 T02 # SKIP no symbol\n")
    assert table.type("parse", "out.ktap")[0] == 4
    (table.folder / "out.ktap").write_text("1..2\nok 1 T01 # SKIP no symbol\nok 2 T02\n")
    assert table.type("parse", "out.ktap")[0] == 0
    for nothing in (b"", b"\r\n \n\0\0", gzip.compress(b"")):
        (table.folder / "console.log").write_bytes(nothing)
        code, output = table.type("scan", "console.log")
        assert code == 2 and "console.log: nothing stands in it" in output, output
    (table.folder / "console.log").write_text("Linux version 5.10\n")
    assert table.type("scan", "console.log") == (0, "")


def test_packed_files_and_pipes_are_read_as_what_is_in_them(table: Table) -> None:
    console = b"[    1.000000] BUG: Bad page map in process x  pte:1 pmd:2\n"
    for name, data in (
        ("c.gz", gzip.compress(console)),
        ("c.xz", lzma.compress(console)),
        ("c.bz2", bz2.compress(console)),
    ):
        (table.folder / name).write_bytes(data)
        code, output = table.type("scan", name)
        assert code == 1 and f"{name}:1: mm: BUG: Bad page map" in output, output
    (table.folder / "t.gz").write_bytes(gzip.compress(b"KTAP version 1\n1..1\nok 1 T01\n"))
    assert table.type("parse", "t.gz")[0] == 0
    for name, data, words in (
        ("cut.gz", gzip.compress(console)[:-9], "cut.gz cannot be unpacked"),
        ("c.zst", b"\x28\xb5\x2f\xfd...", "c.zst is packed with zstd: unpack it first"),
    ):
        (table.folder / name).write_bytes(data)
        for command in ("scan", "parse"):
            code, output = table.type(command, name)
            assert code == 2 and words in output, output
    pipe = table.folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(console,))
    writer.start()
    code, output = table.type("scan", "pipe")
    writer.join()
    assert code == 1 and "Bad page map" in output, output


def moved_on(table: Table) -> None:
    """Change the tree in the context of the first patch, so that it applies by a merge alone."""
    path = table.folder / "tree" / "mm" / "memory.c"
    lines = path.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "return" in line)
    lines.insert(at - 2, "/* the context has changed */\n")
    path.write_text("".join(lines))
    table.git("add", "-fu")
    table.commit("toy: in the way")


def test_a_merge_is_made_where_it_is_asked_for(table: Table) -> None:
    moved_on(table)
    skip = tuple(f"--skip={name}" for name in (*CHECKS[1:], "suites"))
    for command in (("run", "--tree", "tree", "--series", "series"), ("validate", "series", "--base", "main", *skip)):
        code, output = table.type(*command)
        assert code == 1 and "finds other text there" in " ".join(output.split()), output
        code, output = table.type(*command, "--3way")
        assert code == 0, output


def test_every_test_is_listed_where_that_is_asked_for(table: Table) -> None:
    assert "│ T01 " not in table.type("run")[1]
    assert "│ T01 " in table.type("run", "--all")[1]
    assert "│ T01 " in table.type("validate", "series", "--all", *(f"--skip={name}" for name in CHECKS[1:]))[1]


def test_a_test_is_repeated_in_its_guest(table: Table) -> None:
    plays(table, "flaky T01 001")
    code, output = table.type("run", "--mode", "base", "--repeat", "3")
    (job,) = table.result()["jobs"]
    assert code == 1 and "1 of 3 runs" in json.dumps(job["suites"]), output


def test_a_shell_opens_in_the_guest_that_was_red(table: Table) -> None:
    plays(table, "not-ok T01")
    real = shutil.which("ssh")
    table.script("bin/ssh", f"exec {real} \"$@\" 'echo someone was here >/dev/kmsg'")
    code, output = table.type("run", "--mode", "base", "--keep-on-failure")
    assert code == 1 and "toy.small: the tests are under /tests" in output, output


def test_a_night_of_one_mode_suite_and_guest(table: Table) -> None:
    another(table)
    code, output = table.type("nightly", "--mode", "both", "--suite", "again", "--guests", "1", *ELSEWHERE)
    assert code == 0 and "guests: 1 at a time, as asked for" in output, output
    result = json.loads((table.folder / "there" / "last" / "result.json").read_text())["result"]
    assert {suite["suite"] for job in result["jobs"] for suite in job["suites"]} == {"again"}
    assert len(result["jobs"]) == 4


def test_a_bisect_of_one_mode_variant_suite_and_test(table: Table) -> None:
    another(table)
    good = table.git("rev-parse", "HEAD")
    plays(table, "not-ok T01")
    ends = ("--tree", "tree", "--good", good, "--bad", "main", "--symptom", "T01")
    chosen = ("--mode", "both", "--variant", "large", "--suite", "again", "--test", "T0*")
    code, output = table.type("bisect", *ends, *chosen, "--confidence", "0.6", "--runs", "1", *ELSEWHERE)
    assert code == 0 and "the first bad commit is" in output, output
    state = json.loads((table.folder / "there" / "last" / "state.json").read_text())
    request = state["request"]
    assert (request["variant"], request["suites"], request["confidence"]) == ("large", ["again"], 0.6)
    folders = list((table.folder / "there" / "last" / "jobs").glob("*/again"))
    assert folders and not list((table.folder / "there" / "last" / "jobs").glob("*/own"))


def test_a_bisect_needs_fewer_runs_to_be_less_sure(table: Table) -> None:
    good = table.git("rev-parse", "HEAD")
    plays(table, "flaky T01 10")
    ends = ("--tree", "tree", "--good", good, "--bad", "main", "--symptom", "T01")
    runs = {}
    for sure in ("0.5", "0.999"):
        code, output = table.type("bisect", *ends, "--confidence", sure)
        assert code == 0, output
        state = json.loads((table.folder / "results" / "last" / "state.json").read_text())
        runs[sure] = sum(len(step["observations"]) for step in state["steps"] if step["role"] == "its parent")
    assert runs["0.5"] < runs["0.999"]


def test_a_bisect_of_patches_merges_where_it_is_asked_for(table: Table) -> None:
    moved_on(table)
    path = next((table.folder / "series").glob("0002*"))
    path.write_text(path.read_text().replace("/* two */", "/* two */ extern const char pl[]; (void)pl;"))
    code, output = table.type("bisect", "--series", "series", "--symptom", "T01", "--runs", "1")
    assert code == 1 and "finds other text there" in " ".join(output.split()), output
    code, output = table.type("bisect", "--series", "series", "--symptom", "T01", "--runs", "1", "--3way")
    assert "finds other text there" not in " ".join(output.split()), output


def test_mutants_of_one_mode_and_variant_with_a_report_elsewhere(table: Table) -> None:
    shutil.rmtree(table.folder / "series")
    table.series(ONE)
    another(table)
    (table.folder / "pages").mkdir()
    chosen = ("--mode", "both", "--variant", "large", "--only", "0001*", "--report", "pages/mine")
    code, output = table.type("mutate", *chosen, "--first", "T02", "--budget", "0.5", *ELSEWHERE)
    report = json.loads((table.folder / "pages" / "mine.json").read_text())
    assert code in (0, 1) and [section["variant"] for section in report["sections"]] == ["large"], output
    asked = [line for path in table.folder.glob("cache/**/commands") for line in path.read_text().splitlines()]
    rounds = [line for line in asked if " -b 0.5" in line]
    assert rounds, asked
    assert any("-r T02" in line and "-r T01" not in line for line in rounds), rounds


def checked(table: Table, *options: str, skip: tuple[str, ...] = ()) -> tuple[int, str]:
    return table.type("validate", "series", *options, *(f"--skip={name}" for name in skip))


def test_a_series_is_validated_in_one_mode_variant_suite_and_test(table: Table) -> None:
    another(table)
    chosen = ("--mode", "both", "--variant", "large", "--suite", "again", "--test", "T01")
    code, output = checked(table, *chosen, *ELSEWHERE, skip=tuple(CHECKS[1:]))
    result = json.loads((table.folder / "there" / "last" / "result.json").read_text())["result"]
    assert code == 0, output
    shown = [(job["variant"], [suite["suite"] for suite in job["suites"]]) for job in result["jobs"]]
    assert shown == [("large", ["again"])] * 2
    assert {test["name"] for job in result["jobs"] for suite in job["suites"] for test in suite["tests"]} == {"T01"}


def test_a_variant_is_built_and_not_booted(table: Table) -> None:
    another(table)
    skip = tuple(name for name in (*CHECKS[1:], "suites") if name != "builds")
    code, output = checked(table, "--build", "large", *ELSEWHERE, skip=skip)
    result = json.loads((table.folder / "there" / "last" / "result.json").read_text())["result"]
    builds = [check["subject"] for check in result["checks"] if check["name"] == "builds"]
    assert code == 0 and sorted(builds) == ["large", "small"] and result["jobs"] == [], output


def test_a_series_goes_on_the_named_base_of_the_named_tree(table: Table) -> None:
    base = table.git("rev-parse", "HEAD")
    plays(table, "not-ok T01")
    skip = (*CHECKS[1:], "suites")
    for tree in ("toy", "tree"):
        code, output = checked(table, "--base", base, "--tree", tree, skip=skip)
        assert code == 0 and f"base {base[:12]}, found by: named with --base" in output, output
    code, output = checked(table, "--base", "0" * 40, skip=skip)
    assert code == 2 and "no tree has it" in " ".join(output.split()), output
