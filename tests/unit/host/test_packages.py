"""Which package has what is missing, by distribution, and the one line that installs it."""

from __future__ import annotations

import pytest

from orchestrator.arch import ARCHITECTURES
from orchestrator.host import doctor, packages


@pytest.mark.parametrize(
    ("os_release", "family"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n', "debian"),
        ("ID=ubuntu\nID_LIKE=debian\n", "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ("ID=fedora\nVARIANT_ID=server\n", "fedora"),
        ("ID=endeavouros\nID_LIKE=arch\n", "arch"),
        ("ID=plan9\n", "debian"),
        ("", "debian"),
    ],
)
def test_a_distribution_has_a_family(os_release: str, family: str) -> None:
    assert packages.family(os_release) == family


@pytest.mark.parametrize(
    ("family", "line"),
    [
        ("debian", "apt-get update && apt-get install -y --no-install-recommends flex libelf-dev"),
        ("fedora", "dnf install -y elfutils-libelf-devel flex"),
        ("arch", "pacman -Syu --needed --noconfirm flex libelf"),
    ],
)
def test_one_line_installs_all_that_lacks_each_package_once(family: str, line: str) -> None:
    assert packages.install(["libelf.h", "flex", "gelf.h"], family) == line
    assert packages.install([], family) == ""


def test_what_the_doctor_looks_for_has_a_package_in_every_family() -> None:
    for tool in (
        *doctor.TOOLS,
        *(row.qemu for row in ARCHITECTURES.values()),
        "ccache",
        "libelf.h",
        "openssl/opensslv.h",
    ):
        assert all(packages.name(tool, kind) for kind in ("debian", "fedora", "arch"))
