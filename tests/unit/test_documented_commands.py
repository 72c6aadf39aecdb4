"""Every command that README.md and docs/ show is one that exists, with names that exist, and that a test runs.

``TESTS`` says which. A command that is shown and has no row is red; so is a row whose command is shown no more.
"""

from __future__ import annotations

import ast
import functools
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from orchestrator import suite
from orchestrator.cli import main
from orchestrator.config import loader

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "patches" / "evidence").glob("*.md")),
]
PIPELINE = loader.load(ROOT / "pipeline.yaml")

BISECT = "tests/stage/bisect/test_run.py::"
TYPED = "tests/stage/cli/test_commands.py::"
RUN = "tests/stage/pipeline/test_run.py::"
EACH = "tests/stage/validate/test_each_patch.py::"
VALIDATE = "tests/stage/validate/test_run.py::"
NAMED = "tests/stage/validate/test_sources.py::"

OWN = "tests/stage/cli/test_own_tree.py::"
BUNDLE = "tests/stage/cli/test_bundle.py::"
PROGRAM = "tests/stage/cli/test_own_programs.py::"

ENGINE = "tests/stage/engine/test_commands.py::"
CLUSTER = "tests/stage/engine/test_cluster.py::"

TESTS: Mapping[str, tuple[str, ...]] = {
    "wpci run": (f"{OWN}test_the_commits_on_top_of_the_upstream_are_the_series",),
    "wpci run --variant coverage": ("tests/boot/test_gcov.py::test_gcov_and_the_plugin_agree_on_what_ran",),
    "wpci run --suite kselftest-mm": (f"{TYPED}test_the_selftests_of_the_tree_under_test",),
    "wpci inspect": ("tests/stage/cli/test_inspect.py::test_a_guest_of_which_there_is_no_dump_is_named",),
    "wpci inspect -e report()": ("tests/stage/cli/test_inspect.py::test_a_guest_of_which_there_is_no_dump_is_named",),
    "wpci inspect --live": (
        "tests/boot/test_postmortem.py::test_a_guest_that_runs_is_looked_at",
        "tests/stage/cli/test_inspect.py::test_a_live_guest_that_drgn_cannot_read_is_gone_afterwards",
    ),
    "wpci run --isolate": ("tests/stage/pipeline/test_alone.py::test_isolated_tests_have_a_guest_each",),
    "wpci run --shards 4": ("tests/stage/pipeline/test_alone.py::test_a_suite_in_parts_has_the_verdict_of_the_whole",),
    "wpci run --base v6.12": (f"{OWN}test_another_base_is_named_and_below_the_top_of_the_tree",),
    "wpci run HEAD~3..": (f"{OWN}test_a_series_is_an_argument",),
    "wpci run patches/": (f"{OWN}test_a_series_is_an_argument",),
    "wpci run --dirty": (f"{OWN}test_what_is_not_committed_is_the_last_patch_where_that_is_wanted",),
    "wpci build": (f"{OWN}test_the_tree_is_built_booted_and_entered_as_it_stands",),
    "wpci boot": (f"{OWN}test_the_tree_is_built_booted_and_entered_as_it_stands",),
    "wpci shell": (f"{OWN}test_a_tree_that_does_not_build_says_so_and_keeps_the_log",),
    "wpci diff": (f"{PROGRAM}test_a_red_verdict_shows_why_and_two_runs_are_compared",),
    "wpci diff 20261128-045024-124e": (f"{PROGRAM}test_a_red_verdict_shows_why_and_two_runs_are_compared",),
    "wpci bundle": (f"{BUNDLE}test_a_bundle_shows_the_same_where_there_is_nothing_but_qemu",),
    "wpci bundle last --side base --out given": (
        f"{BUNDLE}test_a_folder_is_a_bundle_too_and_the_script_of_a_job_is_the_same",
    ),
    "wpci doctor --fix": (f"{TYPED}test_the_machine_is_looked_over",),
    "wpci shell -- cat /proc/meminfo": (f"{OWN}test_the_tree_is_built_booted_and_entered_as_it_stands",),
    "wpci shell --dirty --variant main": (f"{OWN}test_a_tree_that_does_not_build_says_so_and_keeps_the_log",),
    "wpci init": (f"{OWN}test_a_pipeline_file_of_ones_own_adds_to_the_one_that_came_along",),
    "wpci init --tree ~/linux --out mine.yaml": (
        f"{OWN}test_a_pipeline_file_of_ones_own_adds_to_the_one_that_came_along",
    ),
    "wpci run --program repro.c": (f"{PROGRAM}test_a_series_that_cures_what_a_reproducer_shows_is_a_fix",),
    "wpci run --base HEAD --program repro.c": (f"{PROGRAM}test_the_exit_code_is_the_outcome",),
    "wpci run --program check.sh --program-args -v 3 --repeat 10 --timeout 90s": (
        f"{PROGRAM}test_one_failure_in_many_runs_is_a_failure",
    ),
    "wpci bisect --good v6.11 --bad v6.12 --program repro.c": (
        f"{PROGRAM}test_a_program_is_validated_with_and_bisected_with",
    ),
    "wpci validate SERIES --program repro.c": (f"{PROGRAM}test_a_program_is_validated_with_and_bisected_with",),
    "wpci run --base HEAD --program repro.c --expect-splat KASAN: use-after-free*": (
        f"{PROGRAM}test_a_reproducer_that_is_meant_to_crash",
    ),
    "wpci run --program repro.c --endless --timeout 60s": (
        f"{PROGRAM}test_a_program_has_a_time_and_one_without_an_end_may_use_it_up",
    ),
    "make run": (f"{TYPED}test_make_run_is_the_run",),
    "make doctor": (f"{TYPED}test_make_doctor_says_what_this_machine_lacks",),
    "make check": (f"{TYPED}test_make_check_is_lint_types_and_the_unit_ring",),
    "make test": (f"{TYPED}test_make_test_is_red_where_any_test_is",),
    "make test-nightly": (f"{TYPED}test_make_test_nightly_runs_what_make_test_leaves_out",),
    "make test-kvm": (f"{TYPED}test_make_test_kvm_runs_that_ring_alone",),
    "make test-slurm": (f"{TYPED}test_make_test_slurm_runs_that_ring_alone",),
    "wpci bisect": (f"{BISECT}test_a_fault_behind_a_merge_is_found_verified_and_replayed",),
    "wpci bisect --continue": (f"{BISECT}test_killed_in_every_step_it_goes_on_and_runs_no_finished_step_again",),
    "wpci bisect --series ~/outgoing -s G02_anon-swap": (f"{BISECT}test_a_flaky_boot_of_a_patch_is_found_in_boots",),
    "wpci bisect --series ~/outgoing -s Z01_dontneed.memfd-shared": (
        f"{BISECT}test_a_flaky_boot_of_a_patch_is_found_in_boots",
    ),
    "wpci bisect --tree linux-5.10 --good 5.10.251-5 --bad 5.10.262-1 -s boot": (
        f"{BISECT}test_a_fault_behind_a_merge_is_found_verified_and_replayed",
        "tests/stage/bisect/test_versions.py::test_the_version_that_brings_a_symptom_is_found",
    ),
    "wpci bisect --tree ~/linux --good v6.11 --bad v6.12 -s G02_anon-present": (
        f"{BISECT}test_a_fault_behind_a_merge_is_found_verified_and_replayed",
    ),
    "wpci bisect --tree ~/linux --good v6.11 --bad v6.12 -s boot": (
        f"{BISECT}test_a_fault_behind_a_merge_is_found_verified_and_replayed",
    ),
    "wpci boot --run last --side patched --gdb": (
        f"{TYPED}test_a_run_is_gone_back_to_with_a_shell_gdb_and_its_script",
    ),
    "wpci clean": ("tests/stage/pipeline/test_faults.py::test_clean_leaves_a_run_alone_and_cleans_after_it",),
    "wpci clean --old": (f"{RUN}test_old_kernels_go_when_asked_for_and_all_with_the_work_trees",),
    "wpci doctor": (f"{TYPED}test_the_machine_is_looked_over",),
    "wpci history": ("tests/stage/history/test_history.py::test_the_command_lists_runs_and_what_a_test_showed",),
    "wpci history uffd/Z07_truncate-extend.memfd-shared": (
        "tests/stage/history/test_history.py::test_the_command_lists_runs_and_what_a_test_showed",
    ),
    "wpci kcidb last --out report.json": (
        "tests/stage/report/test_kcidb.py::test_it_says_where_things_are_only_if_they_are_published_and_writes_a_file",
    ),
    "wpci report": ("tests/stage/site/test_report.py::test_the_command_writes_a_page_for_each_test_and_title",),
    "wpci report --out DIR": (
        "tests/stage/site/test_report.py::test_the_pages_can_be_written_elsewhere_and_look_back_on_fewer_runs",
    ),
    "wpci mutate": ("tests/stage/mutation/test_run.py::test_each_hunk_is_taken_out_and_its_fate_is_told",),
    "wpci mutate --every-test --only 0012*": (
        "tests/stage/mutation/test_run.py::test_every_test_is_tried_where_that_is_asked_for",
    ),
    "wpci mutate --only 0012*": (
        "tests/stage/cli/test_options.py::test_mutants_of_one_mode_and_variant_with_a_report_elsewhere",
    ),
    "wpci mutate --only fault/*": (
        "tests/stage/mutation/test_run.py::test_a_planted_fault_is_tried_with_the_tests_that_must_notice",
    ),
    "wpci list": (f"{TYPED}test_what_a_run_would_do_is_what_it_does",),
    "wpci list --tests": (f"{TYPED}test_a_list_of_tests_says_what_each_is_about",),
    "wpci nightly": (
        "tests/stage/nightly/test_run.py::test_a_night_is_compared_with_the_last_and_what_differs_runs_once_more",
    ),
    "wpci nightly --continue": (
        f"{CLUSTER}test_the_scheduler_dies_and_the_night_goes_on_later",
        f"{ENGINE}test_a_night_that_is_complete_is_not_gone_on_with",
    ),
    "wpci nightly --engine local": (
        f"{CLUSTER}test_a_night_on_three_workers_is_the_night_that_it_is_here",
        f"{ENGINE}test_a_night_on_workers_of_this_machine",
    ),
    "wpci validate SERIES --engine workers:2": (
        "tests/stage/engine/test_modes.py::test_a_validation_has_pairs_tested_and_kernels_built_on_workers",
        f"{VALIDATE}test_a_good_series_is_green_in_every_check_and_every_paper",
    ),
    "wpci bisect --good v6.11 --bad v6.12 -s boot --engine workers:2": (
        f"{BISECT}test_a_bisect_has_kernels_built_on_workers",
    ),
    "wpci run --engine workers:2": ("tests/stage/engine/test_modes.py::test_red_tests_run_alone_on_workers_too",),
    "wpci mutate --engine workers:2": (
        "tests/stage/mutation/test_run.py::test_mutants_are_tried_on_workers_as_they_are_here",
    ),
    "wpci certificates /nfs/wpci/certificates": (f"{ENGINE}test_certificates_are_made_once_and_for_this_user_alone",),
    "wpci worker tls://scheduler:8786 --certificates /nfs/wpci/certificates": (
        f"{CLUSTER}test_a_worker_that_dies_costs_time_and_no_verdict",
        f"{ENGINE}test_a_worker_that_cannot_be_is_refused",
    ),
    "wpci parse": (f"{TYPED}test_saved_files_are_read_as_in_the_run",),
    "wpci run --at 7 --test *": (f"{RUN}test_a_part_of_a_series_is_run_as_one",),
    "wpci run --mode full --variant smoke --suite uffd": (
        f"{TYPED}test_a_mode_with_a_variant_a_suite_and_a_test_of_ones_choice",
    ),
    "wpci run --mode markers --test X03": (f"{TYPED}test_a_mode_with_a_variant_a_suite_and_a_test_of_ones_choice",),
    "wpci run --series fix.diff --test Z* --variant smoke": (f"{TYPED}test_a_plain_diff_some_tests_and_a_variant",),
    "wpci run --test B01": (f"{TYPED}test_a_mode_with_a_variant_a_suite_and_a_test_of_ones_choice",),
    "wpci run --tree linux-7.3 --variant smoke --suite uffd --test C12*": (
        f"{TYPED}test_a_mode_with_a_variant_a_suite_and_a_test_of_ones_choice",
        f"{TYPED}test_a_folder_of_patches_on_ones_own_tree",
    ),
    "wpci run --tree linux-7.3 --variant kselftest --suite uffd --test P15*": (
        f"{TYPED}test_a_mode_with_a_variant_a_suite_and_a_test_of_ones_choice",
        f"{TYPED}test_a_folder_of_patches_on_ones_own_tree",
    ),
    "wpci run --tree ~/linux --series -": (f"{TYPED}test_a_series_from_standard_input",),
    "wpci run --tree ~/linux --series v6.12..my-branch": (
        f"{RUN}test_ones_own_range_needs_no_yaml_and_leaves_the_tree_alone",
    ),
    "wpci run --tree ~/linux --series ~/outgoing": (f"{TYPED}test_a_folder_of_patches_on_ones_own_tree",),
    "wpci scan": (f"{TYPED}test_saved_files_are_read_as_in_the_run",),
    "wpci schema": (f"{TYPED}test_the_schema_is_one_for_editors",),
    "wpci shell --run last --side patched": (f"{TYPED}test_a_run_is_gone_back_to_with_a_shell_gdb_and_its_script",),
    "wpci validate 20261124030844.1234-1-dev@example.org": (f"{NAMED}test_a_series_of_an_archive_is_validated",),
    "wpci validate 20261124030844.1234-1-dev@example.org --mbox thread.mbox": (
        f"{NAMED}test_a_thread_on_disk_needs_no_network",
    ),
    "wpci validate https://lore.kernel.org/linux-mm/20261124030844.1234-1-dev@example.org/": (
        f"{NAMED}test_a_series_of_an_archive_is_validated",
    ),
    "wpci validate SERIES --each-patch boot": (
        f"{VALIDATE}test_a_good_series_is_green_in_every_check_and_every_paper",
        f"{EACH}test_a_kernel_that_comes_up_is_enough_where_no_more_is_asked_for",
    ),
    "wpci validate uffd-wp-shmem --skip builds --skip suites": (
        f"{VALIDATE}test_a_good_series_is_green_in_every_check_and_every_paper",
        f"{EACH}test_no_kernel_no_base_and_the_first_red",
    ),
    "wpci validate uffd-wp-shmem --each-patch test --skip builds": (
        f"{VALIDATE}test_a_good_series_is_green_in_every_check_and_every_paper",
        f"{EACH}test_no_kernel_no_base_and_the_first_red",
    ),
    "wpci run --base origin/master": (f"{OWN}test_another_base_is_named_and_below_the_top_of_the_tree",),
    "wpci validate SERIES --each-patch test": (
        f"{VALIDATE}test_a_good_series_is_green_in_every_check_and_every_paper",
        f"{EACH}test_what_a_later_patch_mends_is_charged_to_the_patch_that_broke_it",
    ),
    "wpci validate SERIES": (f"{VALIDATE}test_a_good_series_is_green_in_every_check_and_every_paper",),
}
"""A command as the pages show it (without ``.venv/bin/``, quotes and comment) → the tests that run it."""

HOW = """no row for it in TESTS of tests/unit/test_documented_commands.py. Add
    "{command}": ("tests/stage/test_….py::test_…",),
with the test that runs this command with these options. Where there is none, write one:
tests/stage/cli/test_commands.py types commands on a fake kernel tree, with guests that come up."""


@dataclass(frozen=True)
class Shown:
    """A command where a page shows it."""

    place: str
    argv: tuple[str, ...]

    @property
    def command(self) -> str:
        return " ".join(self.argv)


_LINE = re.compile(r"(?:.*\| *)?(?:\$ )?(?:\S*/)?(?P<command>(?:wpci|make) +[A-Za-z].*)")
_INLINE = re.compile(r"`(?:\S*/)?(?P<command>(?:wpci|make)\s+[A-Za-z][^`]*)`")


def shown(text: str, name: str) -> Iterator[Shown]:
    """Yield the commands of a page: lines of code blocks, and inline code that begins with one.

    A ``make`` whose first word is a variable is a kernel tree's, and none of ours.
    """
    fenced, prose = False, []
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        code = fenced or line.startswith(("    ", "\t"))
        prose.append("" if code else line)
        if code and (found := _LINE.fullmatch(line.strip())):
            yield _one(f"{name}:{number}", found["command"])
    whole = "\n".join(prose)
    for found in _INLINE.finditer(whole):
        yield _one(f"{name}:{whole.count(chr(10), 0, found.start()) + 1}", found["command"])


def _one(place: str, command: str) -> Shown:
    return Shown(place, tuple(shlex.split(command, comments=True)))


def is_ours(found: Shown) -> bool:
    return not (found.argv[0] == "make" and "=" in found.argv[1])


SHOWN = [found for page in PAGES for found in shown(page.read_text(), page.name) if is_ours(found)]
WPCI = [found for found in SHOWN if found.argv[0] == "wpci"]


def ident(found: object) -> str:
    return f"{found.place} {found.command}" if isinstance(found, Shown) else str(found)


@functools.cache
def commands() -> Mapping[str, Any]:
    """Return the program's commands by name."""
    group: Any = typer.main.get_command(main.app)
    return dict(group.commands)


@functools.cache
def functions(path: str) -> tuple[str, frozenset[str]]:
    """Return the text of a file of tests, and the names of its functions."""
    text = (ROOT / path).read_text()
    return text, frozenset(item.name for item in ast.parse(text).body if isinstance(item, ast.FunctionDef))


def parsed(found: Shown) -> Any:
    """Let the program's own parser read a command; of a file that a page leaves out, an ellipsis takes the place."""
    command = commands()[found.argv[1]]
    needed = [p for p in command.params if p.required and p.param_type_name == "argument"]
    left_out = needed if len(found.argv) == 2 else []
    return command.make_context(found.argv[1], [*found.argv[2:], *("…" for _ in left_out)])


@pytest.mark.parametrize("found", SHOWN, ids=ident)
def test_every_command_has_a_test_that_runs_it(found: Shown) -> None:
    assert found.command in TESTS, f"{found.place}: {HOW.format(command=found.command)}"


def test_every_row_is_of_a_command_that_is_shown() -> None:
    assert sorted(TESTS.keys() - {found.command for found in SHOWN}) == [], "no page shows these: remove their rows"


@pytest.mark.parametrize("found", WPCI, ids=ident)
def test_every_command_is_taken_by_the_parser(found: Shown) -> None:
    try:
        parsed(found)
    except KeyError:
        pytest.fail(f"{found.place}: `{found.command}`: there is no such command; {', '.join(main.COMMANDS)} are")
    except Exception as error:  # which one the parser raises is a matter of its version
        pytest.fail(f"{found.place}: `{found.command}`: {error}")


@pytest.mark.parametrize("found", [found for found in SHOWN if found.argv[0] == "make"], ids=ident)
def test_every_target_is_one_of_the_makefile(found: Shown) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(found.argv[1:]) <= set(targets), f"{found.place}: the Makefile has {', '.join(targets)}"


def is_given(context: Any, param: str) -> bool:
    """Whether an argument or option stands on the command line."""
    return bool(context.get_parameter_source(param).name == "COMMANDLINE")


def is_elsewhere(value: object) -> bool:
    """Whether a name is that of a reader's own tree or series: a path, a range, a mail, or a placeholder."""
    name = str(value)
    return (
        name == "-"
        or "@" in name
        or name.isupper()
        or ".." in name
        or "/" in name
        or name.endswith((".diff", ".mbox", ".patch"))
    )


SOURCES = "".join(path.read_text() for path in sorted((ROOT / "guest-tests").rglob("*.c")))
TESTS_THERE = sorted(set(re.findall(r'"([A-Z]\d\d_[\w-]+)"', SOURCES)))


def is_a_test(glob: str) -> bool:
    """Whether a glob names a test of ours; what stands behind the dot is the kind of memory."""
    return bool(suite.pick(TESTS_THERE, [glob.partition(".")[0]]))


NAMES: Mapping[str, Mapping[str, object]] = {
    "mode": PIPELINE.modes,
    "mode_name": PIPELINE.modes,
    "variant": PIPELINE.variants,
    "build": PIPELINE.variants,
    "suite": PIPELINE.suites,
    "tree": PIPELINE.trees,
    "series": PIPELINE.series,
    "carry": PIPELINE.series,
}


def unknown(found: Shown) -> list[str]:
    """Return the names in a command that are meant to be ours, and are not."""
    context = parsed(found)
    given = {
        param: value if isinstance(value, list | tuple) else [value]
        for param, value in context.params.items()
        if is_given(context, param)
    }
    wrong = [
        f"{param} {name}"
        for param, known in NAMES.items()
        for name in given.get(param, ())
        if name not in known and not (param in {"tree", "series", "carry"} and is_elsewhere(name))
    ]
    for name in (*given.get("test", ()), *given.get("symptom", ())):
        of_suite, _, test = name.rpartition("/")
        if of_suite and of_suite not in PIPELINE.suites:
            wrong.append(f"suite {of_suite}")
        if test not in {"boot", "build"} and not is_a_test(test.removeprefix("test:")):
            wrong.append(f"test {test}")
    return wrong


@pytest.mark.parametrize("found", WPCI, ids=ident)
def test_every_name_in_a_command_exists(found: Shown) -> None:
    assert unknown(found) == [], f"{found.place}: pipeline.yaml, or guest-tests/, has no such thing"


def options(found: Shown) -> list[list[str]]:
    """Return the spellings of each option that a command uses."""
    context = parsed(found)
    every = (p for p in context.command.params if p.param_type_name == "option")
    return [p.opts for p in every if is_given(context, p.name)]


@pytest.mark.parametrize("found", SHOWN, ids=ident)
def test_the_test_of_a_command_exists_and_its_file_uses_the_options(found: Shown) -> None:
    texts = []
    for node in TESTS.get(found.command, ()):
        path, _, function = node.partition("::")
        content, there = functions(path)
        texts.append(content)
        assert function in there, f"TESTS[{found.command!r}]: {path} has no {function}"
    text = "\n".join(texts)
    assert f'"{found.argv[1]}"' in text, f"TESTS[{found.command!r}]: no such command is called there"
    for spellings in options(found) if found.argv[0] == "wpci" else []:
        assert any(f'"{word}' in text for word in spellings), f"TESTS[{found.command!r}]: nothing uses {spellings[0]}"


PAGE = """
    .venv/bin/wpci run --mode smoke   # a comment
    b4 am -o - ID | wpci run --series -
    make O=../w1 W=1 $objs
text `wpci list`, `make
test`, `wpci.yaml`, makes `nothing`
```
$ wpci doctor
```
"""


def test_commands_are_found_wherever_a_page_shows_them() -> None:
    assert [(found.place, found.command) for found in shown(PAGE, "p") if is_ours(found)] == [
        ("p:2", "wpci run --mode smoke"),
        ("p:3", "wpci run --series -"),
        ("p:8", "wpci doctor"),
        ("p:5", "wpci list"),
        ("p:5", "make test"),
    ]


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("wpci run --mode smok", ["mode smok"]),
        ("wpci run --variant smoke --variant x --suite uffd", ["variant x"]),
        ("wpci run --tree linux-5.10 --series uffd", ["series uffd"]),
        ("wpci run --tree ~/linux --series A..B --test B01 --test Q*", ["test Q*"]),
        ("wpci history ufd/B01_present.memfd", ["suite ufd"]),
        ("wpci bisect --series - -s test:B01_persent", ["test test:B01_persent"]),
    ],
)
def test_a_name_typed_wrong_on_a_page_is_found(command: str, wrong: list[str]) -> None:
    assert unknown(Shown("p:1", tuple(command.split()))) == wrong
