#!/usr/bin/env python3
"""A night on a cluster that Slurm keeps: dask-jobqueue starts the workers there, and they end with the night.

    pip install dask-jobqueue
    contrib/slurm/night.py --host 10.0.0.1 --workers 20 --cores 8 --memory 24GB -- nightly --mode full

The scheduler is in this process. The checkout, the certificates, and the store that pipeline.yaml names, are on a file
system that all nodes see.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import dask
from dask_jobqueue import SLURMCluster

from orchestrator.config import locate
from orchestrator.engine import certificates, worker

# dask-jobqueue would start workers of dask: ours take their place.
PROLOGUE = """
export WPCI_CACHE="${{TMPDIR:-/tmp}}/wpci-$SLURM_JOB_ID"
exec {folder}/bin/wpci worker {address} --certificates {certificates}
"""


def main() -> int:
    """Start a scheduler, ask Slurm for workers, and run a command of wpci on them."""
    options = _options()
    address = f"tls://{options.host}:{options.port}"
    folder = Path(sys.executable).parents[1]
    prologue = PROLOGUE.format(folder=folder, address=address, certificates=options.certificates)
    with (
        dask.config.set(worker.SETTINGS),
        SLURMCluster(
            cores=options.cores,
            memory=options.memory,
            processes=1,
            walltime=options.time,
            job_name="wpci-worker",
            log_directory=options.logs,
            job_script_prologue=prologue.strip().splitlines(),
            protocol="tls://",
            security=worker.security(certificates.files(options.certificates)),
            scheduler_options={"host": options.host, "port": options.port, "dashboard": False},
        ) as cluster,
    ):
        cluster.scale(jobs=options.workers)
        return subprocess.run([folder / "bin" / "wpci", *options.words, "--engine", address], check=False).returncode


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A night of wpci on Slurm.")
    parser.add_argument("--workers", type=int, default=2, help="how many jobs of Slurm")
    parser.add_argument("--cores", type=int, default=8, help="cores of each")
    parser.add_argument("--memory", default="24GB", help="memory of each")
    parser.add_argument("--time", default="12:00:00", help="how long each may run")
    parser.add_argument("--host", required=True, help="the address of this host that the nodes reach")
    parser.add_argument("--port", type=int, default=8786)
    parser.add_argument("--certificates", type=Path, default=locate.certificates())
    parser.add_argument("--logs", default="results/slurm", help="where the workers write")
    parser.add_argument("words", nargs="*", default=["nightly"], help="the command of wpci")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
