"""The plugin of QEMU on a guest of a few instructions: a multiboot image that ends by itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.guest.plugin import trace
from orchestrator.guest.plugin.trace import Ran, Trace
from orchestrator.host.cache import Cache
from orchestrator.progress import SILENT

QEMU = "qemu-system-x86_64"
pytestmark = pytest.mark.skipif(not shutil.which(QEMU), reason="needs a real QEMU")

GUEST = """\
.section .multiboot, "a"
.long 0x1badb002, 0, -0x1badb002
.text
.code32
.globl _start, once, never, looped, writer, last
_start: jmp once
never:  nop
        nop
once:   nop
        nop
        call writer
        mov $3, %ecx
looped: nop
        dec %ecx
        jnz looped
        call writer
last:   nop
        mov $0x10, %al
        out %al, $0xf4
        hlt
writer: ret
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trace.build(QEMU, Cache(tmp_path_factory.mktemp("cache")), SILENT)


def image(folder: Path) -> tuple[Path, dict[str, int]]:
    """Assemble the guest; return it, and where its labels are."""
    source, program = folder / "guest.s", folder / "guest"
    source.write_text(GUEST)
    subprocess.run(["as", "--32", "-o", folder / "guest.o", source], check=True)
    options = ("-m", "elf_i386", "-Ttext", "0x100000", "-z", "noseparate-code")
    subprocess.run(["ld", *options, "-o", program, folder / "guest.o"], check=True)
    rows = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout.splitlines()
    return program, {name: int(address, 16) for address, _, name in map(str.split, rows)}


def run(program: Path, at: dict[str, int], plugin: Path, folder: Path) -> dict[str, int]:
    """Run the guest traced; return the bit of each piece."""
    names = sorted(("never", "once", "looped", "last"), key=at.__getitem__)
    traced = Trace(plugin, tuple((at[name], at[name] + 1) for name in names), at["writer"])
    traced.prepare(folder)
    argv = [QEMU, "-nodefaults", "-display", "none", "-accel", "tcg", "-no-reboot", "-kernel", str(program)]
    argv += ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x1", *traced.args(folder)]
    subprocess.run(argv, check=False, timeout=60)
    return {name: 1 << number for number, name in enumerate(names)}


def test_each_piece_is_noted_in_the_record_in_which_it_ran(plugin: Path, tmp_path: Path) -> None:
    program, at = image(tmp_path)
    bit = run(program, at, plugin, tmp_path)
    assert trace.read(tmp_path) == Ran((bit["once"], bit["looped"]), bit["last"])
    assert trace.count(tmp_path) == 2


def test_what_runs_where_there_is_no_room_for_more_records_is_seen(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_MOST_RECORDS", 1)
    program, at = image(tmp_path)
    bit = run(program, at, plugin, tmp_path)
    assert trace.read(tmp_path) == Ran((bit["once"],), bit["looped"] | bit["last"], 1)


def test_this_qemu_takes_the_plugin_and_what_is_none_is_refused_in_words(plugin: Path, tmp_path: Path) -> None:
    assert trace.obstacle(QEMU, plugin) == ""
    (tmp_path / "x.so").write_text("no library")
    assert "x.so" in trace.obstacle(QEMU, tmp_path / "x.so")
    assert "no-such-qemu" in trace.obstacle("no-such-qemu", plugin)


def plugin_host(folder: Path, api: int, oldest: int) -> str:
    """Compile what takes a plugin as a QEMU does that has these versions of the interface."""
    program = folder / f"host-{api}"
    options = (f"-DAPI={api}", f"-DOLDEST={oldest}", "-rdynamic", "-ldl")
    subprocess.run(["gcc", "-o", program, Path(__file__).with_name("plugin_host.c"), *options], check=True)
    return str(program)


@pytest.mark.parametrize(("api", "oldest"), [(1, 0), (2, 2), (6, 6), (7, 7), (9, 7)])
def test_the_plugin_is_made_for_the_interface_of_each_qemu(api: int, oldest: int, tmp_path: Path) -> None:
    host = plugin_host(tmp_path, api, oldest)
    traced = Trace(trace.build(host, Cache(tmp_path / "cache"), SILENT), ((16, 17), (17, 18)), 18)
    traced.prepare(tmp_path)
    subprocess.run([host, *traced.args(tmp_path)], check=True, timeout=60)
    assert trace.read(tmp_path) == Ran((0b10,), 0)


def test_a_qemu_whose_interface_is_newer_than_the_plugin_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InfraError, match=r"QEMU takes no plugin: .* only a minimum version of 8"):
        trace.build(plugin_host(tmp_path, 8, 8), Cache(tmp_path / "cache"), SILENT)


def test_a_guest_without_a_trace_has_none_and_a_damaged_one_is_a_fault(plugin: Path, tmp_path: Path) -> None:
    assert trace.read(tmp_path) is None and trace.count(tmp_path) == 0
    Trace(plugin, ((1, 2),), 0).prepare(tmp_path)
    assert trace.read(tmp_path) is None, "no plugin has opened it: QEMU ran nothing"
    (tmp_path / trace.FILE).write_bytes((tmp_path / trace.FILE).read_bytes()[:-1])
    with pytest.raises(InfraError, match="not what QEMU's plugin leaves"):
        trace.read(tmp_path)
    (tmp_path / trace.FILE).write_bytes(b"short")
    with pytest.raises(InfraError, match="cut off"):
        trace.read(tmp_path)
