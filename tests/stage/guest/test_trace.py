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
    return trace.build(Cache(tmp_path_factory.mktemp("cache")), SILENT)


def image(folder: Path) -> tuple[Path, dict[str, int]]:
    """Assemble the guest; return it, and where its labels are."""
    source, program = folder / "guest.s", folder / "guest"
    source.write_text(GUEST)
    subprocess.run(["as", "--32", "-o", folder / "guest.o", source], check=True)
    options = ("-m", "elf_i386", "-Ttext", "0x100000", "-z", "noseparate-code")
    subprocess.run(["ld", *options, "-o", program, folder / "guest.o"], check=True)
    rows = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout.splitlines()
    return program, {name: int(address, 16) for address, _, name in map(str.split, rows)}


def test_each_piece_is_noted_in_the_record_in_which_it_ran(plugin: Path, tmp_path: Path) -> None:
    program, at = image(tmp_path)
    names = sorted(("never", "once", "looped", "last"), key=at.__getitem__)
    traced = Trace(plugin, tuple((at[name], at[name] + 1) for name in names), at["writer"])
    traced.prepare(tmp_path)
    argv = [QEMU, "-nodefaults", "-display", "none", "-accel", "tcg", "-no-reboot", "-kernel", str(program)]
    argv += ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x1", *traced.args(tmp_path)]
    subprocess.run(argv, check=False, timeout=60)
    bit = {name: 1 << number for number, name in enumerate(names)}
    assert trace.read(tmp_path) == Ran((bit["once"], bit["looped"]), bit["last"])
    assert trace.count(tmp_path) == 2


def test_this_qemu_takes_the_plugin_and_what_is_none_is_refused_in_words(plugin: Path, tmp_path: Path) -> None:
    assert trace.obstacle(QEMU, plugin) == ""
    (tmp_path / "x.so").write_text("no library")
    assert "x.so" in trace.obstacle(QEMU, tmp_path / "x.so")
    assert "no-such-qemu" in trace.obstacle("no-such-qemu", plugin)


def test_a_guest_without_a_trace_has_none_and_a_damaged_one_is_a_fault(plugin: Path, tmp_path: Path) -> None:
    assert trace.read(tmp_path) is None and trace.count(tmp_path) == 0
    Trace(plugin, ((1, 2),), 0).prepare(tmp_path)
    with pytest.raises(InfraError, match="not what QEMU's plugin leaves"):  # no plugin has opened it
        trace.read(tmp_path)
    (tmp_path / trace.FILE).write_bytes(b"short")
    with pytest.raises(InfraError, match="cut off"):
        trace.read(tmp_path)
