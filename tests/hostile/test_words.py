"""Words of strangers: what a patch, a compiler and a test write is shown as it is, and is nobody's markup."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.attack import Attack, strike
from tests.stage.cli.test_commands import Table

ESCAPES = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202e"
VALIDATE = ("validate", "series")
RUN = ("run", "--all")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def edit(old: str, new: str, subject: str = "toy: an edit", name: str = "mm/memory.c") -> Callable[[Table], None]:
    """Return what makes the series of a table one patch."""

    def bring(table: Table) -> None:
        path = table.folder / "tree" / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
        table.git("commit", "-qam", subject)
        table.git("format-patch", "-q", "-o", str(table.folder / "series"), "HEAD~1")
        table.git("reset", "-q", "--hard", "HEAD~1")

    return bring


def error(words: str) -> Callable[[Table], None]:
    """Return what makes the compiler say something."""
    return edit("int fault", f"#error {words}\nint fault")


def says(*cases: str) -> Callable[[Table], None]:
    """Return what makes the guest of the patched kernel print tests of these names."""

    def bring(table: Table) -> None:
        script = table.folder / "programs" / "t.sh"
        script.write_text("#!/bin/sh\n" + "".join(f"printf '%s\\n' '{case}'\n" for case in cases))
        edit("page + 1", "page + 2")(table)

    return bring


BROKEN = "the build broke"
ROWS = [
    Attack("a closing tag in #error", error("[/b]"), RUN, 1, (BROKEN, "#error [/b]"), "fail"),
    Attack("an opening tag in #error", error("[red]x"), RUN, 1, ("#error [red]x",), "fail"),
    Attack("a link tag in #error", error("[link=http://x]y[/link]"), RUN, 1, ("#error [link=http:",), "fail"),
    Attack("an emoji name in #error", error(":bomb: x"), RUN, 1, ("#error :bomb: x",), "fail"),
    Attack("markup in #error, validated", error("[/b]"), VALIDATE, 1, ("#error [/b]",), "fail"),
    Attack("escapes in #error", error(ESCAPES), RUN, 1, (BROKEN,), "fail"),
    Attack("escapes in #error, as JSON", error(ESCAPES), ("run", "--json"), 1, (), "fail"),
    Attack(
        "make's own words with a path in brackets",
        edit("obj", "$(error [/abs/Makefile:1218: x] Error 1)\nobj", name="mm/Makefile"),
        RUN, 1, ("[/abs/Makefile:1218: x] Error 1",), "fail",
    ),
    Attack(
        "a closing tag in the subject of a good patch",
        edit("page + 1", "page + 2", "mm: fix [/proc/pid/smaps] accounting"),
        VALIDATE, 0, ("mm: fix [/proc/pid/smaps] accounting",), "pass",
    ),
    Attack(
        "escapes in the subject of a good patch",
        edit("page + 1", "page + 2", f"toy: {ESCAPES} and [/i]"), VALIDATE, 0, (), "pass",
    ),
    Attack("markup in a symbol's warning", edit("int fault", "static int [x];\nint fault"), RUN, 1, (), "fail"),
]  # fmt: skip


@pytest.mark.parametrize("attack", ROWS, ids=str)
def test_words_of_strangers_are_shown_as_they_are(attack: Attack, table: Table) -> None:
    strike(attack, table)
    last = table.folder / "results" / "last"
    for name in ("summary.md", "junit.xml", "report.html"):
        text = (last / name).read_text()
        assert "\x1b" not in text and "\x9b" not in text and "\u202e" not in text, name


def test_a_saved_output_and_a_saved_console_cannot_talk_to_the_terminal(table: Table) -> None:
    (table.folder / "saved.txt").write_text(f"TAP version 13\n1..1\nnot ok 1 a[/b]{ESCAPES}\n")
    strike(Attack("parse", lambda _: None, ("parse", "saved.txt"), 1, ("a[/b]",)), table)
    (table.folder / "console.txt").write_text(f"[    1.0] BUG: Bad page map in process [/b]{ESCAPES}  pte:1 pmd:2\n")
    strike(Attack("scan", lambda _: None, ("scan", "console.txt"), 1, ("Bad page map",)), table)


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1"])
def test_any_locale_prints_what_it_can(table: Table, locale: str) -> None:
    plain = {"LC_ALL": locale, "PYTHONIOENCODING": "latin-1" if locale != "C" else "ascii", "PYTHONUTF8": "0"}
    row = Attack(
        "a locale", edit("page + 1", "page + 2", "toy: für 日本 ✓"), VALIDATE, 0, ("toy: f",), "pass", environment=plain
    )
    strike(row, table)


@pytest.mark.parametrize("size", ["9" * 5000, "99999999", "²", "-5", ""], ids=lambda size: size[:5] or "empty")
def test_any_size_of_the_terminal_is_one_that_prints(table: Table, size: str) -> None:
    row = Attack("a size", edit("page + 1", "page + 2"), ("list",), 0, environment={"COLUMNS": size, "LINES": size})
    strike(row, table)


def test_a_full_standard_output_is_one_line_and_no_verdict(table: Table) -> None:
    edit("page + 1", "page + 2")(table)
    for argv in (("list",), ("list", "--json"), ("schema",), ("run",), ("run", "--json")):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                table.argv(*argv), cwd=table.folder, env=table.environment, text=True, check=False, stdout=full,
                stderr=subprocess.PIPE,
            )  # fmt: skip
        said = [line for line in done.stderr.splitlines() if line.startswith("wpci: ")]
        assert done.returncode == 3 and said == ["wpci: cannot write the output: No space left on device"], argv
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert json.loads((table.folder / "results" / "last" / "result.json").read_text())["result"]["verdict"] == "pass"


@pytest.mark.parametrize("argv", [("--help",), ("run", "--help"), ("--version",)])
def test_help_that_cannot_be_written_is_one_line(table: Table, argv: tuple[str, ...]) -> None:
    code, output = table.call(["sh", "-c", f"{shlex.join(table.argv(*argv))} >/dev/full"])
    assert (code, output) == (3, "wpci: cannot write the output: No space left on device\n")


def test_a_home_that_is_no_folder_is_one_line(table: Table) -> None:
    script = f"HOME=/dev/null {shlex.join(table.argv('--install-completion'))}; exit $?"
    code, output = table.call(["bash", "-c", script])  # the shell whose child it is, is the one that is meant
    assert code == 3 and output.startswith("wpci: cannot write /dev/null") and output.count("\n") == 1, output


@pytest.mark.parametrize(
    ("report", "why"), [("/", "that is a folder"), (".", "that is a folder"), ("", "an empty --report")]
)
def test_a_report_that_is_no_file_is_refused(table: Table, report: str, why: str) -> None:
    code, output = table.call(table.argv("mutate", "--report", report))
    assert code == 2 and "Traceback" not in output and why in output, output


def test_a_history_in_a_folder_that_is_not_there_is_refused_and_nothing_made(table: Table) -> None:
    code, output = table.call(table.argv("history", "--results", "absent/results"))
    assert code == 2 and "absent/results: no such folder of results" in output, output
    assert not (table.folder / "absent").exists()


@pytest.mark.parametrize(
    ("streams", "code"),
    [(">&-", 0), ("2>&-", 0), ("<&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full 2>/dev/full", 3)],
)
def test_streams_that_are_closed_or_full_change_no_exit_code(table: Table, streams: str, code: int) -> None:
    edit("page + 1", "page + 2")(table)
    for argv in (("list",), ("run",)):
        line = f"{shlex.join(table.argv(*argv))} {streams}"
        done = subprocess.run(["sh", "-c", line], cwd=table.folder, env=table.environment, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        assert (done.returncode, "Traceback" in done.stdout) == (code, False), done.stdout
    assert json.loads((table.folder / "results" / "last" / "result.json").read_text())["result"]["verdict"] == "pass"


@pytest.mark.parametrize("argv", [("run",), ("report",), ("scan", "console.txt")])
def test_a_folder_that_is_gone_is_one_line(table: Table, argv: tuple[str, ...]) -> None:
    line = f"mkdir gone && cd gone && rmdir ../gone && exec {shlex.join(table.argv(*argv))}"
    code, output = table.call(["sh", "-c", line])
    assert code in {2, 3} and "Traceback" not in output and "log: " not in output, output
    assert len([line for line in output.splitlines() if line.startswith("wpci: ")]) == 1, output
