"""A night through Slurm on one machine: its daemons, two nodes with a core each, dask-jobqueue; `make test-slurm`."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine import certificates
from tests.stage.engine.test_cluster import Farm

NIGHT = Path(__file__).parents[2] / "contrib" / "slurm" / "night.py"
CONFIG = """
ClusterName=wpci
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
NodeName=a NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=3000
NodeName=b NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=3000
PartitionName=all Nodes=a,b Default=YES State=UP
"""


def ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody has now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start a controller and two nodes; return the environment in which Slurm's commands reach them."""
    assert shutil.which("slurmctld"), "Slurm is not installed: apt-get install slurmctld slurmd slurm-client"
    assert os.geteuid() == 0, "slurmd runs as root"
    folder = tmp_path / "slurm"
    for name in ("state", "spool-a", "spool-b"):
        (folder / name).mkdir(parents=True)
    file = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    file.write_text(CONFIG.format(host=host, user="root", folder=folder, ports=ports(3)))
    environment = {**os.environ, "SLURM_CONF": str(file)}
    daemons = (["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", "a"], ["slurmd", "-D", "-N", "b"])
    children = []
    with (folder / "log").open("wb") as log:
        try:
            for argv in daemons:
                children.append(subprocess.Popen(argv, env=environment, stdout=log, stderr=log))
            _await_nodes(environment)
            yield environment
        finally:
            for child in reversed(children):
                child.terminate()
            for child in children:
                child.wait()


def _await_nodes(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["sinfo", "-h", "-N", "-o", "%N %t"], env=environment, text=True, capture_output=True, check=False
        )
        if done.stdout.split() == ["a", "idle", "b", "idle"]:
            return
        time.sleep(0.5)
    raise AssertionError(f"the nodes do not come up: {done.stdout} {done.stderr}")


def test_a_night_on_two_nodes_is_the_night_that_it_is_here(slurm: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    farm = Farm(tmp_path / "bench")
    farm.day("not-ok T01")
    made = certificates.make(tmp_path / "certificates").ca.parent
    (port,) = ports(1)
    store = (tmp_path / "store").as_uri()
    engine = f"{{dask: 'tls://127.0.0.1:{port}', certificates: '{made}', store: '{store}'}}"
    file = farm.folder / "pipeline.yaml"
    here = file.read_text()
    file.write_text(here.replace("engine: local", f"engine: {engine}"))
    argv = [sys.executable, str(NIGHT), "--host", "127.0.0.1", "--port", str(port), "--certificates", str(made)]
    done = subprocess.run(
        [*argv, "--workers", "2", "--cores", "1", "--memory", "2GB", "--logs", str(tmp_path / "logs"), "--", "nightly"],
        cwd=farm.folder, env={**farm.environment, **_only_slurm(slurm), "TMPDIR": str(tmp_path)},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    lines = done.stdout.splitlines()
    assert len({line.split()[1] for line in lines if ": suite: 2 tests" in line}) == 2, done.stdout
    assert farm.verdicts() == farm.here()
    queue = subprocess.run(["squeue", "-h"], env=slurm, text=True, capture_output=True, check=True).stdout
    assert all(" CG " in line for line in queue.splitlines()), f"the workers are left: {queue}"


def _only_slurm(environment: dict[str, str]) -> dict[str, str]:
    return {"SLURM_CONF": environment["SLURM_CONF"]}
