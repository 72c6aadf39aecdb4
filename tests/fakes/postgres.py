"""A PostgreSQL of one's own in a folder that goes away; where none is installed there is none."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def programs() -> Path | None:
    """Return the folder of the server's programs, newest version first; Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


def _as_its_user() -> list[str]:
    """Return how to become a user that the server runs as: it refuses root."""
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.geteuid() == 0 else []


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Yield the URL of an empty database, reached through a socket."""
    where = programs()
    assert where
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is short
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    control = [*_as_its_user(), str(where / "pg_ctl"), "-D", str(folder / "data"), "-s", "-w"]
    settings = f"-c listen_addresses='' -k {folder} -c fsync=off"
    try:
        subprocess.run(
            [*_as_its_user(), str(where / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "wpci", "-N"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        subprocess.run([*control, "-o", settings, "-l", str(folder / "log"), "start"], check=True, cwd="/")
        yield f"postgresql://wpci@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, cwd="/", capture_output=True)
        shutil.rmtree(folder)
