"""`wpci worker` and `wpci certificates`: this machine works for others, and how they know one another."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.screen import Screen
from orchestrator.errors import UserError
from orchestrator.host.cache import Cache

CertificatesOption = Annotated[
    Path | None,
    typer.Option(
        "--certificates", help="Folder with ca.pem, cert.pem and key.pem (default: your configuration folder)"
    ),
]


def worker(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The dask scheduler: tls://HOST:PORT.")],
    certificates: CertificatesOption = None,
    part: Annotated[
        str, typer.Option("--part", help="This worker is the I-th of N on this machine (1/2): it takes its part.")
    ] = "1/1",
) -> None:
    """Take jobs from a scheduler, and offer what this machine has: cores, memory, disk, a KVM that a guest has proven.

    It ends with its scheduler, and its guests end with it: let systemd start it again.
    """
    with output.extra("dask"):
        from orchestrator.engine import choose
        from orchestrator.engine import worker as dask_worker

    if not re.fullmatch(r"tls://[^\s/]+:\d+", address):
        raise UserError(f"{address}: tls://HOST:PORT is needed; without certificates anybody would run code here")
    share, cache = _part(part), Cache.default()
    cache.check_for_builds()
    dask_worker.serve(address, choose.held(certificates), cache, output.Plain().note, share)


def _part(text: str) -> float:
    """Keep this process to its part of the cores, and return what part of the machine that is. Raises UserError."""
    match = re.fullmatch(r"([1-9]\d?)/([1-9]\d?)", text)
    if not match or int(match[1]) > int(match[2]):
        raise UserError(f"--part {text}: I/N is needed, like 1/2")
    number, count = int(match[1]) - 1, int(match[2])
    cores = sorted(os.sched_getaffinity(0))
    mine = cores[number::count] or [cores[number % len(cores)]]
    os.sched_setaffinity(0, mine)
    return 1 / count


def certificates(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where they go; only you can read it.")],
) -> None:
    """Make the certificates by which scheduler, workers and clients know one another: one folder for all hosts.

    Whoever has them runs code on every worker.
    """
    with output.extra("dask"):
        from orchestrator.engine import certificates as making

    made = making.files(folder)
    if made.key.exists():
        raise UserError(f"{made.key} is there: others may have copies of it; remove it first if it is to be another")
    making.make(folder)
    Screen().line(f"{folder}: ca.pem, cert.pem, key.pem: whoever has them runs code on every worker")
