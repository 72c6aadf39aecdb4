"""A bundle is all that another person needs: tried where there is a shell, a QEMU, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from backports import tarfile

from tests.stage.cli.test_commands import Table
from tests.stage.validate.test_run import ONE, plays

FILES = {"kernel", "initramfs.cpio.gz", "run.sh", "README", "config", "patches/0001.patch", "console/boot-1.log"}
HOSTILE = "$(touch hurt) `touch hurt` '; touch hurt; \\\\ \" ../../../hurt"


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def bare(table: Table, script: Path, *tests: str) -> tuple[int, str]:
    """Run a script on a machine that has sh and qemu-system-x86_64, and no wpci."""
    only = table.folder / "only"
    only.mkdir(exist_ok=True)
    for tool in (Path("/bin/sh"), table.folder / "bin" / "qemu-system-x86_64"):
        shutil.copy(tool, only)
    done = subprocess.run(
        [str(script), *tests], cwd="/", env={"PATH": str(only)}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_shows_the_same_where_there_is_nothing_but_qemu(table: Table) -> None:
    table.series(plays("not-ok T02"))
    assert table.type("run")[0] == 1
    code, output = table.type("bundle", "last", "--out", "given.tar.gz")
    assert code == 0 and output.startswith("given.tar.gz") and " MB" in output, output
    with tarfile.open(table.folder / "given.tar.gz") as archive:
        archive.extractall(table.folder / "elsewhere", filter="data")
    shutil.rmtree(table.folder / "results")
    shutil.rmtree(table.folder / "cache")
    given = table.folder / "elsewhere" / "given"
    assert files(given) == FILES
    code, output = bare(table, given / "run.sh")
    assert code == 1 and "not ok 1 T02" in output and "T01" not in output, output
    code, output = bare(table, given / "run.sh", "T01")
    assert code == 0 and "ok 1 T01" in output and "T02" not in output, output
    code, output = bare(table, given / "run.sh", "T9*")
    assert code == 2, output
    code, output = bare(table, given / "run.sh", "T*")
    assert code == 1 and "1..2" in output, output
    text = (given / "README").read_text()
    assert "patch    toy: edit 1" in text and "red      T02: fail" in text, text


def test_a_folder_is_a_bundle_too_and_the_script_of_a_job_is_the_same(table: Table) -> None:
    table.series(ONE)
    table.type("run", "--results", "there")
    code, output = table.type("bundle", "--side", "base", "--out", "given", "--results", "there")
    assert code == 0 and files(table.folder / "given") == FILES - {"patches/0001.patch"}, output
    (job,) = (table.folder / "there" / "last" / "jobs").glob("toy.three.small")
    code, output = table.type("bundle", "last", "--job", "toy.three.small", "--out", "patched", "--results", "there")
    mine, packed = (
        path.read_text().splitlines() for path in (job / "reproduce.sh", table.folder / "patched" / "run.sh")
    )
    differing = [line for line, other in zip(mine, packed, strict=True) if line != other]
    assert [line.partition("=")[0] for line in differing if "=" in line] == ["kernel", "initrd"], differing
    assert bare(table, job / "reproduce.sh", "T01")[0] == 0
    code, output = table.type("bundle", "--out", "given", "--results", "there")
    assert code == 2 and "is there already" in output, output


def test_a_kernel_that_dies_and_a_qemu_that_does_not_start_are_no_pass(table: Table) -> None:
    table.series(plays("panic of the patched kernel"))
    table.type("run")
    table.type("bundle", "--out", "given")
    code, output = bare(table, table.folder / "given" / "run.sh")
    assert code == 1 and "Kernel panic" in output and "the kernel died" in output, output
    (table.folder / "bin" / "qemu-system-x86_64").write_text("#!/bin/sh\necho no such machine >&2\nexit 1\n")
    code, output = bare(table, table.folder / "given" / "run.sh")
    assert code == 3 and "no such machine" in output, output
    (table.folder / "given" / "kernel").unlink()
    code, output = bare(table, table.folder / "given" / "run.sh")
    assert code == 3 and "kernel is gone" in output, output


@pytest.mark.parametrize("test", ["$(touch hurt)", "T01;touch hurt", "T01 init=/bin/sh", "-x\n", "", "T01,T02"])
def test_what_is_no_test_is_refused_before_anything_runs(table: Table, test: str) -> None:
    table.series(ONE)
    table.type("run")
    table.type("bundle", "--out", "given")
    code, output = bare(table, table.folder / "given" / "run.sh", test)
    assert code == 2 and "TEST is made of" in output, output


def test_texts_of_strangers_stay_texts(table: Table) -> None:
    name = "mm/memory.c"
    path = table.folder / "tree" / name
    path.write_text(path.read_text().replace(ONE[1], ONE[2], 1))
    table.git("add", "-fu")
    table.commit(f"toy: {HOSTILE}")
    table.git("format-patch", "-q", "-o", str(table.folder / "series"), "HEAD~1")
    table.git("reset", "-q", "--hard", "HEAD~1")
    table.type("run")
    (job,) = (table.folder / "results" / "last" / "jobs").glob("toy.three.small")
    (job / "patches" / "link.patch").symlink_to("/etc/passwd")
    code, output = table.type("bundle", "--out", "given")
    given = table.folder / "given"
    assert code == 0 and files(given) == FILES, output
    for tests in ((), ("T01",)):
        assert bare(table, given / "run.sh", *tests)[0] == 0
    assert "hurt" in (given / "README").read_text() and "hurt" not in (given / "run.sh").read_text()
    assert not any(Path(folder, "hurt").exists() for folder in (table.folder, given, "/", Path.cwd()))
