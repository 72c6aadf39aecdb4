"""What cannot be done is one line and exit code 2: names, files and trees that are none, results of another kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from orchestrator.cli import main
from tests.stage.cli.test_commands import Table, refused
from tests.stage.pipeline.test_run import GOOD

Prepare = Callable[[Table], None]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A table after one run of both kernels, beside whose tree there is a branch without a common commit."""
    table = Table(tmp_path_factory.mktemp("table"))
    table.series(*GOOD)
    assert table.type("run")[0] == 0
    table.git("checkout", "-q", "--orphan", "alien")
    table.commit("another beginning")
    table.git("checkout", "-q", "main")
    return table


ENDS = ("--good", "HEAD", "--bad", "HEAD", "-s", "boot")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("bisect", *ENDS), "name what to bisect: --tree, or --series for its patches"),
        (("bisect", "--tree", "tree", "-s", "boot"), "name both ends: --good and --bad"),
        (("run", "--tree", "tree", "--3way"), "--3way: no series is applied"),
        (("run", "--tree", "tree", "--series", "alien..main"), "alien and main have no commit in common"),
        (("run", "--tree", "~nobody-of-that-name/tree"), "--tree: no such name in pipeline.yaml, and no such file"),
        (("boot", "--run", "x" * 400), "no such run in results"),
        (("run", "--tree", "tree", "--base", "alien"), "HEAD and alien have no commit in common"),
        (("boot", "--job", "none"), "run last: no such job; there are toy.small, toy.three.small"),
        (("boot", "--test", "T9"), "no test of toy.three.small matches T9"),
        (("report", "--out", "tree"), "not a folder of an earlier report, and not empty"),
    ],
)
def test_what_cannot_be_done_is_one_line(table: Table, argv: tuple[str, ...], message: str) -> None:
    refused(table, argv, message)


def test_certificates_that_cannot_be_written_are_the_hosts_fault(table: Table) -> None:
    code, output = table.type("certificates", "/proc/none/here")
    assert code == 3 and "cannot write certificates into /proc/none/here: No such file" in output, output


def rewritten(name: str, change: Callable[[dict[str, object]], object]) -> Prepare:
    def prepare(table: Table) -> None:
        path = table.folder / "old" / name
        path.parent.mkdir(exist_ok=True)
        document = json.loads((table.folder / "results" / "last" / "result.json").read_text())
        path.write_text(json.dumps(change(document)))

    return prepare


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: {**document, "version": 999}, "result.json is of version 999, this program reads"),
        (lambda document: {**document, "kind": "job", "result": document["result"]["jobs"][0]}, "of one job, not of"),
        (lambda document: {}, "no result.json that this program can read: KeyError"),
        (lambda document: [], "no result.json that this program can read: TypeError"),
    ],
)
def test_a_result_of_another_kind_is_named(
    table: Table, change: Callable[[dict[str, object]], object], message: str
) -> None:
    rewritten("result.json", change)(table)
    refused(table, ("kcidb", "old"), message)


def edited(table: Table, old: str, new: str) -> str:
    """Write the pipeline file with a change under another name; return that."""
    text = (table.folder / "pipeline.yaml").read_text()
    assert old in text
    (table.folder / "other.yaml").write_text(text.replace(old, new, 1))
    return "other.yaml"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[small.config]", "[tree]", "variants.small.fragments[0]: tree is a folder, not a file"),
        ("{provider: path, path: tree}", "{provider: git, url: tree, ref: '-x'}", "nor a ref begins with '-'"),
        ("directory: programs", "directory: programs, expected: tree", "tree: not a file"),
        ("directory: programs", "directory: empty", "suite own: no sources in"),
        ("directory: programs", "directory: programs, expected: latin", "latin: not UTF-8 text"),
    ],
)
def test_a_pipeline_file_that_names_what_is_none(table: Table, old: str, new: str, message: str) -> None:
    (table.folder / "empty").mkdir(exist_ok=True)
    (table.folder / "latin").write_bytes(b"f\xfcr\n")
    refused(table, ("run", "--config", edited(table, old, new)), message)


def test_a_kernel_that_is_gone_is_named(table: Table) -> None:
    for image in (table.folder / "cache" / "kernels").glob("*/*"):
        if image.name in {"vmlinux", "bzImage"}:
            image.unlink()
    refused(table, ("boot", "--run", "last"), "is gone; run it again")


def test_a_patch_that_quilt_reverts_is_refused(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.series(*GOOD)
    names = sorted(path.name for path in (table.folder / "series").iterdir())
    (table.folder / "series" / "series").write_text(f"{names[0]}\n{names[1]} -R\n")
    refused(table, ("run",), f"reverts {names[1]} (-R): give the reverted patch instead")


def test_a_bisect_goes_on_with_what_it_began_with(tmp_path: Path) -> None:
    table = Table(tmp_path)
    good = table.git("rev-parse", "HEAD")
    path = table.folder / "tree" / "init" / "main.c"
    path.write_text(path.read_text() + 'const char play[] = "play: not-ok T01";\n')
    table.git("commit", "-qam", "toy: a fault")
    code, output = table.type("bisect", "--tree", "tree", "--good", good, "--bad", "main", "-s", "T01", "--runs", "1")
    assert code == 0, output
    config = table.folder / "small.config"
    config.write_text(config.read_text().replace("CONFIG_SWAP=y\n", ""))
    pipeline = table.folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("memory: 64M", "memory: 65M"))
    refused(table, ("bisect", "--continue"), "have changed since: start a new bisect")
    state = table.folder / "results" / "last" / "state.json"
    state.write_text(state.read_text().replace('"version": 1', '"version": 7'))
    refused(table, ("bisect", "--continue"), "is of version 7, this program reads 1")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("run", "--tset", "x"), "No such option: --tset (Possible options: --test, --timeout, --tree) ("),
        (("--tset",), "No such option: --tset"),
        (("rnu",), "No such command 'rnu'. Did you mean 'run'? ("),
        (("run", "--repeat", "x"), "Invalid value for '--repeat'"),
        (("run", "--repeat"), "Option '--repeat' requires an argument"),
        (("validate",), "Missing argument 'series'"),
    ],
)
def test_what_the_option_parser_refuses_is_one_line_as_all_else(
    table: Table, argv: tuple[str, ...], words: str
) -> None:
    code, output = table.type(*argv)
    (line,) = output.splitlines()
    assert code == 2 and line.startswith(f"wpci: {words}") and line.endswith(" --help)"), output


@pytest.mark.parametrize("width", ["30", "79", "80"])
def test_help_has_the_whole_name_of_each_option_whatever_the_width(
    table: Table, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    for name in ("run", "validate", "bisect"):
        code, output = table.type(name, "--help")
        assert code == 0
        command = typer.main.get_command(main.app).commands[name]  # type: ignore[attr-defined]
        assert [opt for param in command.params for opt in param.opts if opt[:2] == "--" and opt not in output] == []
        assert "…" not in output


def test_without_a_command_there_is_help(table: Table) -> None:
    code, output = table.type()
    assert code == 2 and "COMMAND [ARGS]" in output and "validate" in output, output
