"""Tarballs, from a file and over HTTP: broken connections, wrong sums, hostile archives."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.config.sources import TarballSource
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.trees import fetch, network
from tests.fakes import trees
from tests.fakes.http_server import Site, served

DATA = bytes(range(256)) * 4096
SUM = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def loopback_without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def download(site: Site, cache: Cache, sha256: str = SUM) -> Path:
    return network.download(site.url, sha256, cache, SILENT, Deadline.after(60))


def take(url: Path | str, cache: Cache, sha256: str | None = None) -> Tree:
    total = sha256 or hashlib.sha256(Path(url).read_bytes()).hexdigest()
    source = TarballSource(provider="tarball", url=str(url), sha256=total)
    return fetch(source, "fake", cache, SILENT, Deadline.after(60))


def left(cache: Cache) -> list[str]:
    return sorted(path.name for path in (cache.root / "downloads").iterdir())


def test_a_download_lies_under_its_sum(cache: Cache) -> None:
    with served(Site(DATA)) as site:
        assert download(site, cache).read_bytes() == DATA
        assert download(site, cache).name == SUM
    assert left(cache) == [SUM] and site.asked == [None]


def test_a_broken_connection_is_gone_on_with(cache: Cache) -> None:
    with served(Site(DATA, cuts=[300_000, 300_000])) as site:
        assert download(site, cache).read_bytes() == DATA
    assert site.asked[0] is None and len(site.asked) == 3
    offsets = [int((asked or "").removeprefix("bytes=").rstrip("-")) for asked in site.asked[1:]]
    assert 0 < offsets[0] < offsets[1] < len(DATA)


def test_what_an_earlier_run_left_is_used(cache: Cache) -> None:
    cache.path("downloads", f"{SUM}.partial").write_bytes(DATA[:1000])
    with served(Site(DATA)) as site:
        assert download(site, cache).read_bytes() == DATA
    assert site.asked == ["bytes=1000-"]


def test_a_whole_partial_needs_no_byte(cache: Cache) -> None:
    cache.path("downloads", f"{SUM}.partial").write_bytes(DATA)
    with served(Site(DATA)) as site:
        assert download(site, cache).read_bytes() == DATA


def test_a_whole_partial_is_known_where_the_server_says_no_size(cache: Cache) -> None:
    cache.path("downloads", f"{SUM}.partial").write_bytes(DATA)
    with served(Site(DATA, says_size=False)) as site:
        assert download(site, cache).read_bytes() == DATA
    assert len(site.asked) == 1


def test_a_server_that_always_denies_the_range_is_an_answer(cache: Cache) -> None:
    cache.path("downloads", f"{SUM}.partial").write_bytes(DATA + b"xx")
    with served(Site(DATA, status=416)) as site, pytest.raises(InfraError, match="the server says 416"):
        download(site, cache)
    assert len(site.asked) == 2


def test_what_a_server_calls_encoded_is_the_file(cache: Cache) -> None:
    packed = gzip.compress(DATA)
    total = hashlib.sha256(packed).hexdigest()
    with served(Site(packed, headers={"Content-Encoding": "x-gzip"})) as site:
        assert download(site, cache, total).read_bytes() == packed


def test_a_partial_of_something_else_is_fetched_anew(cache: Cache) -> None:
    for wrong in (b"x" * 1000, b"x" * len(DATA), DATA + b"xx"):
        cache.path("downloads", f"{SUM}.partial").write_bytes(wrong)
        with served(Site(DATA)) as site:
            found = download(site, cache)
        assert found.read_bytes() == DATA
        found.unlink()


def test_a_server_without_range_is_taken_from_the_start(cache: Cache) -> None:
    with served(Site(DATA, cuts=[300_000], ranges=False)) as site:
        assert download(site, cache).read_bytes() == DATA


def test_a_wrong_sum_is_refused_and_not_kept(cache: Cache) -> None:
    with served(Site(b"evil")) as site, pytest.raises(InfraError, match=f"has sha256 [0-9a-f]+, not {SUM}"):
        download(site, cache)
    assert left(cache) == []


def test_a_connection_that_never_brings_anything_ends_it(cache: Cache) -> None:
    with served(Site(DATA, cuts=[0] * 10)) as site, pytest.raises(InfraError, match="cannot fetch"):
        download(site, cache)
    assert len(site.asked) == 3


def test_what_the_server_says_is_passed_on(cache: Cache) -> None:
    with served(Site(DATA, status=404)) as site, pytest.raises(InfraError, match="the server says 404"):
        download(site, cache)
    with pytest.raises(InfraError, match=r"cannot fetch .*: no connection"):
        download(site, cache)


def test_a_deadline_ends_a_download(cache: Cache) -> None:
    with served(Site(DATA)) as site, pytest.raises(InfraError, match="out of time"):
        network.download(site.url, SUM, cache, SILENT, Deadline.after(0))


def test_a_deadline_ends_a_download_that_trickles(cache: Cache) -> None:
    with served(Site(DATA, slow=200)) as site, pytest.raises(InfraError, match="out of time"):
        network.download(site.url, SUM, cache, SILENT, Deadline.after(2))
    (partial,) = (cache.root / "downloads").iterdir()
    assert 0 < partial.stat().st_size < 200


@pytest.mark.parametrize("suffix", ["xz", "gz", "bz2"])
def test_a_tarball_is_the_commit_that_git_makes_of_it(tmp_path: Path, cache: Cache, suffix: str) -> None:
    same = trees.git_tree(tmp_path / "same")
    trees.write_files(tmp_path / "files")
    tree = take(trees.packed(tmp_path / "files", tmp_path / f"linux-1.0.tar.{suffix}"), cache)
    assert tree.content == trees.git(same, "rev-parse", "HEAD^{tree}")
    assert tree.label == f"fake linux-1.0.tar.{suffix}"


def test_a_tarball_by_url_is_imported_once_and_then_needs_no_network(tmp_path: Path, cache: Cache) -> None:
    trees.write_files(tmp_path / "files")
    packed = trees.packed(tmp_path / "files", tmp_path / "linux-1.0.tar.xz")
    total = hashlib.sha256(packed.read_bytes()).hexdigest()
    with served(Site(packed.read_bytes(), cuts=[100])) as site:
        tree = take(site.url, cache, total)
    assert take(site.url, cache, total) == tree
    assert left(cache) == []
    assert tree.commit == take(packed, Cache(tmp_path / "other")).commit


def test_hard_links_are_files_of_their_own(tmp_path: Path, cache: Cache) -> None:
    trees.write_files(tmp_path / "files")
    (tmp_path / "files" / "mm" / "twin.c").hardlink_to(tmp_path / "files" / "mm" / "shmem.c")
    tree = take(trees.packed(tmp_path / "files", tmp_path / "linux.tar.gz"), cache)
    ids = trees.git(tree.repository, "rev-parse", f"{tree.commit}:mm/twin.c", f"{tree.commit}:mm/shmem.c").split()
    assert ids[0] == ids[1]


def hostile(path: Path, name: str, kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        good = tarfile.TarInfo("linux-1.0/Makefile")
        tar.addfile(good, io.BytesIO())
        bad = tarfile.TarInfo(name)
        bad.type = kind
        tar.addfile(bad, io.BytesIO())
    return path


@pytest.mark.parametrize("name", ["linux-1.0/../../etc/passwd", "/etc/passwd", "linux-1.0/.git/hooks/post-checkout"])
def test_a_member_that_leaves_the_tree_is_refused(tmp_path: Path, cache: Cache, name: str) -> None:
    with pytest.raises(KernelError, match="a name that leads out of the tree"):
        take(hostile(tmp_path / "x.tar.gz", name), cache)
    assert not list((cache.root / "sources").rglob("git"))


def test_a_device_is_refused(tmp_path: Path, cache: Cache) -> None:
    with pytest.raises(KernelError, match="neither a file, a folder nor a link"):
        take(hostile(tmp_path / "x.tar.gz", "linux-1.0/null", tarfile.CHRTYPE), cache)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["Makefile", "mm/shmem.c"], "holds Makefile outside of a single top folder"),
        (["./mm/shmem.c", "./kernel/fork.c"], "holds ./kernel/fork.c outside of a single top folder, mm"),
        (["linux-1.0/Makefile", "debian/Makefile"], "holds debian/Makefile outside of a single top folder, linux-1.0"),
    ],
)
def test_an_archive_without_a_single_top_folder_is_the_users_fault(
    tmp_path: Path, cache: Cache, names: list[str], words: str
) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"x\n"))
    with pytest.raises(UserError, match=words):
        take(tmp_path / "x.tar", cache)
    assert not list((cache.root / "sources").rglob("git"))


def test_a_damaged_archive_leaves_nothing(tmp_path: Path, cache: Cache) -> None:
    trees.write_files(tmp_path / "files")
    packed = trees.packed(tmp_path / "files", tmp_path / "linux.tar.xz")
    whole = packed.read_bytes()
    for cut in (0, 10, len(whole) // 3, len(whole) - 100):
        packed.write_bytes(whole[:cut])
        with pytest.raises(PipelineError):
            take(packed, cache)
    assert [path for path in (cache.root / "sources").rglob("*") if path.is_file()] == []


def test_a_local_file_with_another_sum_is_the_users_fault(tmp_path: Path, cache: Cache) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"x")
    with pytest.raises(UserError, match="has sha256"):
        take(tmp_path / "x.tar.gz", cache, SUM)
    with pytest.raises(UserError, match="no such tarball"):
        take(tmp_path / "y.tar.gz", cache, SUM)
