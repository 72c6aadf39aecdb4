"""A cage for programs that the tree under test brings: bubblewrap, and bounds on what they take.

Inside there are the programs and libraries of this host, read-only, and the folders that a Cage names; no home, no
other file of /etc than those below, no network, no process but their own, no capability. Where root starts it, the
cage runs as a user of its own, so that even what is there can be neither read nor written beyond what everyone may.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

USER = 65321
"""The user and group of a cage that root starts. Debian reserves 65000 to 65533, and gives them to nobody."""
GUESTS = 65322
"""The user and group of a QEMU that root starts."""
NOT_FOR_GUESTS = f"{{}} is not for user {GUESTS}, as whom root's QEMU runs: give it to a group (kvm) and mode 660"

GIB = 2**30
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt")
_SETTINGS = ("alternatives", "group", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "passwd", "perl")
_COMPILES = ("make", "gcc", "ld", "as", "ccache", "sparse", "perl")
_SPACES = ("ipc", "pid", "net", "uts")


@dataclass(frozen=True)
class Bounds:
    """What one process of a cage may take, in bytes, and how many of them there may be; ``scratch`` is /tmp."""

    memory: int = 16 * GIB
    file: int = 8 * GIB
    scratch: int = 2 * GIB
    processes: int = 4096


@dataclass(frozen=True)
class Cage:
    """What a program in a cage may see and write, files or folders; what is in neither list is not there.

    Each has inside the path that it has outside. ``covers`` are folders that are seen, and may be written, in the place
    of another one: what lies there is not touched. ``networked`` keeps the network of this host, ``devices`` are those
    of it that may be used. ``user`` is who the program runs as where root starts it.
    """

    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    covers: tuple[tuple[Path, Path], ...] = ()
    bounds: Bounds = Bounds()
    networked: bool = False
    devices: tuple[Path, ...] = ()
    user: int = USER


def python() -> tuple[Path, ...]:
    """Return what a module of ours reads to run in a cage: this interpreter, its libraries and our package.

    What lies under /usr is in every cage.
    """
    homes = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent, *_libraries()}
    return (*sorted(home for home in homes if not home.is_relative_to("/usr")), _PACKAGE)


def python_path() -> str:
    """Return the PYTHONPATH of such a module: with the home of a cage Python does not find what a user has."""
    return os.pathsep.join(str(folder) for folder in dict.fromkeys((_PACKAGE.parent, *_libraries())))


_PACKAGE = Path(__file__).parents[2]


def _libraries() -> list[Path]:
    """Return the folders of libraries that lie elsewhere than this interpreter: those that a user has for himself."""
    folders = [Path(place) for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
    homes = (sys.prefix, sys.base_prefix, "/usr")
    return [folder for folder in folders if folder.is_dir() and not any(map(folder.is_relative_to, homes))]


def argv(cage: Cage, command: Sequence[str | Path]) -> list[str]:
    """Return the command inside its cage; on a host that allows none, with its bounds alone."""
    words = bounded(cage.bounds, command)
    if obstacle():
        return words
    ended = ["env", "--default-signal=TERM", "HOME=/tmp", "TMPDIR=/tmp"]
    return ["env", "--ignore-signal=TERM", *_walls(cage), *_unprivileged(cage), *ended, *words]


def bounded(bounds: Bounds, command: Sequence[str | Path]) -> list[str]:
    """Return the command with its bounds alone, where this host can set them."""
    return [*_bounds(bounds), *(str(word) for word in command)]


def _walls(cage: Cage) -> list[str]:
    """Return bubblewrap's own arguments. It lives through SIGTERM: make ends by that, and takes away what is half."""
    words = ["bwrap", "--die-with-parent", "--unshare-cgroup-try", "--hostname", "wpci"]
    words += [f"--unshare-{space}" for space in _SPACES if not (cage.networked and space == "net")]
    words += [] if _is_root() else ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
    words += ["--dir", "/etc"]
    for path in (*_SYSTEM, *(f"/etc/{name}" for name in _SETTINGS)):
        words += ["--ro-bind-try", path, path]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm"):
        words += ["--perms", "1777", "--size", str(cage.bounds.scratch), "--tmpfs", path]
    for path in ("/root", "/home", "/run", "/var"):
        words += ["--dir", path]
    words += ["--symlink", "/tmp", "/var/tmp"]  # where QEMU makes the copy of a disk
    for readable in (*_tool_folders(), *cage.readable):
        words += [*_way_to(readable), "--ro-bind", str(readable), str(readable)]
    for writable in cage.writable:
        words += [*_way_to(writable), "--bind", str(writable), str(writable)]
    for cover, place in cage.covers:
        words += [*_way_to(place), "--bind", str(cover), str(place)]
    for device in cage.devices:
        words += ["--dev-bind", str(device), str(device)]
    return [*words, "--remount-ro", "/", "--remount-ro", "/dev", "--"]


@functools.cache
def _tool_folders() -> tuple[Path, ...]:
    """Return the folders of what compiles here, where that is not the system's: what was asked its version is used."""
    places = [Path(place).parent for tool in _COMPILES if (place := shutil.which(tool))]
    return tuple(dict.fromkeys(place for place in places if not str(place).startswith(_SYSTEM)))


def _way_to(path: Path) -> list[str]:
    """Return what makes the folders above a path, for everybody: bubblewrap's own are closed to other users."""
    return [word for folder in reversed(path.parents[:-1]) for word in ("--dir", str(folder))]


def _unprivileged(cage: Cage) -> list[str]:
    """Return what takes root's rights away inside the walls, for good: no user namespace gives them back."""
    if not _is_root():
        return []
    kept = sorted({group for device in cage.devices if (group := device.stat().st_gid)})
    groups = f"--groups={','.join(map(str, kept))}" if kept else "--clear-groups"
    given_up = [f"--reuid={cage.user}", f"--regid={cage.user}", groups, "--inh-caps=-all", "--bounding-set=-all"]
    no_userns = ["bwrap", "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--"]
    return ["setpriv", *given_up, "--no-new-privs", "--", *no_userns]


def _bounds(bounds: Bounds) -> list[str]:
    if shutil.which("prlimit") is None:
        return []
    limits = {"as": bounds.memory, "fsize": bounds.file, "nproc": bounds.processes, "core": 0}
    return ["prlimit", *(f"--{name}={_allowed(name, value)}" for name, value in limits.items()), "--"]


def _allowed(name: str, wanted: int) -> int:
    """Return a bound, or the hard limit of this process where that is lower: an ordinary user cannot exceed it."""
    _, hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


@functools.cache
def obstacle() -> str:
    """Return why this host allows no cage; empty where it does. It is tried, with a command that does nothing."""
    missing = [tool for tool in ("bwrap", "env", "setpriv", "prlimit") if shutil.which(tool) is None]
    if missing:
        return f"{missing[0]} is not installed (Debian package {_PACKAGES[missing[0]]})"
    words = [*_walls(Cage()), *_unprivileged(Cage()), "env", "--default-signal=TERM", *_bounds(Bounds()), "true"]
    try:
        done = subprocess.run(words, capture_output=True, check=False, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run here: {error}"
    reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return "" if done.returncode == 0 else f"bubblewrap does not work here: {reason or done.returncode}"


_PACKAGES = {"bwrap": "bubblewrap", "env": "coreutils", "setpriv": "util-linux", "prlimit": "util-linux"}
_PATIENCE = 60.0


@functools.cache
def name() -> str:
    """Return what keeps programs of the tree in, for a result's identity: ``bubblewrap 0.8.0``, or ``none``."""
    if obstacle():
        return "none"
    return subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout.strip()


def _is_root() -> bool:
    return os.geteuid() == 0


def give(path: Path, user: int = USER) -> None:
    """Give a file or folder of ours to the user of the cage, where that is another one than we are."""
    if _is_root() and not obstacle():
        with contextlib.suppress(FileNotFoundError):
            os.chown(path, user, user, follow_symlinks=False)


def lets_use(device: Path) -> bool:
    """Whether QEMU may use a device from its cage: as another user than root, in the group of the device."""
    if not os.access(device, os.R_OK | os.W_OK):
        return False
    status = device.stat()
    to_group = bool(status.st_gid) and status.st_mode & 0o060 == 0o060
    return not _is_root() or bool(obstacle()) or to_group or status.st_mode & 0o006 == 0o006


def user() -> int:
    """Return the user id by which a cage writes."""
    return USER if _is_root() and not obstacle() else os.geteuid()
