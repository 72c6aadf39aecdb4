"""The initramfs writer: the format, by reading it back, and its determinism."""

from __future__ import annotations

import stat
from pathlib import PurePosixPath
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guest.rootfs import cpio

names = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}", fullmatch=True)
files = st.builds(cpio.file, st.binary(max_size=50), st.sampled_from([0o644, 0o755]))


def read_back(data: bytes) -> dict[str, tuple[dict[str, int], bytes]]:
    """Read an archive by the format's own description."""
    fields = [
        "ino",
        "mode",
        "uid",
        "gid",
        "nlink",
        "mtime",
        "size",
        "major",
        "minor",
        "rmajor",
        "rminor",
        "name",
        "check",
    ]
    found: dict[str, Any] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        header = {f: int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n, f in enumerate(fields)}
        name = data[at + 110 : at + 110 + header["name"] - 1].decode()
        at = _aligned(at + 110 + header["name"])
        if name == "TRAILER!!!":
            assert at == len(data)
            return found
        found[name] = header, data[at : at + header["size"]]
        at = _aligned(at + header["size"])


def _aligned(at: int) -> int:
    return (at + 3) & ~3


@given(st.dictionaries(names, files, max_size=6))
def test_what_goes_in_comes_out(entries: dict[str, cpio.Entry]) -> None:
    entries = {n: e for n, e in entries.items() if not any(str(p) in entries for p in PurePosixPath(n).parents)}
    found = read_back(cpio.archive(entries))
    assert {name: found[name][1] for name in entries} == {name: entry.data for name, entry in entries.items()}
    assert all(found[name][0]["mode"] == entry.mode for name, entry in entries.items())


@given(st.dictionaries(names, files, max_size=6))
def test_the_order_of_the_entries_does_not_matter(entries: dict[str, cpio.Entry]) -> None:
    assert cpio.archive(entries) == cpio.archive(dict(reversed(entries.items())))


def test_a_folder_comes_before_what_is_in_it_and_is_made_where_nobody_named_it() -> None:
    found = list(read_back(cpio.archive({"lib/modules/5.10/a.ko": cpio.file(b"x")})))
    assert found == ["lib", "lib/modules", "lib/modules/5.10", "lib/modules/5.10/a.ko"]


def test_a_folder_with_permissions_of_its_own_keeps_them() -> None:
    found = read_back(cpio.archive({"root": cpio.directory(0o700), "root/key": cpio.file(b"k", 0o600)}))
    assert found["root"][0]["mode"] == stat.S_IFDIR | 0o700


def test_links_and_devices() -> None:
    found = read_back(cpio.archive({"bin/sh": cpio.symlink("busybox"), "dev/console": cpio.character_device(5, 1)}))
    assert found["bin/sh"][1] == b"busybox"
    assert stat.S_ISLNK(found["bin/sh"][0]["mode"])
    console = found["dev/console"][0]
    assert (stat.S_ISCHR(console["mode"]), console["rmajor"], console["rminor"]) == (True, 5, 1)


def test_nothing_of_this_host_is_in_it() -> None:
    header, _ = read_back(cpio.archive({"a": cpio.file(b"")}))["a"]
    assert (header["uid"], header["gid"], header["mtime"]) == (0, 0, 0)
