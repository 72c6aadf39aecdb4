"""What keeps a child in its place: no network, or processes that all end with it, as far as this host allows it."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from orchestrator.host.process import sandbox
from orchestrator.host.process.sandbox import Cage

_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--", "sh", "-c")
_STILL_OURS = '[ "$PPID" = "$1" ] && shift && exec "$@"'
"""We may have died before the signal was asked for: then the child has another parent, and does not begin."""
_OFFLINE = ("--net",)
_ENCLOSED = ("--net", "--pid", "--kill-child")
_AROUND_A_CAGE = ("--pid", "--mount-proc", "--kill-child")
"""bubblewrap asks for its parent's death late (0.8.0): killed while it builds, it would leave its first process. It
looks for its child in /proc, which must be that of these processes: in another they have other numbers."""
_FIRST = ("timeout", "--foreground", "0")
"""The first process of a namespace: it waits for the command and hands signals on. make must not be the first: the
kernel keeps a first process from ending itself by a signal, which is how make ends when it is interrupted."""


@functools.cache
def _unshared(namespaces: tuple[str, ...], *first: str) -> tuple[str, ...]:
    """Return the argv prefix that gives a child namespaces of its own, or nothing where this host does not allow it."""
    for options in ((), ("--map-current-user",)):
        prefix = ("unshare", *options, *namespaces, *first)
        with contextlib.suppress(OSError):
            if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
                return prefix
    return ()


def network_can_be_cut() -> bool:
    """Whether this host lets us start a child without a network."""
    return bool(_unshared(_OFFLINE))


def can_enclose() -> bool:
    """Whether this host lets us start a child whose processes all end with it."""
    return bool(_unshared(_ENCLOSED, *_FIRST))


def full_argv(argv: Sequence[str | Path], offline: bool, enclosed: bool, cage: Cage | None) -> list[str]:
    """Return a command with what guards it in front: the signal that ends it with us, its cage, its namespaces."""
    guard = [*_DIES_WITH_US, _STILL_OURS, "wpci", str(os.getpid())] if shutil.which("setpriv") else []
    words = sandbox.argv(cage, argv) if cage else [str(word) for word in argv]
    if cage and not sandbox.obstacle():
        return [*guard, *_unshared(_AROUND_A_CAGE, *_FIRST), *words]
    fence = _unshared(_ENCLOSED, *_FIRST) if enclosed or cage else ()
    return [*guard, *(fence or (_unshared(_OFFLINE) if offline or enclosed or cage else ())), *words]
