"""The debian provider with the real apt, against a mirror of our own: signatures, versions, cache."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config.sources import DebianSource
from orchestrator.errors import InfraError, UserError
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.trees import debian
from tests.fakes import mirror as source_mirror
from tests.fakes import trees
from tests.fakes.mirror import PACKAGE, SUITE, Mirror


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with source_mirror.mirror(tmp_path) as made:
        made.publish("1.0.2-1", "1.0.1-1")
        yield made


def fetch(etc: Path, cache: Cache, version: str | None = "1.0.1-1", package: str = PACKAGE) -> Tree:
    source = DebianSource(provider="debian", package=package, suite=SUITE, version=version)
    return debian.fetch(source, "fake", cache, SILENT, Deadline.after(120), etc=etc)


def test_the_tree_of_a_package_is_one_commit_with_everything(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    """The id is the one that git itself gives to the unpacked tree: git add --force --all, our identity and date."""
    tree = fetch(mirror.host(tmp_path / "etc"), cache)
    assert tree.label == f"{PACKAGE} 1.0.1-1"
    unpacked = tmp_path / "unpacked"
    trees.write_files(unpacked)
    (unpacked / "VERSION").write_text("1.0.1-1\n")
    trees.git(unpacked, "init", "--quiet")
    trees.git(unpacked, "add", "--force", "--all")
    ours = [
        "-c",
        "user.name=unused",
        "commit",
        "--quiet",
        "-m",
        f"{PACKAGE} 1.0.1-1",
        "--date=2000-01-01T00:00:00+0000",
    ]
    trees.git(unpacked, *ours, "--author=wpci <wpci@localhost>")
    assert trees.git(unpacked, "rev-parse", "HEAD") == tree.commit


def test_a_pinned_version_that_is_in_the_cache_needs_no_apt(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    tree = fetch(mirror.host(tmp_path / "etc"), cache)
    assert fetch(tmp_path / "no-such-configuration", cache) == tree


def test_without_a_pin_the_newest_is_taken(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    assert fetch(mirror.host(tmp_path / "etc"), cache, version=None).label == f"{PACKAGE} 1.0.2-1"


def test_a_version_that_is_gone_names_those_that_are_there(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1\.0\.0-1 is gone from suite .*; there are: 1\.0\.2-1, 1\.0\.1-1$"):
        fetch(mirror.host(tmp_path / "etc"), cache, version="1.0.0-1")


def test_a_version_that_is_listed_and_not_in_the_pool_any_more_is_gone(
    mirror: Mirror, cache: Cache, tmp_path: Path
) -> None:
    mirror.package("1.0.1-1").unlink()
    with pytest.raises(UserError, match=rf"{SUITE} lists {PACKAGE} 1\.0\.1-1, .* no more: .*not found"):
        fetch(mirror.host(tmp_path / "etc"), cache)


def test_an_unknown_package_is_the_users_fault(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no package linux-source-9"):
        fetch(mirror.host(tmp_path / "etc"), cache, package="linux-source-9")


def test_a_suite_changed_after_signing_is_refused(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    signed = mirror.root / "dists" / SUITE / "InRelease"
    signed.write_text(signed.read_text().replace("Origin: Test", "Origin: Evil"))
    with pytest.raises(InfraError, match=f"apt cannot read suite {SUITE}: .*BADSIG"):
        fetch(mirror.host(tmp_path / "etc"), cache)


def test_a_signature_of_another_key_is_refused(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    with source_mirror.mirror(tmp_path / "other") as other:
        etc = mirror.host(tmp_path / "etc", keyring=other.keyring)
    with pytest.raises(InfraError, match="NO_PUBKEY"):
        fetch(etc, cache)


def test_an_unsigned_suite_is_refused_even_where_the_host_trusts_it(
    mirror: Mirror, cache: Cache, tmp_path: Path
) -> None:
    (mirror.root / "dists" / SUITE / "InRelease").unlink()
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "sources.list").write_text(f"deb [trusted=yes] file:{mirror.root} {SUITE} main\n")
    with pytest.raises(InfraError, match="apt cannot read suite"):
        fetch(etc, cache)


def test_a_package_changed_after_signing_is_refused(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    deb = mirror.package("1.0.1-1")
    deb.write_bytes(deb.read_bytes()[:-1] + b"!")
    with pytest.raises(InfraError, match=f"apt cannot fetch {PACKAGE} 1.0.1-1"):
        fetch(mirror.host(tmp_path / "etc"), cache)
    assert not list((cache.root / "sources").rglob("git"))


def test_a_host_without_a_security_entry_is_told_so(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this host's apt sources name no security suite"):
        fetch(mirror.host(tmp_path / "etc", suites="bookworm"), cache)


def test_nothing_of_the_host_is_written_and_no_package_stays(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    etc = mirror.host(tmp_path / "etc")
    before = sorted(etc.rglob("*"))
    fetch(etc, cache)
    assert sorted(etc.rglob("*")) == before
    assert list(cache.root.rglob("*.deb")) == []
    assert mirror.package("1.0.1-1").is_file()


def test_what_a_killed_download_left_is_not_believed(mirror: Mirror, cache: Cache, tmp_path: Path) -> None:
    etc = mirror.host(tmp_path / "etc")
    fetch(etc, cache, "1.0.1-1")
    (downloads,) = (cache.root / "apt").glob("*/download")
    (downloads / "1.0.2-1").mkdir()
    half = mirror.package("1.0.2-1").read_bytes()[:500]
    (downloads / "1.0.2-1" / mirror.package("1.0.2-1").name).write_bytes(half)
    tree = fetch(etc, cache, "1.0.2-1")
    assert trees.git(tree.repository, "show", f"{tree.commit}:VERSION") == "1.0.2-1"
