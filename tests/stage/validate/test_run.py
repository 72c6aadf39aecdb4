"""wpci validate as a user runs it: a fake kernel tree, real git, make, compiler and sparse, guests that play along."""

from __future__ import annotations

import difflib
import json
import signal
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.stage.pipeline.test_run import Bench, wait_for

ONE = ("mm/memory.c", "return page + 1;", "return page + 2;")
TWO = ("mm/swap.c", "return page - 1;", "return page - 2;")
CHECKS = ["applies", "checkpatch", "compile", "builds", "warnings", "sparse"]


def plays(text: str) -> tuple[str, str, str]:
    """Return an edit that makes the patched guest do something."""
    return "mm/memory.c", "int fault", f'extern const char act[];\nconst char act[] = "play: {text}";\n\nint fault'


class Desk(Bench):
    """A bench whose guests come up."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.configure("guest:")

    def validate(self, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            self.argv("validate", "series", *options), cwd=self.folder, env=self.environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    def checks(self, name: str | None = None) -> list[dict[str, Any]]:
        return [check for check in self.result()["checks"] if name in (None, check["name"])]

    def verdicts(self, name: str) -> list[str]:
        return [check["verdict"] for check in self.checks(name)]

    def say(self, text: str) -> None:
        """Give pipeline.yaml a section for validate."""
        path = self.folder / "pipeline.yaml"
        path.write_text(path.read_text() + text)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_good_series_is_green_in_every_check_and_every_paper(desk: Desk) -> None:
    desk.series(ONE, TWO)
    code, output = desk.validate()
    assert code == 0, output
    assert list(dict.fromkeys(check["name"] for check in desk.checks())) == CHECKS
    assert {check["verdict"] for check in desk.checks()} == {"pass"}, output
    assert [check["subject"] for check in desk.checks("compile")] == ["1/2 toy: edit 1", "2/2 toy: edit 2"]
    assert desk.result()["series"][0]["verdict"] == "pass"
    assert any("the index lines" in note for note in desk.result()["notes"]), desk.result()["notes"]
    last = desk.folder / "results" / "last"
    cases = {(c.get("classname"), c.get("name")) for c in ET.parse(last / "junit.xml").iter("testcase")}
    assert ("checks.compile", "2/2 toy: edit 2") in cases and ("checks.sparse", "small") in cases
    assert "| ✅ | `compile` | 2 of 2 |" in (last / "summary.md").read_text()
    assert desk.left_running() == []


def test_what_no_kernel_is_made_of_is_no_pass(desk: Desk) -> None:
    names = ("mm/odd.c", "arch/arm64/mm/proc.S", "tools/testing/selftests/mm/odd.c")
    for name in names:
        (desk.folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / "tree" / name).write_text("int odd = 1;\n")
    desk.git("add", "-fA")
    desk.commit("toy: files that no configuration has")
    desk.series(ONE, *((name, "odd = 1", "odd odd") for name in names))
    code, output = desk.validate()
    assert code == 0 and desk.verdicts("compile") == ["pass", "skip", "skip", "skip"], output
    messages = [check["message"] for check in desk.checks("compile")[1:]]
    assert messages[0].startswith("the kernel is the same without it: mm/odd.c is not in"), messages
    assert messages[1].startswith("the kernel is the same without it: arch/arm64/mm/proc.S is not in"), messages
    assert messages[2].startswith(f"the kernel is the same without it: {names[2]} is no part of the kernel"), messages


def test_a_share_of_lines_that_is_wanted_and_not_known_is_no_pass(desk: Desk) -> None:
    desk.say("validate: {coverage: {at_least: 80}}\n")
    desk.series(ONE)
    code, output = desk.validate()
    assert code == 3 and desk.verdicts("suites") == [] and desk.verdicts("coverage") == ["infra"], output
    (check,) = desk.checks("coverage")
    assert check["subject"] == "small" and "what ran is not known: QEMU takes no plugin" in check["message"]
    assert desk.result()["series"][0]["verdict"] == "pass", "the tests are as they were"
    code, output = desk.validate("--skip", "coverage")
    assert code == 0 and desk.checks("coverage") == [], output


def test_a_series_that_does_not_apply_is_still_read_and_nothing_else_passes(desk: Desk) -> None:
    desk.series(ONE, TWO)
    second = next((desk.folder / "series").glob("0002*"))
    second.write_text(second.read_text().replace(" int ", " long ").replace("-\treturn", "-\treturn 17 *"))
    code, output = desk.validate()
    assert code == 1, output
    assert desk.verdicts("applies") == ["fail"] and "2/2" in desk.checks("applies")[0]["message"]
    assert desk.verdicts("checkpatch") == ["pass", "pass"]
    for name in ("compile", "warnings", "sparse", "builds", "suites"):
        assert desk.verdicts(name) == ["skip"], output
        assert desk.checks(name)[0]["message"] == "did not run: the series does not apply"


def test_the_patch_that_breaks_the_build_is_named_though_a_later_one_mends_it(desk: Desk) -> None:
    broken = ("mm/swap.c", "page - 1", "pgae - 1")
    desk.series(ONE, broken, ("mm/swap.c", "pgae - 1", "page - 1"))
    code, output = desk.validate()
    assert code == 1, output
    assert desk.verdicts("compile") == ["pass", "fail", "pass"]
    (failed,) = [check for check in desk.checks("compile") if check["verdict"] == "fail"]
    assert "pgae" in failed["message"] and Path(failed["log"]).is_file()
    assert desk.result()["series"][0]["verdict"] == "pass", "the tip builds, so it is booted and tested"


def test_a_patch_after_the_one_that_breaks_the_build_is_not_charged_with_its_error(desk: Desk) -> None:
    moves = ("mm/swap.c", "static int never_called", "\n\nstatic int never_called")
    desk.series(("mm/swap.c", "page - 1", "pgae - 1"), moves, ("mm/swap.c", "pgae - 1", "page - 1"))
    code, output = desk.validate()
    assert code == 1 and desk.verdicts("compile") == ["fail", "skip", "pass"], output
    assert desk.checks("compile")[1]["message"].startswith("1/3 toy: edit 1 broke the build: "), output


def test_a_series_whose_tip_does_not_build_is_not_booted(desk: Desk) -> None:
    desk.series(("mm/swap.c", "page - 1", "pgae - 1"))
    code, output = desk.validate()
    assert code == 1, output
    for name in ("warnings", "sparse", "suites"):
        assert desk.verdicts(name) == ["skip"] and "small" in desk.checks(name)[0]["message"]
    assert desk.verdicts("builds") == ["fail"] and desk.result()["jobs"] == []


def test_a_new_warning_is_charged_to_the_patch_that_brings_it(desk: Desk) -> None:
    warns = ("mm/memory.c", "return page + 1;", "int unused;\n\n\treturn page + 1;")
    desk.series(TWO, warns)
    code, output = desk.validate()
    assert code == 1, output
    assert desk.verdicts("compile") == ["pass", "fail"]
    assert "unused variable" in desk.checks("compile")[1]["details"][0]
    assert desk.verdicts("builds") == ["fail"], "the base has a warning of its own in mm/swap.c; this one is new"
    assert len(desk.checks("builds")[0]["details"]) == 1


def test_a_warning_that_only_more_warnings_show_is_found(desk: Desk) -> None:
    desk.series(("mm/memory.c", "int fault", "int more(int unused)\n{\n\treturn 0;\n}\n\nint fault"))
    code, output = desk.validate("--skip", "sparse", "--skip", "suites")
    assert code == 1, output
    assert desk.verdicts("compile") == ["pass"] and desk.verdicts("warnings") == ["fail"]
    assert "unused parameter" in desk.checks("warnings")[0]["details"][0]


def test_only_new_complaints_of_sparse_count(desk: Desk) -> None:
    desk.series(("mm/memory.c", "int fault", "int not_declared;\nint fault"))
    code, output = desk.validate()
    assert code == 1, output
    (check,) = desk.checks("sparse")
    assert check["verdict"] == "fail" and len(check["details"]) == 1, check
    assert "not_declared" in check["details"][0], "fault() was not declared before either"


ONLY_WARNINGS = tuple(f"--skip={name}" for name in (*CHECKS[1:], "suites") if name != "warnings")
ONLY_SPARSE = tuple(f"--skip={name}" for name in (*CHECKS[1:], "suites") if name != "sparse")


@pytest.mark.parametrize(("tool", "options"), [("sparse", ONLY_SPARSE), ("warnings", ONLY_WARNINGS)])
def test_a_file_of_another_architecture_takes_no_verdict_from_the_others(
    desk: Desk, tool: str, options: tuple[str, ...]
) -> None:
    """5.10 makes nothing of it, says nothing, and exits with 0."""
    tree = desk.folder / "tree"
    (tree / "arch/arm64").mkdir(parents=True)
    (tree / "arch/arm64/fault.c").write_text("int other = 1;\n")
    makefile = tree / "mm" / "Makefile"
    makefile.write_text(makefile.read_text() + "arch/arm64/%.o: ; @:\n")
    desk.git("add", "-fA")
    desk.commit("base: another architecture")
    desk.series(ONE, ("arch/arm64/fault.c", "= 1", "= 2"))
    code, output = desk.validate(*options)
    (check,) = desk.checks(tool)
    assert code == 0 and check["verdict"] == "pass", output
    assert check["message"].endswith("make has no rule in this configuration for arch/arm64/fault.o"), check


@pytest.mark.parametrize(("tool", "options"), [("sparse", ONLY_SPARSE), ("warnings", ONLY_WARNINGS)])
def test_a_file_that_the_series_renames_is_looked_at_by_its_new_name(
    desk: Desk, tool: str, options: tuple[str, ...]
) -> None:
    tree = desk.folder / "tree"
    (tree / "mm" / "swap.c").rename(tree / "mm" / "swapfile.c")
    (tree / "mm" / "Makefile").write_text((tree / "mm" / "Makefile").read_text().replace("swap.o", "swapfile.o"))
    desk.git("add", "-fA")
    desk.commit("toy: rename")
    desk.git("format-patch", "-q", "-o", str(desk.folder / "series"), "HEAD~1")
    desk.git("reset", "-q", "--hard", "HEAD~1")
    code, output = desk.validate(*options)
    (check,) = desk.checks(tool)
    assert code == 0 and check["verdict"] == "pass", output
    assert check["message"] == "nothing new in 1 objects; the series removes mm/swap.o"


def with_a_line(desk: Desk, name: str, line: str) -> None:
    """Put a line into a file of the base."""
    path = desk.folder / "tree" / name
    path.write_text(path.read_text() + line)
    desk.git("add", "-fu")
    desk.commit("base: a line")


def with_a_header(desk: Desk, *lines: str) -> None:
    """Give the base a header that has something to complain of, which mm/swap.c includes."""
    bad = "static inline int helper(int idle)\n{\n\treturn 0;\n}\nint bare;\n"
    (desk.folder / "tree" / "include" / "old.h").write_text(bad)
    path = desk.folder / "tree" / "mm" / "swap.c"
    path.write_text("\n".join((*lines, '#include "old.h"', path.read_text())))
    desk.git("add", "-fA")
    desk.commit("base: a header")


@pytest.mark.parametrize(("tool", "options"), [("sparse", ONLY_SPARSE), ("warnings", ONLY_WARNINGS)])
def test_what_a_header_of_the_base_is_like_is_not_charged_to_who_includes_it(
    desk: Desk, tool: str, options: tuple[str, ...]
) -> None:
    with_a_header(desk)
    desk.series(("mm/memory.c", '#include "fake.h"', '#include "fake.h"\n#include "old.h"'))
    code, output = desk.validate(*options)
    (check,) = desk.checks(tool)
    assert code == 0 and check["verdict"] == "pass", output
    assert check["details"][0].startswith("include/old.h:") and "does not change" in check["message"], check


def test_a_header_that_the_base_compiles_without_a_word_is_charged(desk: Desk) -> None:
    with_a_header(desk, "#ifdef BAD", "#endif")
    header = desk.folder / "tree" / "include" / "old.h"
    header.write_text(f"#ifdef BAD\n{header.read_text()}#endif\n")
    desk.git("add", "-fA")
    desk.commit("base: quiet")
    desk.series(("mm/swap.c", "#ifdef BAD", "#define BAD\n#ifdef BAD"))
    code, output = desk.validate(*ONLY_WARNINGS)
    assert code == 1 and desk.checks("warnings")[0]["details"][0].startswith("include/old.h:"), output


def fragile(desk: Desk, tool: str) -> None:
    """Let a tool die where a file asks for it: sparse, or the compiler at W=1."""
    if tool == "sparse":
        real = "for f; do :; done\ngrep -q 'here the tool dies' $f && kill -SEGV $$\nexec /usr/bin/sparse \"$@\"\n"
        (desk.folder / "bin" / "sparse").write_text(f"#!/bin/sh\n{real}")
        (desk.folder / "bin" / "sparse").chmod(0o755)
        return
    path = desk.folder / "tree" / "Makefile"
    dies = "$(if $(W),-Wextra; ! grep -q 'here the tool dies' $< || kill -SEGV $$$$)"
    path.write_text(path.read_text().replace("$(if $(W),-Wextra)", dies))
    desk.git("add", "-fu")
    desk.commit("base: a compiler that dies")


@pytest.mark.parametrize(("tool", "options"), [("sparse", ONLY_SPARSE), ("warnings", ONLY_WARNINGS)])
def test_what_a_tool_could_not_say_of_the_base_is_not_charged_to_the_series(
    desk: Desk, tool: str, options: tuple[str, ...]
) -> None:
    fragile(desk, tool)
    with_a_line(desk, "mm/memory.c", "int spare(int unused)\n{\n\treturn 0;\n}\n// here the tool dies\n")
    desk.series(("mm/memory.c", "// here the tool dies\n", ""))
    code, output = desk.validate(*options)
    assert code == 3, output
    (check,) = desk.checks(tool)
    assert check["verdict"] == "infra" and "mm/memory.o" in check["message"] and "base" in check["message"], check
    assert check["details"] == [] and Path(check["log"]).is_file()


def test_what_is_new_elsewhere_is_charged_though_the_base_could_not_be_heard_about_all(desk: Desk) -> None:
    fragile(desk, "sparse")
    with_a_line(desk, "mm/memory.c", "// here the tool dies\n")
    desk.series(
        ("mm/memory.c", "page + 1", "page + 2"), ("mm/swap.c", "static int never", "int bare;\nstatic int never")
    )
    code, output = desk.validate(*ONLY_SPARSE)
    assert code == 1, output
    (check,) = desk.checks("sparse")
    assert check["verdict"] == "fail" and len(check["details"]) == 1 and "bare" in check["details"][0], check
    assert "mm/memory.o" in check["message"]


@pytest.mark.parametrize(("tool", "options"), [("sparse", ONLY_SPARSE), ("warnings", ONLY_WARNINGS)])
def test_a_tool_that_dies_on_the_patched_file_is_no_pass(desk: Desk, tool: str, options: tuple[str, ...]) -> None:
    fragile(desk, tool)
    desk.series(("mm/memory.c", "int fault", "// here the tool dies\nint fault"))
    code, output = desk.validate(*options)
    assert code == 3, output
    (check,) = desk.checks(tool)
    assert check["verdict"] == "infra" and "mm/memory.o" in check["message"], check


def test_an_error_that_the_base_has_at_w1_is_not_new(desk: Desk) -> None:
    path = desk.folder / "tree" / "Makefile"
    path.write_text(path.read_text().replace("$(if $(W),-Wextra)", "$(if $(W),-Wextra -Werror)"))
    with_a_line(desk, "mm/memory.c", "int spare(int unused)\n{\n\treturn 0;\n}\n")
    desk.series(ONE)
    assert desk.validate(*ONLY_WARNINGS)[0] == 0
    desk.series(("mm/memory.c", "int fault", "int more(int idle)\n{\n\treturn 0;\n}\n\nint fault"))
    code, output = desk.validate(*ONLY_WARNINGS)
    assert code == 1, output
    (check,) = desk.checks("warnings")
    assert len(check["details"]) == 1 and "idle" in check["details"][0], check


def test_the_files_of_a_diff_between_two_folders_are_looked_at(desk: Desk) -> None:
    """Its names begin with the two folders: what it touches is what changes in the tree."""
    path = desk.folder / "tree" / "mm" / "memory.c"
    old = path.read_text()
    new = old.replace("int fault", "int not_declared;\nint fault")
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), "toy.orig/mm/memory.c", "toy/mm/memory.c")
    (desk.folder / "series" / "fix.diff").write_text("".join(lines))
    code, output = desk.validate(*ONLY_SPARSE)
    assert code == 1, output
    (check,) = desk.checks("sparse")
    assert check["verdict"] == "fail" and "not_declared" in check["details"][0], check


def test_an_error_of_checkpatch_fails_and_less_is_a_remark(desk: Desk) -> None:
    desk.series(
        ("mm/memory.c", "return page + 1;", "return page + 2; "), ("mm/swap.c", "return 0", "return !!(0 == NULL)")
    )
    code, output = desk.validate("--skip", "compile", "--skip", "builds", "--skip", "suites")
    assert code == 1 and desk.verdicts("checkpatch") == ["fail", "pass"], output
    assert [c["details"] for c in desk.checks("checkpatch")] == [
        ["mm/memory.c:6: ERROR:TRAILING_WHITESPACE: trailing whitespace"],
        ['mm/swap.c:6: CHECK:COMPARISON_TO_NULL: Comparison to NULL could be written "!x"'],
    ]
    desk.say("validate: {checkpatch: check, skip: [compile, sparse, warnings, builds, suites]}\n")
    assert desk.validate()[0] == 1
    assert desk.verdicts("checkpatch") == ["fail", "fail"]


def test_the_patches_behind_the_first_red_are_said_not_to_have_run(desk: Desk) -> None:
    desk.series((ONE[0], ONE[1], "return page + 2; "), TWO)
    code, output = desk.validate("--stop-at-first")
    assert code == 1 and desk.verdicts("checkpatch") == ["fail", "skip"], output
    rest = desk.checks("checkpatch")[1]
    assert rest["subject"] == "1 more patch"
    assert rest["message"] == "did not run: --stop-at-first, and checkpatch: 1/2 toy: edit 1 is red"


def test_a_commit_that_a_tree_without_history_cannot_know_is_not_charged(desk: Desk) -> None:
    desk.say("validate: {checkpatch: warning, skip: [compile, sparse, warnings, builds, suites]}\n")

    def validate_a_fix() -> tuple[int, str]:
        desk.series(ONE)
        (patch,) = (desk.folder / "series").iterdir()
        patch.write_text(patch.read_text().replace("\n---\n", '\nFixes: 1da177e4c3f4 ("Linux-2.6.12-rc2")\n---\n', 1))
        return desk.validate()

    code, output = validate_a_fix()
    assert code == 0 and desk.checks("checkpatch")[0]["message"] == "clean", output
    assert "checkpatch looks up no commit that a patch names: toy has no history, or part of it" in output
    with_a_line(desk, "mm/memory.c", "int spare;\n")
    code, output = validate_a_fix()
    assert code == 1 and "1da177e4c3f4" in desk.checks("checkpatch")[0]["details"][0], output
    assert "has no history" not in output


def test_a_checkpatch_that_ends_early_is_no_clean_patch(desk: Desk) -> None:
    (desk.folder / "tree" / "MUTE").write_text("")
    desk.git("add", "-fA")
    desk.commit("mute")
    desk.series(ONE)
    code, output = desk.validate("--skip", "suites")
    assert code == 3, output
    assert desk.checks("checkpatch")[0]["message"] == "scripts/checkpatch.pl did not come to its end"


def test_what_was_not_asked_for_is_said_and_is_no_pass(desk: Desk) -> None:
    desk.series(ONE)
    code, output = desk.validate(*(f"--skip={name}" for name in (*CHECKS[1:], "suites")))
    assert code == 0, output
    assert {check["verdict"] for check in desk.checks() if check["name"] != "applies"} == {"skip"}
    assert "not asked for" in (desk.folder / "results" / "last" / "junit.xml").read_text()
    code, output = desk.validate("--skip", "sprase")
    assert code == 2 and "did you mean 'sparse'" in output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--variant", "smal"), "did you mean 'small'"),
        (("--build", "smal"), "did you mean 'small'"),
        (("--suite", "onw"), "did you mean 'own'"),
        (("--test", "T2"), "did you mean 'T02'"),
        (("--skip", "sprase"), "did you mean 'sparse'"),
        (("--tree", "toi"), "did you mean 'toy'"),
    ],
)
def test_a_name_typed_wrong_is_one_line_and_leaves_the_last_run_alone(
    desk: Desk, options: tuple[str, ...], said: str
) -> None:
    desk.series(ONE)
    earlier = desk.folder / "results" / "earlier"
    earlier.mkdir(parents=True)
    (desk.folder / "results" / "last").symlink_to("earlier")
    code, output = desk.validate(*options)
    assert code == 2 and said in output.splitlines()[-1], output
    assert (desk.folder / "results" / "last").resolve() == earlier
    assert sorted(path.name for path in (desk.folder / "results").iterdir()) == ["earlier", "last"]


def test_a_variant_that_must_build_and_does_not(desk: Desk) -> None:
    (desk.folder / "noswap.config").write_text("CONFIG_64BIT=y\n# CONFIG_SWAP is not set\n")
    path = desk.folder / "pipeline.yaml"
    path.write_text(
        path.read_text().replace("suites:", "  noswap: {fragments: [noswap.config], accel: tcg}\nsuites:", 1)
    )
    desk.say("validate: {builds: [noswap]}\n")
    desk.series(("mm/memory.c", "return page + 1;", "extern int swap_out(int);\n\n\treturn swap_out(page);"))
    code, output = desk.validate()
    assert code == 1, output
    assert [(c["subject"], c["verdict"]) for c in desk.checks("builds")] == [("small", "pass"), ("noswap", "fail")]
    assert "swap_out" in desk.checks("builds")[1]["message"]


def test_a_base_that_does_not_build_is_not_the_fault_of_the_series(desk: Desk) -> None:
    path = desk.folder / "tree" / "mm" / "swap.c"
    path.write_text(path.read_text() + "broken\n")
    desk.git("add", "-fu")
    desk.commit("broken base")
    desk.series(ONE)
    code, output = desk.validate()
    assert code == 3, output
    assert desk.verdicts("compile") == ["infra"] and desk.verdicts("suites") == ["skip"]


@pytest.mark.nightly
def test_a_regression_that_comes_and_goes_is_tried_again_and_fails(desk: Desk) -> None:
    desk.series(plays("flaky T01 0100"))
    code, output = desk.validate("--runs", "2")
    assert code == 1, output
    (series,) = desk.result()["series"]
    assert "T01 is flaky" in series["reason"] or "flaky with the series only" in series["reason"]
    (suite,) = series["patched"]["suites"]
    tries = dict(suite["retried"])
    assert tries["T01"] == ["pass", "fail", "pass"], "every outcome is kept, in order; the last is the status itself"
    assert len(tries["T02"]) == 1, "what does not differ is not tried again"


def test_a_regression_is_tried_again_and_stays_one(desk: Desk) -> None:
    desk.series(plays("not-ok T02"))
    code, output = desk.validate()
    assert code == 1, output
    (series,) = desk.result()["series"]
    assert "T02: works→broken, regression" in series["reason"]
    assert dict(series["patched"]["suites"][0]["retried"])["T02"] == ["fail", "fail"]


def test_an_interrupted_validation_is_not_green_and_the_next_goes_on_from_it(desk: Desk) -> None:
    desk.series(ONE, plays("panic of the patched kernel"))
    slow = desk.folder / "tree" / "mm" / "Makefile"
    slow.write_text(slow.read_text() + "\n$(shell test -e building || { touch building; sleep 3; })\n")
    desk.git("add", "-fu")
    desk.commit("toy: a slow directory")
    with subprocess.Popen(desk.argv("validate", "series"), cwd=desk.folder, env=desk.environment) as child:
        wait_for(desk.folder, "cache/**/building")
        child.send_signal(signal.SIGINT)
    assert child.returncode == 130
    result = desk.result()
    assert result["verdict"] == "infra" and any("compile" in note for note in result["notes"])
    assert desk.left_running() == []
    code, output = desk.validate()
    assert code == 1, output
    assert "Kernel panic" in desk.result()["series"][0]["reason"]
    code, output = desk.validate()
    assert "(built before)" in desk.checks("compile")[0]["message"]


def test_json_is_the_only_thing_on_standard_output(desk: Desk) -> None:
    desk.series(ONE)
    done = subprocess.run(
        desk.argv("validate", "series", "--json"), cwd=desk.folder, env=desk.environment, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["verdict"] == "pass"
