"""The host's mirror: both formats of apt's source files, and which entry is taken for which suite."""

from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.trees import mirror
from orchestrator.trees.mirror import Entry

ONE_LINE = """\
# deb http://old.example/debian bullseye main
deb http://mirror.example/debian bookworm main contrib # ours
deb [arch=amd64 signed-by=/k.gpg] http://security.example/debian-security bookworm-security main
deb-src http://mirror.example/debian bookworm main
deb https://packages.example/apt cloud-sdk-bookworm main
"""
DEB822 = """\
# the mirror
Types: deb deb-src
URIs: http://mirror.example/debian
# a comment within
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://src.example/debian
Suites: bookworm
Components: main
"""


def test_one_line_entries_are_read() -> None:
    assert mirror.parse_one_line(ONE_LINE) == (
        Entry("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        Entry("http://security.example/debian-security", "bookworm-security", ("main",), "/k.gpg"),
        Entry("https://packages.example/apt", "cloud-sdk-bookworm", ("main",)),
    )


def test_deb822_entries_are_read() -> None:
    found = mirror.parse_deb822(DEB822)
    assert [(entry.uri, entry.suite) for entry in found] == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
        ("http://security.example/debian-security", "bookworm-security"),
    ]
    assert found[0].components == ("main", "contrib") and found[0].signed_by == "/usr/share/keyrings/k.gpg"


def test_an_inline_key_survives_the_way_through() -> None:
    found = mirror.parse_deb822(DEB822)[2]
    assert "mQINBF" in found.signed_by
    assert mirror.parse_deb822(mirror.stanza(found)) == (found,)


@pytest.mark.parametrize("entries", [mirror.parse_one_line(ONE_LINE), mirror.parse_deb822(DEB822)])
def test_a_security_suite_takes_the_security_mirror_and_others_the_other(entries: tuple[Entry, ...]) -> None:
    security = mirror.choose(entries, "bullseye-security", "bookworm")
    assert (security.uri, security.suite) == ("http://security.example/debian-security", "bullseye-security")
    assert mirror.choose(entries, "trixie", "bookworm").uri == "http://mirror.example/debian"
    assert mirror.choose(entries, "bookworm-updates", "bookworm").uri == "http://mirror.example/debian"


def test_the_repository_of_somebody_else_is_no_mirror() -> None:
    foreign = mirror.parse_one_line("deb https://packages.example/apt cloud-sdk-bookworm main\n")
    with pytest.raises(UserError, match=r"suite trixie: .* name no Debian suite"):
        mirror.choose(foreign, "trixie", "bookworm")


def test_a_host_without_security_updates_is_told_so() -> None:
    plain = mirror.parse_one_line("deb http://mirror.example/debian bookworm main\n")
    with pytest.raises(UserError, match=r"suite bullseye-security: .* name no security suite"):
        mirror.choose(plain, "bullseye-security", "bookworm")


def test_among_several_mirrors_a_debian_one_is_taken() -> None:
    entries = mirror.parse_one_line(
        "deb https://tools.example/linux bookworm main\ndeb http://mirror.example/debian bookworm main\n"
    )
    assert mirror.choose(entries, "trixie", "bookworm").uri == "http://mirror.example/debian"


def test_trusted_is_not_taken_over() -> None:
    entries = mirror.parse_one_line("deb [trusted=yes] http://mirror.example/debian bookworm main\n")
    assert "rusted" not in mirror.stanza(mirror.choose(entries, "bookworm", "bookworm"))


def test_every_file_of_a_host_is_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    (tmp_path / "sources.list.d" / "b.list").write_text("deb http://b.example/debian bookworm main\n")
    (tmp_path / "sources.list.d" / "c.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "d.disabled").write_text("deb http://d.example/debian bookworm main\n")
    assert {entry.uri.split("/")[2] for entry in mirror.read(tmp_path)} == {
        "a.example",
        "b.example",
        "mirror.example",
        "security.example",
    }
    assert mirror.read(tmp_path / "nowhere") == ()
