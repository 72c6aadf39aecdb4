"""The command as a user runs it, on a fake kernel tree and a fake QEMU: verdict, exit code, one line, nothing left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orchestrator.config import loader, overrides
from orchestrator.errors import InfraError
from orchestrator.host.cache import Cache
from orchestrator.pipeline import opening
from orchestrator.progress import SILENT
from tests.fakes import trees

FAKES = Path(__file__).parents[2] / "fakes"

PIPELINE = """
default_mode: smoke
trees:
  toy:
    source: {{provider: path, path: tree}}
series:
  three: {{path: series, tree: toy}}
variants:
  small:
    fragments: [small.config]
    machine: {{cpus: 1, memory: 64M, cmdline: ["fake={fake}"]}}
    accel: tcg
suites:
  own: {{directory: programs}}
modes:
  smoke: {{series: [three], variants: [small], suites: [own]}}
  base: {{trees: [toy], variants: [small], suites: [own]}}
"""
PANIC = "line:Kernel+panic+-+not+syncing:+no+init,event:GUEST_PANICKED,event:SHUTDOWN/guest-reset,exit:0"


@dataclass
class Bench:
    """A pipeline with everything in it, in a folder of its own. ``limits`` are those of ``pipeline.yaml``."""

    folder: Path
    limits: ClassVar[str] = "limits: {alone: null}\n"  # a red test alone is five guests more: see test_alone.py

    def __post_init__(self) -> None:
        shutil.copytree(FAKES / "fakelinux", self.folder / "tree")
        self.git("init", "-q", "-b", "main")
        self.git("add", "-fA")
        self.commit("base")
        (self.folder / "small.config").write_text("CONFIG_64BIT=y\nCONFIG_SWAP=y\nCONFIG_SHMEM=y\n")
        (self.folder / "series").mkdir()
        programs = self.folder / "programs"
        programs.mkdir()
        (programs / "Makefile").write_text("all:\n\tmkdir -p $(O)\n\tcp t.sh $(O)/t.sh\n\tchmod +x $(O)/t.sh\n")
        (programs / "t.sh").write_text("#!/bin/sh\necho T01\necho T02\n")
        (self.folder / "bin").mkdir()
        fake = self.folder / "bin" / "qemu-system-x86_64"
        fake.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKES / "fakeqemu.py"} "$@"\n')
        fake.chmod(0o755)
        self.configure(PANIC)

    def configure(self, fake: str, more: str | None = None) -> None:
        text = PIPELINE.format(fake=fake)
        (self.folder / "pipeline.yaml").write_text(self.limits + text if more is None else text + more)

    def git(self, *arguments: str) -> str:
        return trees.git(self.folder / "tree", *arguments)

    def commit(self, subject: str) -> None:
        self.git("commit", "-q", "-m", subject)

    def series(self, *edits: tuple[str, str, str]) -> None:
        """Make ``series`` of edits (file, old, new), one patch each; the tree goes back to its base."""
        for number, (name, old, new) in enumerate(edits, 1):
            path = self.folder / "tree" / name
            assert old in path.read_text()
            path.write_text(path.read_text().replace(old, new, 1))
            self.git("add", "-fu")
            self.commit(f"toy: edit {number}")
        self.git("format-patch", "-q", "-o", str(self.folder / "series"), f"HEAD~{len(edits)}")
        self.git("reset", "-q", "--hard", f"HEAD~{len(edits)}")

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}:/usr/sbin"
        return {
            **os.environ,
            "WPCI_CACHE": str(self.folder / "cache"),
            "PATH": path,
            "PYTHONPATH": str(FAKES.parents[1]),
        }

    def argv(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "orchestrator.cli", *options]

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv("run", *options), cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *options: str) -> tuple[int, str]:
        with self.start(*options) as child:
            output, _ = child.communicate()
        return child.returncode, output

    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.folder / "results" / "last" / "result.json").read_text())["result"]
        return result

    def reason(self) -> str:
        result = self.result()
        return str(result["series"][0]["reason"] if result["series"] else result["jobs"][0]["reason"])

    def left_running(self) -> list[str]:
        mine = str(self.folder)
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = path.read_bytes().decode(errors="replace").replace("\0", " ")
            except OSError:
                continue
            if mine in text and path.parent.name != str(os.getpid()):
                found.append(text)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


GOOD = (("mm/memory.c", "return", "/* one */ return"), ("mm/swap.c", "return", "/* two */ return"))


def test_a_panic_before_init_on_the_base_gives_no_verdict_on_the_series(bench: Bench) -> None:
    bench.series(*GOOD)
    code, output = bench.run()
    assert code == 3, output
    assert "no verdict, for the base failed" in bench.reason() and "Kernel panic" in bench.reason()
    assert bench.left_running() == []


def test_a_panic_of_the_only_kernel_is_its_fault(bench: Bench) -> None:
    code, output = bench.run("--mode", "base")
    assert code == 1, output
    assert "Kernel panic" in bench.reason()


def test_a_qemu_that_does_not_start_is_the_hosts_fault(bench: Bench) -> None:
    bench.configure("refuse:cannot+set+up+guest+memory")
    code, output = bench.run("--mode", "base")
    assert code == 3, output
    assert "cannot set up guest memory" in bench.reason()


def test_a_host_without_qemu_builds_no_kernel_in_vain(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = bench.folder / "tools"
    tools.mkdir()
    programs = {path.name: path for folder in os.environ["PATH"].split(":") for path in Path(folder).glob("*")}
    for name, path in programs.items():
        if not name.startswith("qemu"):
            (tools / name).symlink_to(path)
    (bench.folder / "bin" / "qemu-system-x86_64").unlink()
    monkeypatch.setenv("PATH", str(tools))
    code, output = bench.run("--mode", "base")
    assert code == 3 and "boot: qemu-system-x86_64 is not installed (Debian package qemu-system-x86)" in output, output
    assert [stage["stage"] for stage in bench.result()["jobs"][0]["stages"]] == ["boot"]


def test_a_qemu_that_is_killed_is_the_hosts_fault(bench: Bench) -> None:
    bench.configure("line:Linux+version+5.10,die:SIGKILL")
    code, output = bench.run("--mode", "base")
    assert code == 3, output
    assert "killed by signal 9" in bench.reason()


def test_a_series_that_stops_applying_at_patch_2_is_named_so(bench: Bench) -> None:
    bench.series(*GOOD)
    second = next((bench.folder / "series").glob("0002*"))
    second.write_text(second.read_text().replace(" int ", " long ").replace("-\treturn", "-\treturn 17 *"))
    code, output = bench.run()
    assert code == 1, output
    assert "2/2" in bench.reason() and "mm/swap.c" in bench.reason()


def test_a_series_on_top_of_a_series_is_built_with_it(bench: Bench) -> None:
    bench.series(*GOOD)
    bench.git("am", "-q", *map(str, sorted((bench.folder / "series").glob("*.patch"))))
    text = (bench.folder / "tree" / "mm" / "memory.c").read_text()
    (bench.folder / "tree" / "mm" / "memory.c").write_text(text.replace("/* one */", "/* one */ no_such_thing +"))
    bench.git("commit", "-qam", "toy: count")
    bench.git("format-patch", "-q", "-o", str(bench.folder / "counting"), "HEAD~1")
    bench.git("reset", "-q", "--hard", "HEAD~3")
    pipeline = bench.folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("path: series,", "path: series, on_top: counting,"))
    bench.run()
    job = next(j for j in bench.result()["jobs"] if j["side"] == "patched")
    told = {s["stage"]: s["message"] for s in job["stages"]}
    assert told["series"].startswith("3 patches") and "no_such_thing" in told["build"]


def test_a_part_of_a_series_is_run_as_one(bench: Bench) -> None:
    bench.series(GOOD[0], ("mm/swap.c", "return", "return no_such_thing +"))
    bench.run("--at", "1")
    job = next(j for j in bench.result()["jobs"] if j["side"] == "patched")
    told = {s["stage"]: (s["verdict"], s["message"]) for s in job["stages"]}
    assert told["series"][1].startswith("1 patches") and told["build"][0] == "pass"
    code, output = bench.run("--at", "3")
    assert code == 2 and "has 2 patches, not 3" in output


def test_a_build_that_breaks_names_the_first_compiler_error(bench: Bench) -> None:
    bench.series(("mm/memory.c", "return", "return no_such_thing +"))
    code, output = bench.run()
    assert code in {1, 3}
    job = next(j for j in bench.result()["jobs"] if j["side"] == "patched")
    (stage,) = [s for s in job["stages"] if s["verdict"] != "pass"]
    assert stage["stage"] == "build" and "no_such_thing" in stage["message"] and "mm/memory.c" in stage["message"]
    assert Path(stage["log"]).exists(), output


def test_a_symbol_that_the_tree_does_not_know_is_the_users_fault(bench: Bench) -> None:
    (bench.folder / "small.config").write_text("CONFIG_NO_SUCH_SYMBOL=y\n")
    code, output = bench.run("--mode", "base")
    assert code == 2, output
    assert [line for line in output.splitlines() if line.startswith("wpci: ") and "NO_SUCH_SYMBOL" in line]
    assert "wpci: log:" not in output, "it would name what is gone with the folder"
    assert not list(bench.folder.glob("results/*"))


def test_a_bad_pipeline_is_one_line_and_starts_nothing(bench: Bench) -> None:
    (bench.folder / "pipeline.yaml").write_text("trees: {}\nvariant: {}\n")
    code, output = bench.run()
    assert code == 2
    assert output.strip().splitlines() == [f"wpci: {'pipeline.yaml'}: variant: unknown key; did you mean 'variants'?"]
    assert not (bench.folder / "results").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_boot_leaves_nothing_running_and_the_next_run_goes_on(
    bench: Bench, number: signal.Signals
) -> None:
    bench.configure("line:Linux+version+5.10,hang:")
    with bench.start("--mode", "base") as child:
        console = wait_for(bench.folder, "results/*/jobs/*/boot-1/console.log")
        child.send_signal(number)
        output, _ = child.communicate()
    assert child.returncode == 130, output
    assert "interrupted" in output.strip().splitlines()[-1]
    assert console.exists() and bench.left_running() == []
    bench.configure(PANIC)
    code, output = bench.run("--mode", "base")
    assert code == 1, output


@pytest.mark.nightly
def test_an_interrupted_build_is_gone_on_with(bench: Bench) -> None:
    slow = bench.folder / "tree" / "mm" / "Makefile"
    slow.write_text(slow.read_text() + "\n$(shell touch building; sleep 3)\n")
    bench.git("add", "-fu")
    bench.commit("toy: a slow directory")
    with bench.start("--mode", "base") as child:
        wait_for(bench.folder, "cache/**/building")
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate()
    assert child.returncode == 130, output
    assert bench.left_running() == []
    assert not list((bench.folder / "cache" / "kernels").glob("*/kernel.json"))
    code, output = bench.run("--mode", "base")
    assert code == 1 and "Kernel panic" in bench.reason(), output


def test_two_runs_at_once_on_one_cache_both_end_well(bench: Bench) -> None:
    with bench.start("--mode", "base") as first, bench.start("--mode", "base") as second:
        outputs = [first.communicate()[0], second.communicate()[0]]
    assert [first.returncode, second.returncode] == [1, 1], outputs
    assert len(list((bench.folder / "cache" / "kernels").glob("*/kernel.json"))) == 1


def test_kernels_that_are_too_many_go_after_a_run_and_not_in_one(bench: Bench) -> None:
    pipeline = bench.folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("{alone: null}", "{kernels: {days: 30, size: 1M}}"))
    large = bench.folder / "cache" / "kernels" / "large"
    large.mkdir(parents=True)
    (large / "vmlinux").write_bytes(bytes(2 * 2**20))
    os.utime(large, (2**31, 2**31))  # used after that of the run
    code, output = bench.run("--mode", "base")
    assert code == 1 and "Kernel panic" in bench.reason(), output
    assert "2 kernels removed from the cache" in output
    assert not list((bench.folder / "cache" / "kernels").iterdir())
    assert (bench.folder / "results" / "last" / "jobs" / "toy.small" / "config").is_file()


def test_old_kernels_go_when_asked_for_and_all_with_the_work_trees(bench: Bench) -> None:
    def clean(*options: str) -> str:
        argv = bench.argv("clean", *options)
        return subprocess.run(
            argv,
            cwd=bench.folder,
            env=bench.environment,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout

    bench.run("--mode", "base")
    (kernel,) = (bench.folder / "cache" / "kernels").iterdir()
    assert clean("--old") == "no kernel is too old\n" and kernel.exists()
    os.utime(kernel, (0, 0))
    assert clean("--old").startswith("1 kernels removed from the cache") and not kernel.exists()
    assert "one of them" in clean("--old", "--all")
    assert clean().startswith("removed kernels, programs, rootfs, work from")


def test_a_run_has_the_cache_from_its_first_moment_to_its_last(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WPCI_CACHE", str(bench.folder / "cache"))
    pipeline = loader.load(bench.folder / "pipeline.yaml")
    results = bench.folder / "results"
    with (
        opening.open_run(pipeline, "base", overrides.Options(), results=results, progress=SILENT),
        pytest.raises(InfraError, match="in use by a run that is going on: nothing was removed"),
    ):
        Cache.default().clean()
    assert Cache.default().clean().startswith("removed nothing")


def test_a_cached_kernel_is_not_built_again(bench: Bench) -> None:
    bench.run("--mode", "base")
    bench.run("--mode", "base")
    (job,) = bench.result()["jobs"]
    assert [s["reused"] for s in job["stages"] if s["stage"] == "build"] == [True]


def test_a_full_disk_is_the_hosts_fault_and_said_in_one_line(bench: Bench) -> None:
    full = bench.folder / "results"
    full.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(full)], check=False)
    if mounted.returncode:
        pytest.skip("only root can mount a small file system to fill")
    try:
        code, output = bench.run("--mode", "base")
    finally:
        subprocess.run(["umount", str(full)], check=True)
    assert code == 3, output
    assert "No space left" in output and "Traceback" not in output


def test_ones_own_range_needs_no_yaml_and_leaves_the_tree_alone(bench: Bench) -> None:
    for number, (name, old, new) in enumerate(GOOD, 1):
        path = bench.folder / "tree" / name
        path.write_text(path.read_text().replace(old, new, 1))
        bench.git("add", "-fu")
        bench.commit(f"toy: edit {number}")
    before = bench.git("rev-parse", "HEAD"), bench.git("status", "--porcelain")
    code, output = bench.run("--tree", "tree", "--series", "HEAD~2..HEAD")
    assert code == 3, output
    patched = next(j for j in bench.result()["jobs"] if j["side"] == "patched")
    assert patched["products"]["tree"]["patches"] == ["toy: edit 1", "toy: edit 2"]
    assert (bench.git("rev-parse", "HEAD"), bench.git("status", "--porcelain")) == before


def test_uncommitted_changes_are_refused_unless_asked_for(bench: Bench) -> None:
    path = bench.folder / "tree" / "mm" / "memory.c"
    path.write_text(path.read_text() + "/* mine */\n")
    code, output = bench.run("--tree", "tree")
    assert code == 2 and "mm/memory.c" in output
    code, output = bench.run("--tree", "tree", "--dirty")
    assert code == 1, output
    assert any("uncommitted" in note for note in bench.result()["jobs"][0]["notes"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mode", "smok"], "did you mean 'smoke'"),
        (["--variant", "smal"], "did you mean 'small'"),
        (["--suite", "onw"], "did you mean 'own'"),
        (["--test", "T2", "--variant", "small"], "suite own: no test matches 'T2'; did you mean 'T02'?"),
        (["--tree", "toi"], "no such file or folder: toi; did you mean 'toy'?"),
        (["--series", "thre"], "no such file or folder: thre; did you mean 'three'?"),
        (["--tree", "nowhere"], "no such file or folder: nowhere"),
        (["--tree", "programs/empty"], "holds no Makefile: it is no kernel tree"),
        (["--series", "nothere"], "no such file or folder: nothere"),
        (["--series", "programs"], "is empty: no patch in it"),
        (["--series", "small.config"], "is empty: no patch in it"),
        (["--series", "HEAD~1..HEAD"], "needs --tree DIR"),
        (["--tree", "tree", "--series", "HEAD..HEAD"], "holds no commits"),
        (["--tree", "tree", "--series", "nope..HEAD"], "has no commit nope"),
    ],
)
def test_options_typed_wrong_are_one_line_at_once_and_leave_the_last_run_alone(
    bench: Bench, options: list[str], words: str
) -> None:
    """Without them the base would be built, booted and tested first, and ``--run last`` would find nothing."""
    (bench.folder / "programs" / "empty").mkdir()
    bench.series(*GOOD)
    earlier = bench.folder / "results" / "earlier"
    earlier.mkdir(parents=True)
    (bench.folder / "results" / "last").symlink_to("earlier")
    code, output = bench.run(*options)
    said = [line for line in output.splitlines() if line.startswith("wpci: ")]
    assert (code, len(said)) == (2, 1) and words in said[0], output
    assert not list((bench.folder / "cache").glob("kernels/*"))
    assert (bench.folder / "results" / "last").resolve() == earlier
    assert sorted(path.name for path in (bench.folder / "results").iterdir()) == ["earlier", "last"]


def test_a_program_that_cannot_be_asked_on_this_host_is_asked_in_the_guest(bench: Bench) -> None:
    (bench.folder / "programs" / "t.sh").write_text("#!/bin/sh\nexit 3\n")
    code, output = bench.run("--mode", "base", "--test", "T99")
    assert code == 1 and "Kernel panic" in bench.reason(), output


def test_a_suite_in_which_no_test_is_asked_for_is_left_out(bench: Bench) -> None:
    """It would be red for want of tests, and its programs would be built for nothing."""
    pipeline = bench.folder / "pipeline.yaml"
    theirs = "  theirs: {kind: tree, tree: toy, directory: nowhere, programs: [{name: prog, run: ./prog}]}"
    pipeline.write_text(
        pipeline.read_text()
        .replace("modes:", f"{theirs}\nmodes:")
        .replace(
            "  base: {trees: [toy], variants: [small], suites: [own]}",
            "  base: {trees: [toy], variants: [small], suites: [own, theirs],"
            " also: [{trees: [toy], variants: [other], suites: [theirs]}]}",
        )
        .replace("variants:\n", "variants:\n  other: {fragments: [small.config]}\n", 1)
    )
    code, output = bench.run("--mode", "base", "--test", "T02")
    assert code == 1 and "Kernel panic" in bench.reason(), output
    assert "left out, for none of their tests was asked for: toy.other" in output
    assert [job["variant"] for job in bench.result()["jobs"]] == ["small"]
    code, output = bench.run("--mode", "base", "--test", "prog")
    assert code == 2 and "suite theirs: nowhere has no Makefile" in output, output
    assert "left out, for none of their tests" not in output, output
    assert "suite own is left out of toy.small: none of its tests was asked for" in " ".join(output.split()), output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_a_program_is_asked_on_this_host_by_nobody(bench: Bench) -> None:
    """A program that takes no notice of ``-l`` would do to this host what it is meant to do to a guest."""
    proof = bench.folder / "proof"
    script = f"#!/bin/sh\ntouch {proof}\necho T01\necho U$(id -u)\ngrep CapBnd /proc/self/status\n"
    (bench.folder / "programs" / "t.sh").write_text(script)
    code, output = bench.run("--mode", "base", "--test", "U0")
    assert code == 2 and "no test matches 'U0'" in output and "(3 tests there)" in output, output
    assert not proof.exists()
    code, output = bench.run("--mode", "base", "--test", "CapBnd:*0000000000000000", "--test", "U65534")
    assert code == 1, output


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_last_that_is_no_link_of_ours_is_left_alone(bench: Bench, kind: str) -> None:
    last = bench.folder / "results" / "last"
    last.parent.mkdir()
    if kind == "folder":
        last.mkdir()
    else:
        last.write_text("precious")
    code, output = bench.run()
    assert code == 2 and "last is no link, as which it would name the last run: move it away" in output
    assert [path.name for path in last.parent.iterdir()] == ["last"] and not last.is_symlink()


def test_a_mistake_that_only_the_tree_shows_leaves_the_last_run_alone(bench: Bench) -> None:
    bench.run("--mode", "base")
    last = (bench.folder / "results" / "last").resolve()
    source = "source: {provider: path, path: tree"
    pipeline = bench.folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace(source, f"{source}, ref: no-such-commit"))
    code, output = bench.run("--mode", "base")
    assert code == 2 and "no-such-commit" in output, output
    assert (bench.folder / "results" / "last").resolve() == last
    assert sorted(path.name for path in (bench.folder / "results").iterdir()) == sorted(["last", last.name])


def wait_for(folder: Path, pattern: str) -> Path:
    """Wait until a file is there; ten minutes are for a machine that is busy with other things."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):  # a folder that went while it was looked through
            if found := list(folder.glob(pattern)):
                return found[0]
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} in {folder}")


@pytest.mark.nightly
def test_base_and_patched_run_on_workers_and_the_verdict_is_the_same(bench: Bench) -> None:
    bench.configure("guest:")
    bench.series(GOOD[0], ("mm/swap.c", "return page - 1", "return page - 2"))
    here, _ = bench.run("--results", "here")
    code, output = bench.run("--engine", "workers:2")
    assert (code, here) == (0, 0), output
    told = " ".join(output.split())
    assert "engine: 2 workers on this machine" in told and "three in small: PASS" in told
    assert len(bench.result()["series"]) == 1 and bench.left_running() == []
    code, output = bench.run("--engine", "workers:2", "--ahead")
    assert code == 2 and "--ahead is for one machine" in output
