"""A Debian mirror in a folder: one suite, a throw-away signing key, packages made by dpkg-deb."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.host import process
from tests.fakes import trees

SUITE = "bullseye-security"
PACKAGE = "linux-source-1.0"


@dataclass(frozen=True)
class Mirror:
    """Where it lies, and the key ring that its signatures are checked with. ``fill`` writes the tree of a version."""

    root: Path
    home: Path
    fill: Callable[[Path, str], None]

    @property
    def keyring(self) -> Path:
        """The public key, as apt wants it."""
        return self.home / "public.gpg"

    def host(self, etc: Path, *, suites: str = "bookworm-security", keyring: Path | None = None) -> Path:
        """Write the apt configuration of a host that uses this mirror, and return its folder."""
        (etc / "sources.list.d").mkdir(parents=True)
        (etc / "sources.list.d" / "debian.sources").write_text(
            f"Types: deb\nURIs: file:{self.root}\nSuites: {suites}\nComponents: main\n"
            f"Signed-By: {keyring or self.keyring}\n"
        )
        return etc

    def publish(self, *versions: str) -> None:
        """Make the suite hold these versions of the package, and sign it."""
        stanzas = [self._stanza(version) for version in versions]
        architecture = process.run(["dpkg", "--print-architecture"]).stdout.strip()
        suite = self.root / "dists" / SUITE
        packages = suite / "main" / f"binary-{architecture}" / "Packages"
        packages.parent.mkdir(parents=True, exist_ok=True)
        packages.write_text("\n".join(stanzas))
        (suite / "Release").write_text(
            f"Origin: Test\nSuite: {SUITE}\nCodename: {SUITE}\nDate: Sat, 01 Feb 2020 00:00:00 UTC\n"
            f"Architectures: {architecture}\nComponents: main\nSHA256:\n"
            f" {_sum(packages)} {packages.stat().st_size} {packages.relative_to(suite)}\n"
        )
        self.sign()

    def sign(self) -> None:
        """Sign the Release file as it is."""
        release = self.root / "dists" / SUITE / "Release"
        _gpg(self.home, "--yes", "--clearsign", "-o", release.with_name("InRelease"), release)

    def package(self, version: str) -> Path:
        """Return where the package of a version lies."""
        return self.root / "pool" / f"{PACKAGE}_{version}_all.deb"

    def _stanza(self, version: str) -> str:
        deb = self.package(version)
        if not deb.exists():
            _build(deb, version, self.fill)
        return (
            f"Package: {PACKAGE}\nVersion: {version}\nArchitecture: all\nMaintainer: Test <test@example.org>\n"
            f"Filename: {deb.relative_to(self.root)}\nSize: {deb.stat().st_size}\nSHA256: {_sum(deb)}\n"
            "Description: a tree\n"
        )


def numbered(where: Path, version: str) -> None:
    """Write a small tree that tells its version."""
    trees.write_files(where)
    (where / "VERSION").write_text(f"{version}\n")


@contextmanager
def mirror(root: Path, fill: Callable[[Path, str], None] = numbered) -> Iterator[Mirror]:
    """Give an empty mirror; its key agent is gone afterwards."""
    home = root / "gpg"
    home.mkdir(parents=True, mode=0o700)
    made = Mirror(root / "mirror", home, fill)
    try:
        _gpg(home, "--passphrase", "", "--quick-gen-key", "Test <test@example.org>", "ed25519", "sign", "0")
        _gpg(home, "--export", "-o", made.keyring)
        yield made
    finally:
        process.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)


def _gpg(home: Path, *arguments: str | Path) -> None:
    process.run(["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--quiet", *arguments])


def _build(deb: Path, version: str, fill: Callable[[Path, str], None]) -> None:
    root = deb.with_suffix(".root")
    fill(root / "tree", version)
    (root / "package" / "DEBIAN").mkdir(parents=True)
    (root / "package" / "DEBIAN" / "control").write_text(
        f"Package: {PACKAGE}\nVersion: {version}\nArchitecture: all\n"
        "Maintainer: Test <test@example.org>\nDescription: a tree\n"
    )
    (root / "package" / "usr" / "src").mkdir(parents=True)
    trees.packed(root / "tree", root / "package" / "usr" / "src" / f"{PACKAGE}.tar.xz")
    process.run(["dpkg-deb", "--root-owner-group", "--build", root / "package", deb])
    shutil.rmtree(root)


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
