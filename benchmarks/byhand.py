"""The same guest as a job's, started by a shell script: what the benchmarks compare with."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from orchestrator.host.cache import Cache
from orchestrator.kbuild import make, namesakes
from orchestrator.kbuild.place import out_folder
from orchestrator.model import JobResult
from orchestrator.parse import ktap
from orchestrator.report import result_json
from orchestrator.trees import repository

PORT = 22222


def jobs(results: Path) -> list[JobResult]:
    """Return the jobs of the last run."""
    return [result_json.load_job(p.read_text()) for p in sorted((results / "last").glob("jobs/*/result.json"))]


def command(line: str, folder: Path) -> list[str]:
    """Return the words of a guest's QEMU command line without what waits for wpci, with files in ``folder``.

    Without the monitor and the stop before the first instruction, which only a client of the monitor would lift;
    without the plugin that counts what ran; and with the port that is known beforehand.
    """
    words = iter(shlex.split(line.removeprefix("$ ")))
    kept: list[str] = []
    for word in words:
        if word == "-S":
            continue
        if not word.startswith("-"):
            kept.append(word)
            continue
        value = next(words, "") if word not in {"-nodefaults", "-no-reboot"} else None
        if word in {"-mon", "-plugin", "-action"} or (value is not None and "id=monitor" in value):
            continue
        kept += [word] if value is None else [word, value]
    text = shlex.join(kept)
    text = re.sub(r"path=\S*console\.log", f"path={folder}/console.log", text)
    text = text.replace("hostfwd=tcp:127.0.0.1:0-:22", f"hostfwd=tcp:127.0.0.1:{PORT}-:22")
    return shlex.split(re.sub(r"file=\S*swap\.img", f"file={folder}/swap.img", text))


def start(job: JobResult, folder: Path) -> str:
    """Return shell text that starts QEMU in the background, with its files in ``folder``, and waits for SSH."""
    line = (job.directory / "boot-1" / "qemu.log").read_text().splitlines()[0]
    return f"""rm -f {folder}/console.log; truncate -s 256M {folder}/swap.img
{shlex.join(command(line, folder))} & qemu=$!
until {ssh(job)} true; do sleep 0.1; done
"""


def ssh(job: JobResult) -> str:
    """Return the command that reaches the guest of ``start``."""
    assert job.products.rootfs
    return (
        f"ssh -q -p {PORT} -i {job.products.rootfs.identity} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no "
        "-o UserKnownHostsFile=/dev/null -o ConnectTimeout=2 root@127.0.0.1"
    )


def suite(job: JobResult) -> str:
    """Return shell text that runs the job's tests, program by program as the job did; it fails where one is missing."""
    commands, count = [], 0
    for output in (path for run in job.suites for path in run.outputs):
        tests = ktap.parse(output.read_text(errors="replace")).tests
        commands.append(f"./{output.name.split('.')[0]} " + " ".join(f"-r {test.name}" for test in tests))
        count += len(tests)
    run = f"{ssh(job)} 'cd /tests/uffd; {'; '.join(commands)}; true'"
    return f"[ $({run} | grep -cE '^(not )?ok ') -eq {count} ] || exit 9\n"


def same_tests(jobs: list[JobResult]) -> list[str]:
    """Return the options with which `wpci run` runs the tests of these jobs."""
    names = {test.name for job in jobs for run in job.suites for test in run.tests}
    return [option for name in sorted(names) for option in ("--test", name)]


def end(job: JobResult) -> str:
    """Return shell text that powers the guest off and waits for QEMU."""
    return f"{ssh(job)} poweroff || true\nwait $qemu\n"


def wpci(folder: Path, *words: str | Path) -> int:
    """Run the command, with its results in the folder; return its exit code."""
    argv = [sys.executable, "-m", "orchestrator.cli", *map(str, words), "--results", str(folder / "r")]
    return subprocess.run(argv, check=False, cwd=folder, stdin=subprocess.DEVNULL).returncode


def change(tree: Path, name: str, word: str) -> str:
    """Commit a new variable in a file of mm/; return the commit."""
    path = tree / "mm" / f"{name}.c"
    path.write_text(path.read_text() + f"\nextern int wpci_{word};\nint wpci_{word};\n")
    repository.git(tree, "commit", "-q", "-am", word)
    return repository.git(tree, "rev-parse", "HEAD")


def copy_work_tree(job: JobResult, tree: Path) -> None:
    """Copy the work tree in which the job's kernel was built over a clone, with its output folder."""
    work = Cache.default().path("work", job.tree, "base")
    subprocess.run(["rsync", "-a", "--exclude=/.git", f"{work}/", f"{tree}/"], check=True)
    subprocess.run(["rsync", "-a", f"{out_folder(work, job.variant)}/", f"{output(job, tree)}/"], check=True)


def output(job: JobResult, tree: Path) -> Path:
    """Return the output folder of a job's variant in a tree that is built by hand: the place that wpci's make sees."""
    return tree / f".out-{job.variant}"


def step(base: JobResult, folder: Path, tree: Path, program: Path) -> str:
    """Return a script that makes the tree, boots its kernel and runs a program in it; its exit code is the program's.

    A kernel is made once for each commit; 125 where it does not build, as `git bisect run` wants it.
    """
    out = output(base, tree)
    store = make.Store(folder / "ccache", trusted=True)
    compiler = make.compiler(Cache.default(), store, namesakes.stamp(tree), tree, out)
    settings = [f"{name}={value}" for name, value in make.environment(compiler).items()]
    argv = make.kernel_argv(tree, out, "x86_64", make.processors(), compiler)
    assert base.products.kernel
    kernel = f"{folder}/kernels/$(git rev-parse HEAD)"
    boot = start(base, folder).replace(str(base.products.kernel.image), "$kernel")
    return (
        f"#!/bin/bash\nexec </dev/null >>{folder}/by-hand.log 2>&1\ndate +%s.%N >>{folder}/begins\nkernel={kernel}\n"
        f"if ! [ -e $kernel ]; then {shlex.join(['env', '-i', *settings, *argv, 'vmlinux'])} || exit 125\n"
        f"mkdir -p {folder}/kernels; cp {out}/vmlinux $kernel; fi\n"
        f"{boot}{ssh(base)} 'cat >/tmp/p; chmod +x /tmp/p; /tmp/p' <{program}; code=$?\n{end(base)}"
        "exit $code\n"
    )
