"""The ``debian`` provider: a ``linux-source-*`` package, fetched by apt with a state of its own.

apt finds the package, checks the signatures and fetches it, from the mirror that the host's own configuration
names. Nothing of the host's apt is written, and no root is needed.
"""

from __future__ import annotations

import contextlib
import io
import platform
import re
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from orchestrator.config.sources import DebianSource
from orchestrator.errors import InfraError, UserError
from orchestrator.host import process
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import new_directory, write_atomic
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.trees import archive, mirror, network, progress_lines, repository

HOST_CONFIGURATION = Path("/etc/apt")
_SETTINGS = """\
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::SourceList "{root}/mirror.sources";
Dir::Etc::SourceParts "/dev/null";
Dir::State "{root}/state";
Dir::State::Lists "{root}/lists";
Dir::State::Status "{root}/status";
Dir::Cache "{root}/cache";
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "root";
"""
"""Options of our apt. The host's hooks are not taken over: they would act on the host."""


_GONE = re.compile(r"^E: Failed to fetch .*(404\s+Not Found|File not found)", re.M)
"""How apt says that a file of the pool is not there, over HTTP and from a folder."""


@dataclass(frozen=True)
class _Apt:
    """An apt whose whole state lies in ``root``."""

    root: Path
    deadline: Deadline

    @property
    def _environment(self) -> dict[str, str]:
        return process.minimal_environment({"APT_CONFIG": str(self.root / "apt.conf"), **network.environment()})

    def ask(self, *argv: str) -> str:
        """Run a command that takes no time, and return what it printed."""
        return process.run(list(argv), env=self._environment, deadline=self.deadline).stdout

    def get(self, *argv: str, tell: progress_lines.Teller, cwd: Path | None = None) -> None:
        """Run apt-get, and pass its progress on. Raises CommandFailed."""
        command = ["apt-get", "-q", "-o", "APT::Status-Fd=1", *argv]
        progress_lines.run(command, tell, env=self._environment, deadline=self.deadline, cwd=cwd)


def fetch(
    source: DebianSource,
    name: str,
    cache: Cache,
    progress: Progress,
    deadline: Deadline,
    *,
    etc: Path | None = None,
) -> Tree:
    """Return the package's tree as one commit, whose id is the same on every machine.

    A pinned version that is in the cache costs no network. Raises UserError where the version is gone (it names
    those that are there) or the host names no mirror, InfraError where apt fails or a signature is bad.
    """
    with cache.lock(f"source-{source.package}", progress):
        if source.version and (imported := _imported(source, source.version, cache)):
            return _tree(source, source.version, imported)
        with _apt(source, cache, etc or HOST_CONFIGURATION, deadline, progress) as apt:
            version = _version(apt, source)
            imported = _imported(source, version, cache) or _import(apt, source, version, cache, progress)
        return _tree(source, version, imported)


def versions(
    source: DebianSource, cache: Cache, progress: Progress, deadline: Deadline, *, etc: Path | None = None
) -> tuple[str, ...]:
    """Return the versions of the package that its suite holds, oldest first. Raises as ``fetch``."""
    with (
        cache.lock(f"source-{source.package}", progress),
        _apt(source, cache, etc or HOST_CONFIGURATION, deadline, progress) as apt,
    ):
        return tuple(reversed(_listed(apt, source)))


def _place(source: DebianSource, version: str, cache: Cache) -> Path:
    key = digest("debian", source.package, source.suite, version)[:16]
    return archive.place(cache, f"{source.package}-{key}")


def _imported(source: DebianSource, version: str, cache: Cache) -> Path | None:
    place = _place(source, version, cache)
    return place if place.is_dir() else None


def _tree(source: DebianSource, version: str, place: Path) -> Tree:
    commit = repository.git(place, "rev-parse", "--verify", archive.BRANCH)
    return repository.tree_at(place, commit, f"{source.package} {version}")


@contextlib.contextmanager
def _apt(source: DebianSource, cache: Cache, etc: Path, deadline: Deadline, progress: Progress) -> Iterator[_Apt]:
    """Give an apt that knows the one suite, and has fetched its lists."""
    entry = mirror.choose(mirror.read(etc), source.suite, _codename())
    root = cache.path("apt", digest(mirror.stanza(entry))[:16], "apt.conf").parent
    for folder in ("state", "lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    write_atomic(root / "status", "")
    write_atomic(root / "mirror.sources", mirror.stanza(entry))
    apt = _Apt(root, deadline)
    write_atomic(root / "apt.conf", _transport(deadline) + _SETTINGS.format(root=root))
    try:
        apt.get(
            "-o", "APT::Update::Error-Mode=any", "update", tell=progress_lines.apt(progress, f"lists of {source.suite}")
        )
    except process.CommandFailed as error:
        raise InfraError(f"apt cannot read suite {source.suite}: {_reason(error.output)}") from error
    yield apt


def _transport(deadline: Deadline) -> str:
    """Return how the host reaches its mirror (proxies, retries, date checks), as apt.conf text."""
    dump = process.run(["apt-config", "dump"], deadline=deadline).stdout
    lines = [line for line in dump.splitlines() if re.match(r"Acquire::(?!IndexTargets|Languages)\S+ ", line)]
    return "".join(f"{line}\n" for line in lines)


def _codename() -> str:
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    except OSError:
        return "stable"


def _version(apt: _Apt, source: DebianSource) -> str:
    """Return the pinned version, or the newest."""
    there = _listed(apt, source)
    if source.version and source.version not in there:
        raise UserError(
            f"{source.package} {source.version} is gone from suite {source.suite}; there are: {', '.join(there)}"
        )
    return source.version or there[0]


def _listed(apt: _Apt, source: DebianSource) -> tuple[str, ...]:
    """Return the versions in the suite; madison sorts the newest first."""
    listed = apt.ask("apt-cache", "madison", source.package).splitlines()
    versions = tuple(dict.fromkeys(fields[1].strip() for line in listed if len(fields := line.split("|")) == 3))
    if not versions:
        raise UserError(f"suite {source.suite} has no package {source.package}")
    return versions


def _import(apt: _Apt, source: DebianSource, version: str, cache: Cache, progress: Progress) -> Path:
    package = _download(apt, source, version, progress)
    place = _place(source, version, cache)
    repository.remove_scratch(place)
    with new_directory(place) as scratch, _inner_tar(package, source.package) as stream:
        archive.import_tar(stream, scratch, f"{source.package} {version}", progress=progress, deadline=apt.deadline)
    package.unlink()
    return place


def _download(apt: _Apt, source: DebianSource, version: str, progress: Progress) -> Path:
    """Fetch the package; apt goes on with what an earlier run left, and checks the sum that the suite signed."""
    folder = apt.root / "download" / version
    folder.mkdir(parents=True, exist_ok=True)
    what = f"download {source.package} {version}"
    progress.note(what)
    try:
        apt.get("download", f"{source.package}={version}", tell=progress_lines.apt(progress, what), cwd=folder)
    except process.CommandFailed as error:
        wanted = f"{source.package} {version}"
        if gone := _GONE.search(error.output):  # a mirror may list for a while what its pool has dropped
            message = f"suite {source.suite} lists {wanted}, and its mirror has it no more: {gone[1]}"
            raise UserError(message) from error
        raise InfraError(f"apt cannot fetch {wanted}: {_reason(error.output)}") from error
    packages = sorted(folder.glob(f"{source.package}_*.deb"))
    if len(packages) != 1:
        raise InfraError(f"apt left {len(packages)} files for {source.package} {version} in {folder}")
    return packages[0]


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if re.match(r"\s*(E|W|Err):", line)]
    return _first(lines) or "no message"


def _first(lines: Sequence[str]) -> str:
    """Return the line that says why: an Err: line has only what was wanted."""
    progress_lines = [
        line for start in ("W: GPG error", "E: Failed to fetch") for line in lines if line.startswith(start)
    ]
    return next(iter([*progress_lines, *lines]), "")


@contextlib.contextmanager
def _inner_tar(package: Path, name: str) -> Iterator[io.BufferedReader]:
    """Give the packed source tarball inside the package as a stream."""
    argv: list[str | Path] = ["dpkg-deb", "--fsys-tarfile", package]
    with tempfile.TemporaryFile() as errors, process.spawn(argv, stdout=process.PIPE, stderr=errors) as child:
        assert child.stdout is not None
        with tarfile.open(fileobj=child.stdout, mode="r|") as outer:
            wanted = re.compile(rf"(\./)?usr/src/{re.escape(name)}\.tar(\.\w+)?")
            for member in outer:
                if wanted.fullmatch(member.name) and (stream := outer.extractfile(member)):
                    yield cast(io.BufferedReader, stream)
                    return
    raise InfraError(f"{package.name} holds no /usr/src/{name}.tar")
