"""Make the initramfs: busybox, an SSH server, the test programs, modules and init.

The archive is content-addressed; the keys of the run travel in a second, tiny one behind it, for the kernel
unpacks concatenated archives one after the other.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from orchestrator.arch import Architecture
from orchestrator.errors import InfraError
from orchestrator.guest import protocol
from orchestrator.guest.rootfs import cpio, interpreters, keys, libraries, modules
from orchestrator.host import compiled, disk, packages, process
from orchestrator.host.cache import Cache
from orchestrator.model import Programs, Rootfs
from orchestrator.progress import Minor, Progress

TESTS = "tests"
"""The folder of the guest, below the root, in which each suite has its own."""

COMMANDS = "commands"
"""The folder of the guest that says how programs of a suite are called."""

UNATTENDED = "sbin/unattended"
"""What runs tests in a guest that nobody enters, in place of init."""

_TOOLS = ("busybox", "dropbear")
_SECONDS = 600.0


@dataclass(frozen=True)
class RootfsSpec:
    """What goes into a rootfs. ``directory`` is a folder of this run: the image and the keys lie in it.

    ``modules`` is a folder with .ko files of the kernel ``release``. ``commands`` are files of shell text, by suite and
    name, that say how programs are called which do not list their tests themselves.
    """

    directory: Path
    arch: Architecture
    programs: tuple[Programs, ...] = ()
    modules: Path | None = None
    release: str = ""
    commands: tuple[tuple[str, str, str], ...] = ()


def build(spec: RootfsSpec, cache: Cache, progress: Progress) -> Rootfs:
    """Make the initramfs. Raises InfraError (a tool or library is missing), UserError (a script cannot run there)."""
    deadline = process.Deadline.after(_SECONDS)
    whole = contents(spec, deadline) | {protocol.RENEW: _copy(_renew(cache, progress, deadline), 0o755)}
    plain = cpio.archive(whole)
    sha256 = hashlib.sha256(plain).hexdigest()
    packed = cache.path("rootfs", f"{sha256}.cpio.gz")
    if not _holds(packed, plain):
        progress.note(Minor(f"rootfs: {len(plain) / 2**20:.1f} MB, {len(whole)} files"))
        disk.write_atomic(packed, gzip.compress(plain, 1, mtime=0))
    ours = keys.make(spec.directory / "keys", deadline)
    image = spec.directory / "initramfs.cpio.gz"
    disk.write_atomic(image, packed.read_bytes() + gzip.compress(cpio.archive(_key_entries(ours)), 1, mtime=0))
    packed_programs = tuple((suite.suite, _programs(suite.directory)) for suite in spec.programs)
    return Rootfs(image, sha256, ours.identity, ours.host_public, packed_programs)


def _holds(packed: Path, plain: bytes) -> bool:
    """Whether a file is there, and is these bytes packed: it may have rotten since it was written."""
    try:
        return gzip.decompress(packed.read_bytes()) == plain
    except (OSError, EOFError, zlib.error):
        return False


def _renew(cache: Cache, progress: Progress, deadline: process.Deadline) -> Path:
    """Return the program with which a clone begins, compiled now or earlier. Raises InfraError."""
    source = Path(__file__).with_name("renew.c")
    return compiled.built(source, "renew", ("-static", "-Os", "-s"), cache, deadline, progress)


def _programs(directory: Path) -> tuple[str, ...]:
    return tuple(sorted(p.name for p in directory.iterdir() if p.is_file() and os.access(p, os.X_OK)))


def contents(spec: RootfsSpec, deadline: process.Deadline) -> dict[str, cpio.Entry]:
    """Return everything but the keys, by path."""
    tools = {name: _tool(name) for name in _TOOLS}
    sftp = _sftp_server()
    tests = {f"{TESTS}/{p.suite}/{name}": path for p in spec.programs for name, path in _tree(p.directory)}
    applets = _applets(tools["busybox"], deadline)
    scripts = _scripts(tests, spec.arch, applets)
    env = {interpreters.ENV: cpio.symlink("/bin/busybox")} if interpreters.uses_env(_runnable(tests)) else {}
    programs = [*tools.values(), sftp, *scripts.values(), *(path for path in tests.values() if not path.is_symlink())]
    needed = libraries.needed_by(programs, spec.arch.triplet)
    return {
        **_skeleton(),
        **{name: _copy(path, 0o755) for name, path in scripts.items()},
        **applets,
        **env,
        "bin/busybox": _copy(tools["busybox"], 0o755),
        "sbin/dropbear": _copy(tools["dropbear"], 0o755),
        _sftp_path(tools["dropbear"]): _copy(sftp, 0o755),
        **{name.lstrip("/"): _copy(path, 0o755) for name, path in needed.items()},
        **{f"{TESTS}/{p.suite}": cpio.directory() for p in spec.programs},
        **{name: _copy(path) for name, path in tests.items()},
        **_commands(spec.commands),
        **(modules.entries(spec.modules, spec.release) if spec.modules else {}),
    }


def check_host() -> None:
    """Look for what goes into every guest. Raises InfraError where a tool is not installed."""
    for name in _TOOLS:
        _tool(name)
    _sftp_server()


def check_scripts(programs: Programs, arch: Architecture, deadline: process.Deadline) -> None:
    """Refuse a script that cannot run in the guest: known before there is one. Raises UserError, InfraError."""
    _scripts(dict(_tree(programs.directory)), arch, _applets(_tool("busybox"), deadline))


def _scripts(tests: Mapping[str, Path], arch: Architecture, applets: Iterable[str]) -> dict[str, Path]:
    """Return what goes along with the scripts among the tests, by guest path."""
    names = frozenset(PurePosixPath(path).name for path in applets)
    return interpreters.needed_by(_runnable(tests), interpreters.Host(arch.triplet, names))


def _runnable(tests: Mapping[str, Path]) -> dict[str, Path]:
    return {
        n: path for n, path in tests.items() if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK)
    }


def _commands(commands: Iterable[tuple[str, str, str]]) -> dict[str, cpio.Entry]:
    """Return what a guest that nobody enters reads of how programs are called."""
    files = {f"{COMMANDS}/{suite}/{name}": cpio.file(f"{text}\n".encode()) for suite, name, text in commands}
    folders = {str(PurePosixPath(name).parent): cpio.directory() for name in files}
    return {COMMANDS: cpio.directory(), **folders, **files}


def _skeleton() -> dict[str, cpio.Entry]:
    folders = ["bin", "dev", "etc/dropbear", "lib", "proc", "root/.ssh", "run", "sbin", "sys", "tests", "tmp"]
    return {
        **{name: cpio.directory() for name in folders},
        "root": cpio.directory(0o700),
        "root/.ssh": cpio.directory(0o700),
        "dev/console": cpio.character_device(5, 1),
        "dev/null": cpio.character_device(1, 3, 0o666),  # a shell opens it for what it starts in the background
        "etc/passwd": cpio.file(b"root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/:/bin/sh\n"),
        "etc/group": cpio.file(b"root:x:0:\nnogroup:x:65534:\n"),
        "etc/shells": cpio.file(b"/bin/sh\n"),
        "init": cpio.file(resources.files(__package__).joinpath("init.sh").read_bytes(), 0o755),
        UNATTENDED: cpio.file(resources.files(__package__).joinpath("unattended.sh").read_bytes(), 0o755),
    }


def _applets(busybox: Path, deadline: process.Deadline) -> dict[str, cpio.Entry]:
    """Return a link for each applet but ``busybox`` itself: that one would be a loop."""
    names = set(process.run([busybox, "--list"], deadline=deadline).stdout.split()) - {"busybox"}
    return {f"bin/{name}": cpio.symlink("busybox") for name in names}


def _tool(name: str) -> Path:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise packages.missing(name)
    return Path(path).resolve()


def _sftp_server() -> Path:
    path = packages.sftp_server()
    if path is None:
        raise packages.missing("sftp-server")
    return path


def _sftp_path(dropbear: Path) -> str:
    """Return where this dropbear looks for its sftp server: the path is compiled in."""
    match = re.search(rb"\0/([\w/.-]*sftp-server)\0", dropbear.read_bytes())
    return match[1].decode() if match else "usr/lib/sftp-server"


def _tree(directory: Path) -> Iterable[tuple[str, Path]]:
    if not directory.is_dir():
        raise InfraError(f"no test programs: {directory} is not a folder")
    return [(str(path.relative_to(directory)), path) for path in sorted(directory.rglob("*"))]


def _copy(path: Path, permissions: int | None = None) -> cpio.Entry:
    if path.is_symlink() and permissions is None:
        return cpio.symlink(str(path.readlink()))
    if path.is_dir():
        return cpio.directory()
    kept = 0o755 if path.stat().st_mode & 0o111 else 0o644
    return cpio.file(path.read_bytes(), kept if permissions is None else permissions)


def _key_entries(ours: keys.Keys) -> dict[str, cpio.Entry]:
    return {
        "etc/dropbear/host_key": cpio.file(ours.host, 0o600),
        "root/.ssh": cpio.directory(0o700),
        "root": cpio.directory(0o700),
        "root/.ssh/authorized_keys": cpio.file(f"{ours.client_public}\n".encode(), 0o600),
    }
