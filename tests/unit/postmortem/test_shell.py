"""The helpers of drgn's shell, on tasks and page tables that need no kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.errors import InfraError, UserError
from orchestrator.postmortem import locks, memory, reader, shell

PAGE = 4096


def task(name: bytes, mm: str = "") -> Any:
    return SimpleNamespace(comm=SimpleNamespace(string_=lambda: name), mm=mm, pid=SimpleNamespace(value_=lambda: 7))


def test_a_task_is_found_beside_one_whose_name_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = task(b"uffd-basic")
    monkeypatch.setattr(shell, "for_each_task", lambda program: iter([task(b"\xff\xfe"), wanted]))
    helpers = shell.Helpers.__new__(shell.Helpers)
    helpers._program = None
    assert helpers.task("uffd-basic") is wanted
    with pytest.raises(LookupError):
        helpers.task("none")


class Form:
    """Page tables with these runs of ptes."""

    def __init__(self, *runs: tuple[int, int, str]) -> None:
        self.runs = runs

    def walk(self, mm: str, start: int, end: int) -> list[tuple[int, int, str]]:
        assert mm == "mm of the test"
        return [run for run in self.runs if start <= run[0] < end]

    def at(self, mm: str, address: int) -> str:
        kinds = [kind for start, pages, kind in self.runs if start <= address < start + PAGE * pages]
        return kinds[0] if address % PAGE == 0 and kinds else "none"


def vma(start: int, end: int, context: int) -> Any:
    registered = SimpleNamespace(ctx=context)
    return SimpleNamespace(
        vm_start=SimpleNamespace(value_=lambda: start),
        vm_end=SimpleNamespace(value_=lambda: end),
        vm_userfaultfd_ctx=registered,
    )


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> shell.Helpers:
    """Return the helpers on a test with two mappings, of which the first is registered."""
    made = shell.Helpers.__new__(shell.Helpers)
    form: Any = Form((0x1000, 2, "marker"), (0x3000, 1, "present P"), (0x9000, 1, "marker"), (0xA000, 1, "swap P"))
    made._program, made._form = None, form
    one = task(b"uffd-zap", "mm of the test")
    monkeypatch.setattr(shell, "for_each_task", lambda program: iter([one]))
    monkeypatch.setattr(shell, "for_each_vma", lambda mm: [vma(0x1000, 0x4000, 0xFF), vma(0x9000, 0xB000, 0)])
    return made


def test_markers_are_found_page_by_page_also_where_nothing_is_registered(helpers: shell.Helpers) -> None:
    assert helpers.markers("uffd-zap") == [0x1000, 0x2000, 0x9000]


def test_a_pte_is_that_of_the_page_in_which_an_address_lies(helpers: shell.Helpers) -> None:
    assert [helpers.pte("uffd-zap", address) for address in (0x2FFF, 0x3008, 0xA001, 0x5000)] == [
        "marker", "present P", "swap P", "none",
    ]  # fmt: skip


def test_the_runs_of_what_is_registered_are_printed(helpers: shell.Helpers, capsys: pytest.CaptureFixture[str]) -> None:
    helpers.ptes("uffd-zap")
    assert capsys.readouterr().out == "0x1000-0x4000\n  0x1000 2 marker\n  0x3000 1 present P\n"


def test_who_waits_for_a_lock_or_a_userfault_is_named(
    helpers: shell.Helpers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = {1: task(b"locked"), 2: task(b"faults\x07")}
    monkeypatch.setattr(locks, "waits", lambda program: {1: "for mmap_lock"})
    monkeypatch.setattr(memory, "userfaults", lambda program, form: {2: "for a userfault"})
    monkeypatch.setattr("drgn.Object", lambda program, kind, address: tasks[address])
    helpers.waits()
    first, second = capsys.readouterr().out.splitlines()
    assert first == "locked (7) waits for mmap_lock"
    assert second.endswith("(7) waits for a userfault") and "\x07" not in second


def test_the_shell_knows_each_helper_that_its_banner_names(helpers: shell.Helpers) -> None:
    named = [line.partition("(")[0] for line in shell._BANNER.splitlines() if ")  " in line]
    assert set(named) == set(helpers.names) - {"vma_find"} and len(named) == 6


def test_a_damaged_dump_is_one_line(tmp_path: Path) -> None:
    dump = tmp_path / "postmortem-1.kdump"
    dump.write_bytes(b"no dump of a kernel")
    argv = [sys.executable, "-m", shell.__name__, f"core:{dump}", str(dump), str(dump), "1"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (InfraError.exit_code, "")
    assert done.stderr == f"wpci: drgn does not read {dump}: ValueError: not an ELF core file\n"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("task('none')", "LookupError: no task 'none'"),
        ("prog[", "SyntaxError: '[' was never closed"),
        ("nothing", "NameError: name 'nothing' is not defined"),
    ],
)
def test_an_expression_that_fails_is_one_line(
    helpers: shell.Helpers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, expression: str, words: str
) -> None:
    (tmp_path / "config").touch()
    monkeypatch.setattr(reader, "opened", lambda source, vmlinux: None)
    monkeypatch.setattr(shell, "Helpers", lambda program, config: helpers)
    with pytest.raises(UserError) as fault:
        shell.main("core:dump", "vmlinux", str(tmp_path / "config"), expression)
    assert str(fault.value).startswith(f"{expression}: {words}")
