"""What this program needs of a host, and which package has it: one table, for the families of distributions."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError


@dataclass(frozen=True)
class Package:
    """The names of one package. ``fedora`` and ``arch`` are '' where the family has none of it."""

    debian: str
    fedora: str
    arch: str


def _alike(name: str) -> Package:
    return Package(name, name, name)


_ELF = Package("libelf-dev", "elfutils-libelf-devel", "libelf")
_SSL = Package("libssl-dev", "openssl-devel", "openssl")
_DROPBEAR = Package("dropbear-bin", "dropbear", "dropbear")

PACKAGES: Mapping[str, Package] = {
    "apt-get": Package("apt", "apt", "apt"),
    "bwrap": Package("bubblewrap", "bubblewrap", "bubblewrap"),
    "b4": _alike("b4"),
    "bc": _alike("bc"),
    "bison": _alike("bison"),
    "busybox": Package("busybox-static", "busybox", "busybox"),
    "ccache": _alike("ccache"),
    "cpio": _alike("cpio"),
    "dropbear": _DROPBEAR,
    "dropbearkey": _DROPBEAR,
    "flex": _alike("flex"),
    "gcc": _alike("gcc"),
    "git": _alike("git"),
    "kmod": _alike("kmod"),
    "ld": _alike("binutils"),
    "lz4": _alike("lz4"),
    "make": _alike("make"),
    "pahole": Package("dwarves", "dwarves", "pahole"),
    "perl": _alike("perl"),
    "python3": Package("python3", "python3", "python"),
    "qemu-system-x86_64": Package("qemu-system-x86", "qemu-system-x86", "qemu-system-x86"),
    "rsync": _alike("rsync"),
    "setpriv": _alike("util-linux"),
    "sftp-server": Package("openssh-sftp-server", "openssh-server", "openssh"),
    "sparse": _alike("sparse"),
    "ssh": Package("openssh-client", "openssh-clients", "openssh"),
    "xz": Package("xz-utils", "xz", "xz"),
    "zstd": _alike("zstd"),
    "gelf.h": _ELF,
    "libelf.h": _ELF,
    "numa.h": Package("libnuma-dev", "numactl-devel", "numactl"),
    "openssl/bio.h": _SSL,
    "openssl/evp.h": _SSL,
    "openssl/opensslv.h": _SSL,
    "sys/capability.h": Package("libcap-dev", "libcap-devel", "libcap"),
    "libc.a": Package("libc6-dev", "glibc-static", "glibc"),
}
"""Program, header or library → its package."""

SFTP_SERVERS = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/lib/sftp-server",
)
"""Where distributions put it: it is no command."""

_INSTALL = {
    "debian": "apt-get update && apt-get install -y --no-install-recommends",
    "fedora": "dnf install -y",
    "arch": "pacman -Syu --needed --noconfirm",
}
"""Family → what installs packages on a machine that never fetched a list of them, as fresh containers are."""

_FAMILIES = {
    "debian": "debian", "ubuntu": "debian", "fedora": "fedora", "rhel": "fedora", "centos": "fedora", "arch": "arch",
}  # fmt: skip
_OS_RELEASE = Path("/etc/os-release")


def family(os_release: str) -> str:
    """Return the family of a distribution from the text of os-release(5): ID, then ID_LIKE; else ``debian``. Pure."""
    fields = dict(re.findall(r'^(ID|ID_LIKE)="?([^"\n]*)"?$', os_release, re.M))
    words = [*fields.get("ID", "").split(), *fields.get("ID_LIKE", "").split()]
    return next((_FAMILIES[word] for word in words if word in _FAMILIES), "debian")


def here() -> str:
    """Return the family of this host."""
    return family(_OS_RELEASE.read_text(errors="replace")) if _OS_RELEASE.exists() else "debian"


def name(tool: str, kind: str | None = None) -> str:
    """Return the package that has a tool, in a family of distributions: this host's, if none is named."""
    return str(getattr(PACKAGES[tool], kind or here()))


def hint(tool: str) -> str:
    """Return in words which package has a tool, on this host: ``Debian package flex``."""
    kind = here()
    return f"{kind.capitalize()} package {name(tool, kind)}"


def sftp_server() -> Path | None:
    """Return where this host has the program that serves files over SSH; None where it has none."""
    return next((path for path in map(Path, SFTP_SERVERS) if path.exists()), None)


def missing(tool: str) -> InfraError:
    """Return the fault of a host that lacks a tool, with the package that has it."""
    return InfraError(f"{tool} is not installed ({hint(tool)})")


def check(tool: str) -> None:
    """Look for a program. Raises InfraError where there is none."""
    if shutil.which(tool) is None:
        raise missing(tool)


def install(tools: Iterable[str], kind: str | None = None) -> str:
    """Return the one line for a shell that installs what has these tools; nothing for no tools."""
    where = kind or here()
    names = sorted({name(tool, where) for tool in tools})
    return " ".join([_INSTALL[where], *names]) if names else ""
