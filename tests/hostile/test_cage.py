"""Attacks of a series on the machine that builds it: each tries one thing, and the table says what must come of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import KernelError
from orchestrator.host.cache import Cache, digest
from orchestrator.host.process import FOREVER, Deadline, sandbox
from orchestrator.kbuild import kernel, make, outfolder
from orchestrator.kbuild.place import out_folder
from orchestrator.kbuild.request import BuildRequest
from orchestrator.model import Kernel
from orchestrator.progress import SILENT

FAKE = Path(__file__).parents[1] / "fakes" / "fakelinux"
RECIPE = "tinyconfig defconfig allnoconfig olddefconfig:\n"


class Victim:
    """A machine with a secret, a base that is built, and room for series of strangers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, Cache(folder / "cache")
        (folder / "home").mkdir()
        (folder / "home" / "id_rsa").write_text("PRIVATE KEY")
        (folder / "test.config").write_text("CONFIG_64BIT=y\nCONFIG_SWAP=y\nCONFIG_SHMEM=y\n")
        for place in ("base", "patched"):
            shutil.copytree(FAKE, folder / place)

    def build(self, owner: str = "", deadline: Deadline = FOREVER) -> Kernel:
        source = self.folder / ("patched" if owner else "base")
        files = sorted(p for p in source.rglob("*") if p.is_file())
        request = BuildRequest(
            source, digest(*(part for p in files for part in (str(p), p))), out_folder(source, "t"),
            fragments=(self.folder / "test.config",), jobs=2, owner=owner,
        )  # fmt: skip
        return kernel.build(request, self.cache, SILENT, deadline)

    def attack(self, script: str, owner: str = "stranger", deadline: Deadline = FOREVER) -> str:
        """Run a script in the build of a series; return the log of the build."""
        shutil.rmtree(self.folder / "patched" / "scripts")
        shutil.copytree(FAKE, self.folder / "patched", dirs_exist_ok=True)
        makefile = self.folder / "patched" / "Makefile"
        (self.folder / "patched" / "scripts" / "attack.sh").write_text(script)
        called = f"\t@sh $(srctree)/scripts/attack.sh {self.folder} 2>&1; :\n"
        makefile.write_text(makefile.read_text().replace(RECIPE, RECIPE + called))
        self.build(owner, deadline)
        return outfolder.log(out_folder(self.folder / "patched", "t")).read_text()


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    if why := sandbox.obstacle():
        pytest.fail(f"no cage here: {why}")
    return Victim(tmp_path)


READS = {
    "a key in a home": ("cat $1/home/id_rsa", "PRIVATE KEY"),
    "root's home": ("echo found-$(ls -A /root | wc -l)", "found-[1-9]"),
    "the password hashes": ("cat /etc/shadow && echo OPENED", "OPENED"),
    "the environment of wpci": ("cat /proc/[0-9]*/environ | tr '\\0' '\\n'", "CI_TOKEN=t0ken"),
    "another process": ("for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $p; done", "[.]venv/bin"),
    "results and cache": ("ls $1/cache/kernels && echo OPENED", "OPENED"),
    "the network": ("grep -q : /proc/net/route && grep -v Iface /proc/net/route && echo OPENED", "OPENED"),
    "a socket of the host": ("ls /run/* && echo OPENED", "OPENED"),
    "rights": ("grep CapBnd /proc/self/status", "CapBnd:\t0*[1-9a-f]"),
    "rights of a namespace of its own": ("unshare --user --map-root-user true && echo OPENED", "OPENED"),
    "the disk": ("ls /dev/vd* /dev/sd* /dev/nvme* && echo OPENED", "OPENED"),
    "other users' names": ("id -u | grep -qx 0 && echo OPENED", "OPENED"),
}


@pytest.mark.parametrize("what", READS)
def test_a_build_cannot_read(victim: Victim, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setenv("CI_TOKEN", "t0ken")
    script, shown = READS[what]
    victim.build()
    log = victim.attack(f"echo begun\n{script}\n")
    assert "begun" in log and not re.search(shown, log), log


WRITES = {
    "its own source": "$1/patched/mm/memory.c",
    "the base's source": "$1/base/mm/memory.c",
    "the tree about its output folder": "$1/patched/here",
    "the base's objects": "$1/base.out/t/mm/memory.o",
    "the base's kernel": "$1/cache/kernels/*/vmlinux",
    "the shared objects": "$1/cache/objects-shared/here",
    "the compiler": "$1/cache/compiler/*/gcc",
    "the notes of its folder": "$1/patched.out/t.notes/state.json",
    "a file of the host": "$1/home/id_rsa",
    "the system": "/usr/bin/true",
    "the root": "/here",
}


@pytest.mark.parametrize("what", WRITES)
def test_a_build_cannot_write(victim: Victim, what: str) -> None:
    victim.build()
    log = victim.attack(f"for f in {WRITES[what]}; do printf x >> $f && echo WRITTEN; done\necho ended\n")
    assert "ended" in log and "WRITTEN" not in log, log


def test_nothing_of_a_build_outlives_it(victim: Victim) -> None:
    victim.attack("setsid sh -c 'exec sleep 98765' & :\n")
    limit = Deadline.after(30)
    while (left := sleepers("98765")) and not limit.expired:
        pass
    assert not left


def sleepers(seconds: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", seconds.encode()]:
            found.append(path.parent.name)
    return found


def test_a_build_that_never_ends_is_the_fault_of_its_series(victim: Victim) -> None:
    with pytest.raises(KernelError, match="did not come to its end in time"):
        victim.attack("sleep 1000\n", deadline=Deadline.after(3))


def test_a_file_without_end_is_cut_off(victim: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = sandbox.Bounds(file=2**24, memory=2**30)
    monkeypatch.setattr(make, "Cage", lambda w, r, c: sandbox.Cage(w, r, c, bounds))
    log = victim.attack(
        'dd if=/dev/zero of=big bs=1M count=100 && echo WRITTEN\nperl -e \'$x = "a" x 2**31; print "ALLOCATED"\'\n'
    )
    assert "WRITTEN" not in log and "ALLOCATED" not in log, log


POISON = {
    "an object with a time to come": "mkdir -p mm; echo poison > mm/memory.o; touch -d 2100-01-01 mm/memory.o",
    "a vmlinux": "echo poison > vmlinux; touch -d 2100-01-01 vmlinux",
    "a .config that cannot be written": "mkdir -p .config.d; chmod 0 .config.d",
    "folders one in the other": "for i in $(seq 300); do mkdir d && cd d || break; done",
    "a folder that is closed": "mkdir -p a/b; chmod 0 a",
    "entries of ccache": "find $CCACHE_DIR -type f | xargs -r sh -c 'for f; do echo poison > $f; done' -",
}


@pytest.mark.parametrize("what", POISON)
def test_what_a_series_left_is_no_input_of_the_next_one(victim: Victim, what: str) -> None:
    base = victim.build()
    with contextlib.suppress(KernelError):  # its own fault, and its own verdict
        victim.attack(POISON[what])
    assert "innocent" in victim.attack("echo innocent\n", owner="innocent")
    assert victim.build().sha256 == base.sha256


LINKS = {
    "vmlinux": "rm -f vmlinux; ln -s $1/home/id_rsa vmlinux; touch -h -d 2100-01-01 vmlinux",
    "kernel.release": "rm -f include/config/kernel.release; ln -s $1/home/id_rsa include/config/kernel.release",
    "System.map": "rm -f System.map; mkfifo System.map",
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_where_a_product_should_be_is_not_followed(victim: Victim, name: str) -> None:
    """The recipe is run behind the link step: what make leaves is what the attack made."""
    source = victim.folder / "patched"
    makefile = source / "Makefile"
    (source / "scripts" / "attack.sh").write_text(LINKS[name])
    text = makefile.read_text().replace("\t\tmv $@.tmp $@\n", "\t\tmv $@.tmp $@ && sh $(srctree)/scripts/attack.sh "
                                        f"{victim.folder}\n")  # fmt: skip
    assert "attack.sh" in text
    makefile.write_text(text)
    with pytest.raises(KernelError, match="make ended well, and left no"):
        victim.build("stranger")


@pytest.mark.parametrize("damage", ["same size", "cut", "empty", "gone"])
def test_a_kernel_that_is_not_what_was_built_is_built_again(victim: Victim, damage: str) -> None:
    built = victim.build()
    before = built.vmlinux.read_bytes()
    flipped = bytes([before[100] ^ 1])
    changed = {"same size": before[:100] + flipped + before[101:], "cut": before[:50], "empty": b""}
    times = built.vmlinux.stat()
    if damage == "gone":
        built.vmlinux.unlink()
    else:
        built.vmlinux.write_bytes(changed[damage])
        os.utime(built.vmlinux, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert victim.build().vmlinux.read_bytes() == before
