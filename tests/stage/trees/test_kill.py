"""Runs that are killed, and runs that meet: nothing half-made is believed, and work is done once.

A process is killed while it holds still: its progress blocks at the wanted place and says so through a pipe.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config.sources import GitSource, TarballSource
from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.trees import fetch, network
from tests.fakes import trees
from tests.fakes.http_server import Site, served

WORKER = """
import os, sys, time
from pathlib import Path
from orchestrator.host.cache import Cache
from orchestrator.config.sources import TarballSource
from orchestrator.host.process import Deadline
from orchestrator.trees import fetch

url, sha256, root, stop = sys.argv[1:]

class Holding:
    def note(self, text):
        pass
    def advance(self, what, done, total, left=None):
        if stop and what.startswith(stop):
            os.write(1, b"here")
            time.sleep(3600)

source = TarballSource(provider="tarball", url=url, sha256=sha256)
tree = fetch(source, "fake", Cache(Path(root)), Holding(), Deadline.after(60))
print(tree.commit)
"""


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    trees.write_files(tmp_path / "files")
    (tmp_path / "files" / "big").write_bytes(os.urandom(1 << 20))
    return trees.packed(tmp_path / "files", tmp_path / "linux-1.0.tar.xz")


def environment() -> dict[str, str]:
    root = str(Path(__file__).parents[3])
    return process.minimal_environment({"PYTHONPATH": root, "no_proxy": "127.0.0.1"})


def killed_at(stop: str, url: str, sha256: str, cache: Cache) -> None:
    """Run a fetch in a process of its own, and kill that when its progress says ``stop``."""
    argv = [sys.executable, "-c", WORKER, url, sha256, str(cache.root), stop]
    with process.spawn(argv, env=environment(), stdout=process.PIPE, stderr=2) as child:
        assert child.stdout is not None
        assert child.stdout.read(4) == b"here"
        os.kill(child.pid, signal.SIGKILL)
    while working_in(cache.root):
        time.sleep(0.02)


def working_in(folder: Path) -> bool:
    """Whether a child of the killed run is still there: the kernel ends it a moment later."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.parent.name != str(os.getpid()) and str(folder).encode() in path.read_bytes():
                return True
    return False


def whole(url: str, sha256: str, cache: Cache) -> Tree:
    return fetch(TarballSource(provider="tarball", url=url, sha256=sha256), "fake", cache, SILENT, Deadline.after(60))


def test_an_import_that_was_killed_is_done_anew(packed: Path, tmp_path: Path) -> None:
    cache, sha256 = Cache(tmp_path / "cache"), network.sha256_of(packed)
    killed_at("import", str(packed), sha256, cache)
    parent = cache.root / "sources" / f"tarball-{sha256[:16]}"
    assert [path.name[:5] for path in parent.iterdir()] == [".git."], "the kill came in the middle"
    tree = whole(str(packed), sha256, cache)
    assert [path.name for path in parent.iterdir()] == ["git"], "and what it left is gone"
    assert tree.commit == whole(str(packed), sha256, Cache(tmp_path / "other")).commit
    trees.git(tree.repository, "fsck", "--strict")


def test_a_download_that_was_killed_is_gone_on_with(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    cache, sha256 = Cache(tmp_path / "cache"), network.sha256_of(packed)
    with served(Site(packed.read_bytes())) as site:
        killed_at("download", site.url, sha256, cache)
        tree = whole(site.url, sha256, cache)
    assert len(site.asked) == 2
    assert tree.commit == whole(str(packed), sha256, Cache(tmp_path / "other")).commit


@contextlib.contextmanager
def git_served(where: Path, cuts: list[int]) -> Iterator[str]:
    """Serve a repository as git daemon does; yield the URL. Each connection gets as many bytes as ``cuts`` says."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket, most: int) -> None:
        asked = connection.recv(int(connection.recv(4), 16) - 4)
        assert asked.startswith(b"git-upload-pack ")
        env = {**os.environ, "GIT_PROTOCOL": "version=2", "GIT_CONFIG_GLOBAL": os.devnull}
        argv = ["git", "-c", "uploadpack.allowAnySHA1InWant=true", "upload-pack", str(where)]
        with subprocess.Popen(argv, stdin=connection.fileno(), stdout=subprocess.PIPE, env=env) as child:
            assert child.stdout is not None
            while most > 0 and (piece := os.read(child.stdout.fileno(), min(most, 4096))):
                connection.sendall(piece)
                most -= len(piece)
            child.kill()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                with server.accept()[0] as connection:
                    answer(connection, cuts.pop(0) if cuts else 1 << 30)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"git://127.0.0.1:{server.getsockname()[1]}/linux"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_a_fetch_that_was_cut_off_is_done_anew(where: Path, tmp_path: Path) -> None:
    (where / "big").write_bytes(os.urandom(1 << 20))
    commit = trees.commit(where, "big")
    with git_served(where, [500_000]) as url:
        source, cache = GitSource(provider="git", url=url, ref=commit), Cache(tmp_path / "cache")
        with pytest.raises(InfraError, match="cannot fetch"):
            fetch(source, "fake", cache, SILENT, Deadline.after(60))
        tree = fetch(source, "fake", cache, SILENT, Deadline.after(60))
    assert "big" in trees.git(tree.repository, "rev-list", "--objects", tree.commit)


def test_two_runs_at_once_import_once(packed: Path, tmp_path: Path) -> None:
    """The second starts while the first is held in its import, and says that it waits."""
    cache, sha256 = Cache(tmp_path / "cache"), network.sha256_of(packed)
    with served(Site(packed.read_bytes())) as site:
        argv = [sys.executable, "-c", WORKER, site.url, sha256, str(cache.root), ""]
        with (
            process.spawn(argv, env=environment(), stdout=process.PIPE, stderr=2) as one,
            process.spawn(argv, env=environment(), stdout=process.PIPE, stderr=2) as two,
        ):
            assert one.stdout is not None and two.stdout is not None
            first, second = one.stdout.read(), two.stdout.read()
            assert one.wait() == two.wait() == 0
    assert first == second != b""
    assert site.asked == [None], "the tarball was fetched once"
