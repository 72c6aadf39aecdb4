"""Nights on other machines: a scheduler and workers over TLS, and all that can befall them. Verdicts are as here."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.lab import Lab, await_, lab
from tests.stage.nightly.test_run import Nights
from tests.stage.pipeline.test_run import FAKES, wait_for

PIPELINE = """
default_mode: full
trees:
  toy: {{source: {{provider: path, path: tree}}}}
variants:
{variants}
suites:
  own: {{directory: programs}}
modes:
  full: {{trees: [toy], variants: [{names}], suites: [own]}}
nightly: {{guests: 2}}
engine: {engine}
"""
VARIANT = """  {name}:
    fragments: [{fragment}.config]
    machine: {{cpus: 1, memory: {memory}, cmdline: ["fake={fake}"]}}
    accel: tcg
"""
GUEST = "guest:"
NAMES = ("one", "two", "three")


class Farm(Nights):
    """Nights of three variants, on workers."""

    lab: Lab
    names: tuple[str, ...] = NAMES
    silence: str = "60s"

    def variants(self, other: str, **memory: str) -> None:
        """Write the pipeline; its engine are the workers of the lab, once there is one."""
        del other
        variants = "".join(
            VARIANT.format(
                name=name, fragment="small" if name == "one" else "other", fake=GUEST, memory=memory.get(name, "64M")
            )
            for name in self.names
        )
        engine = "local"
        if hasattr(self, "lab"):
            place = self.lab
            engine = f"{{dask: '{place.address}', certificates: '{place.certificates}', store: '{place.store}'"
            engine += f", silence: {self.silence}}}"
        text = PIPELINE.format(variants=variants, names=", ".join(self.names), engine=engine)
        (self.folder / "pipeline.yaml").write_text(text)

    def guests(self) -> list[str]:
        return [line for line in self.left_running() if "-kernel" in line]

    def verdicts(self) -> list[tuple[str, str, list[tuple[str, str]]]]:
        return [
            (job["name"], job["verdict"], [(t["name"], t["status"]) for run in job["suites"] for t in run["tests"]])
            for job in self.result()["jobs"]
        ]

    def here(self) -> list[tuple[str, str, list[tuple[str, str]]]]:
        """Return the verdicts of the same night on this machine alone."""
        code, output = self.night("--engine", "local", "--results", "here")
        assert code in (0, 1), output
        return self.verdicts_in("here")

    def verdicts_in(self, results: str) -> list[tuple[str, str, list[tuple[str, str]]]]:
        usual = self.folder / "results"
        if usual.exists():
            usual.rename(self.folder / "kept")
        (self.folder / results).rename(usual)
        try:
            return self.verdicts()
        finally:
            shutil.rmtree(usual)
            if (self.folder / "kept").exists():
                (self.folder / "kept").rename(usual)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    made = Farm(tmp_path)
    with lab(tmp_path / "lab", made.environment, "a", "b", "c") as running:
        made.lab = running
        made.variants(GUEST)
        yield made
    assert made.left_running() == []


def test_a_night_on_three_workers_is_the_night_that_it_is_here(farm: Farm) -> None:
    farm.day("not-ok T01")
    code, output = farm.night()
    assert code == 1, output
    there = farm.verdicts()
    names = sorted(str(path.relative_to(farm.last)) for path in farm.last.rglob("*") if path.is_file())
    text = (farm.last / "result.json").read_text()
    assert "attempts" not in text and "cache-" not in text, "a path of a worker"
    red = farm.job("toy.one")
    assert red["verdict"] == "fail" and Path(red["products"]["kernel"]["image"]).is_file()
    assert Path(red["products"]["rootfs"]["image"]).is_file(), "who looks at what is red boots it again"
    assert (farm.last / "jobs" / "toy.two" / "boot-1" / "console.log").is_file()
    assert not (farm.last / "jobs" / "toy.two" / "rootfs").exists()
    built = [stage["reused"] for job in farm.result()["jobs"] for stage in job["stages"] if stage["stage"] == "build"]
    assert sorted(built) == [False, False, True], "two and three have one kernel"
    assert there == farm.here()
    assert [name for name in names if name.endswith("config")] == [f"jobs/toy.{name}/config" for name in sorted(NAMES)]


@pytest.mark.nightly
def test_a_worker_that_dies_costs_time_and_no_verdict(farm: Farm) -> None:
    farm.day("holds T01 go")
    with farm.begin() as child:
        first = farm.lab.at_work("toy.one", "own/*.ktap")
        farm.lab.kill(first)
        assert farm.lab.at_work("toy.one", "own/*.ktap") != first
        farm.lab.let_go("go")
        output, _ = child.communicate()
    assert child.returncode == 0, output
    assert "is gone" in output
    assert [verdict for _, verdict, _ in farm.verdicts()] == ["pass"] * 3


@pytest.mark.nightly
@pytest.mark.parametrize(("play", "sign"), [("holds T01 go", "build.log"), ("awaits go", "boot-1/console.log")])
def test_a_worker_that_dies_in_a_build_or_a_boot_costs_time_and_no_verdict(farm: Farm, play: str, sign: str) -> None:
    farm.day(play)
    with farm.begin() as child:
        first = farm.lab.at_work("toy.one", sign)
        farm.lab.kill(first)
        assert farm.lab.at_work("toy.one", "boot-1/console.log") != first, "a dead worker's claim on a kernel is void"
        farm.lab.let_go("go")
        output, _ = child.communicate()
    assert child.returncode == 0, output
    assert "is gone" in output
    assert [(name, verdict) for name, verdict, _ in farm.verdicts()] == [(f"toy.{name}", "pass") for name in NAMES]


@pytest.mark.nightly
def test_a_worker_that_is_thawed_after_its_job_was_given_to_another_changes_nothing(farm: Farm) -> None:
    farm.silence = "10s"
    farm.variants(GUEST)
    farm.day("holds T01 go", "flaky T02 10")
    with farm.begin() as child:
        first = farm.lab.at_work("toy.one", "own/*.ktap")
        farm.lab.signal(first, signal.SIGSTOP)
        stopped = farm.lab.processes.pop(first)
        assert farm.lab.at_work("toy.one", "own/*.ktap") != first
        farm.lab.processes[first] = stopped
        farm.lab.signal(first, signal.SIGCONT)
        farm.lab.let_go("go")
        output, _ = child.communicate()
    assert child.returncode == 1, output
    assert f"worker {farm.lab.named(first)} is gone" in output
    assert [name for name, _, _ in farm.verdicts()] == ["toy.one", "toy.two", "toy.three"]
    (suite,) = farm.job("toy.one")["suites"]
    assert suite["retried"] == [], "one attempt alone is in the result"
    assert len(list((farm.last / "jobs" / "toy.one").glob("boot-*"))) == 1


@pytest.mark.nightly
def test_ctrl_c_ends_the_guests_of_all_workers(farm: Farm) -> None:
    farm.day("holds T01 go")
    with farm.begin() as child:
        worker = farm.lab.at_work("toy.one", "own/*.ktap")
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate()
        await_(lambda: not farm.guests(), "no guest is left")
    assert child.returncode == 130, output
    assert worker in farm.lab.processes and farm.lab.processes[worker].poll() is None, "the worker stays"
    farm.lab.let_go("go")
    assert farm.night()[0] == 0, "and takes the next night"


@pytest.mark.nightly
def test_the_scheduler_dies_and_the_night_goes_on_later(farm: Farm) -> None:
    farm.day("holds T01 go")
    with farm.begin() as child:
        wait_for(farm.folder, "results/*/jobs/toy.two/job-junit.xml")
        farm.lab.at_work("toy.one", "own/*.ktap")
        farm.lab.kill("scheduler")
        output, _ = child.communicate()
    assert child.returncode == 3, output
    assert f"the scheduler {farm.lab.address} is gone" in output
    first, missing = farm.last, farm.result()["missing"]
    assert "toy.one" in missing and "toy.two" not in missing
    await_(lambda: not farm.guests(), "guests end with their worker, and workers with their scheduler")
    farm.lab.end()
    farm.lab.start_scheduler()
    farm.lab.start_worker("d")
    farm.variants(GUEST)
    farm.lab.let_go("go")
    code, output = farm.night("--continue")
    assert code == 0, output
    assert farm.last == first and farm.result()["missing"] == []
    assert [name for name, _, _ in farm.verdicts()] == ["toy.one", "toy.two", "toy.three"]
    assert f"goes on with run {first.name}: {', '.join(missing)}" in " ".join(output.split())


@pytest.mark.nightly
def test_a_late_worker_gets_work_and_one_of_another_version_none(tmp_path: Path) -> None:
    farm = Farm(tmp_path)
    with lab(tmp_path / "lab", farm.environment, "a") as running:
        farm.lab = running
        farm.variants(GUEST)
        farm.day("holds T01 go")
        code = tmp_path / "other"
        shutil.copytree(FAKES.parents[1] / "orchestrator", code / "orchestrator")
        module = code / "orchestrator" / "text" / "wording.py"
        module.write_text(module.read_text() + "# else")
        running.start_worker("other", PYTHONPATH=str(code))
        running.await_worker("other")
        with farm.begin("--variant", "one", "--variant", "two") as child:
            running.at_work("toy.one", "own/*.ktap")
            running.start_worker("late")
            wait_for(tmp_path, "results/*/jobs/toy.two/job-junit.xml")
            running.let_go("go")
            output, _ = child.communicate()
    assert child.returncode == 0, output
    assert list(running.cache("late").glob("store/sources/*")), "it got a job"
    words = " ".join(output.split())
    assert f"worker {running.named('other')} runs wpci 0." in words and "it gets no job" in words
    assert not (running.cache("other") / "kernels").exists()


@pytest.mark.nightly
def test_where_all_workers_are_gone_nobody_waits_for_ever_and_the_night_goes_on_later(farm: Farm) -> None:
    farm.day("holds T01 go")
    with farm.begin() as child:
        wait_for(farm.folder, "results/*/jobs/toy.two/job-junit.xml")
        for name in ("a", "b", "c"):
            farm.lab.kill(name)
        output, _ = child.communicate()
    assert child.returncode == 3, output
    assert f"no worker of this version is at {farm.lab.address} for 60 s" in " ".join(output.split())
    assert "toy.one" in farm.result()["missing"] and "toy.two" not in farm.result()["missing"]
    farm.lab.start_worker("d")
    farm.lab.let_go("go")
    code, output = farm.night("--continue")
    assert code == 0, output
    assert [name for name, _, _ in farm.verdicts()] == ["toy.one", "toy.two", "toy.three"]


@pytest.mark.nightly
def test_a_job_that_loses_three_workers_is_named(farm: Farm) -> None:
    farm.day("holds T01 go")
    with farm.begin("--variant", "one") as child:
        for _ in range(3):
            farm.lab.kill(farm.lab.at_work("toy.one", "own/*.ktap"))
        output, _ = child.communicate()
    assert child.returncode == 3, output
    assert "toy.one: toy.one lost 3 workers, the last is" in " ".join(output.split())
    assert farm.result()["missing"] == ["toy.one"]


@pytest.mark.nightly
def test_a_need_that_no_worker_can_meet_is_said_at_once(farm: Farm) -> None:
    farm.variants(GUEST, two="4096G")
    code, output = farm.night()
    assert code == 3, output
    words = " ".join(output.split())
    assert "toy.two: no worker has 4096.2 GiB of memory for a guest (the most is" in words
    assert words.index("it waits for a worker that has") < words.index("toy.one: guest")
    assert [(name, verdict) for name, verdict, _ in farm.verdicts()] == [("toy.one", "pass"), ("toy.three", "pass")]


@pytest.mark.nightly
def test_a_worker_whose_host_fails_again_and_again_is_set_aside(tmp_path: Path) -> None:
    farm = Farm(tmp_path)
    farm.names = (*NAMES, "four", "five", "six", "seven")
    broken = tmp_path / "broken"
    broken.mkdir()
    script = '#!/bin/sh\n[ "$1" = --version ] && echo QEMU emulator version 7.2.0 && exit\nsleep 1; exit 1\n'
    (broken / "qemu-system-x86_64").write_text(script)
    (broken / "qemu-system-x86_64").chmod(0o755)
    with lab(tmp_path / "lab", farm.environment) as running:
        farm.lab = running
        running.start_worker("bad", PATH=f"{broken}:{farm.environment['PATH']}")
        running.start_worker("good")
        running.await_worker("bad")
        running.await_worker("good")
        farm.variants(GUEST)
        farm.day("holds T01 go")
        with farm.begin() as child:
            await_(lambda: len(list(tmp_path.glob("results/*/jobs/*/job-junit.xml"))) == 2, "two that failed")
            time.sleep(4)  # the third is on its way
            running.let_go("go")
            output, _ = child.communicate()
    assert child.returncode == 3, output
    assert f"worker {running.named('bad')} is set aside" in " ".join(output.split())
    verdicts = [verdict for _, verdict, _ in farm.verdicts()]
    assert (verdicts.count("infra"), verdicts.count("pass")) == (2, 5), "the third runs elsewhere"


@pytest.mark.nightly
def test_two_nights_at_once_share_the_workers(farm: Farm, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Farm(tmp_path / "other")
    other.lab = farm.lab
    other.variants(GUEST)
    with farm.begin() as one, other.begin("--engine", farm.lab.address) as two:
        outputs = [child.communicate()[0] for child in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0), outputs
    assert [len(bench.verdicts()) for bench in (farm, other)] == [3, 3]


@pytest.mark.nightly
def test_a_store_that_lies_or_is_full_costs_builds_and_no_verdict(tmp_path: Path) -> None:
    farm = Farm(tmp_path)
    with lab(tmp_path / "lab", farm.environment, "a") as running:
        farm.lab = running
        farm.variants(GUEST)
        assert farm.night()[0] == 0
        right = farm.verdicts()
        kernels = running.folder / "store" / "kernels"
        before = {path.name: path.read_bytes() for path in kernels.iterdir()}
        for path in kernels.iterdir():
            path.write_bytes(before[path.name][:-100] + b"x" * 100)
        running.kill("a")
        running.start_worker("b")
        running.await_worker("b")
        assert farm.night()[0] == 0
        assert farm.verdicts() == right
        assert {path.name: path.read_bytes()[:80] for path in kernels.iterdir()}.keys() == before.keys()
        assert all(not path.read_bytes().endswith(b"x" * 100) for path in kernels.iterdir()), "they were made again"
        shutil.rmtree(kernels)
        kernels.write_text("no folder: nothing can be written here")
        running.kill("b")
        running.start_worker("c")
        running.await_worker("c")
        code, output = farm.night()
    assert code == 0, output
    words = " ".join(output.split())
    assert "the kernel is built here: the store file://" in words or "stays here: the store file://" in words
    assert farm.verdicts() == right
