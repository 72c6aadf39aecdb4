"""Stack lines → file:line, with a real compiler and the real binutils on a program of a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.host import process
from orchestrator.kbuild import symbolise
from orchestrator.model import Splat

SOURCE = """\
volatile int sink;
static inline __attribute__((always_inline)) void inlined(int x)
{
        sink = x;
}
__attribute__((noinline)) void leaf(int x)
{
        inlined(x);
        sink++;
}
__attribute__((noinline)) void caller(int x)
{
        leaf(x);
        sink--;
}
int main(void)
{
        caller(3);
        return 0;
}
"""


def build(folder: Path, *options: str) -> Path:
    tree = folder / "some" / "where" / "mm"
    tree.mkdir(parents=True)
    (tree / "demo.c").write_text(SOURCE)
    process.run(["gcc", "-O1", *options, "-o", folder / "vmlinux", tree / "demo.c"])
    return folder / "vmlinux"


def size(vmlinux: Path, name: str) -> int:
    ((_, length),) = symbolise._symbols(vmlinux, vmlinux.stat().st_mtime_ns)[name]
    return length


def call_offset(vmlinux: Path) -> int:
    """Return where, in ``caller``, the call of ``leaf`` returns to."""
    text = process.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=caller", vmlinux]).stdout
    lines = re.findall(r"^\s*([0-9a-f]+):\s+(.*)$", text, re.M)
    at = next(number for number, (_, code) in enumerate(lines) if code.startswith("call"))
    return int(lines[at + 1][0], 16) - int(lines[0][0], 16)


@pytest.fixture(scope="module")
def vmlinux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("tree"), "-g")


def test_frames_and_the_instruction_pointer(vmlinux: Path) -> None:
    returns = call_offset(vmlinux)
    text = "\n".join(
        [
            "BUG: kernel NULL pointer dereference, address: 0000000000000008",
            f"[   12.000000] RIP: 0010:leaf+0x0/{size(vmlinux, 'leaf'):#x}",
            f" caller+{returns:#x}/{size(vmlinux, 'caller'):#x}",
            f" ? caller+{returns:#x}/{size(vmlinux, 'caller'):#x}",
            " unknown+0x1/0x2",
            f" caller+{returns:#x}/{size(vmlinux, 'caller'):#x} [some_module]",
        ]
    )
    resolved, reason = symbolise.resolve(text, vmlinux)
    lines = resolved.splitlines()
    assert reason == ""
    assert lines[0] == text.splitlines()[0]
    assert re.search(r"  mm/demo\.c:\d+", lines[1])
    assert lines[2].endswith("  mm/demo.c:13")
    assert lines[3].endswith("  mm/demo.c:13")
    assert lines[4:] == text.splitlines()[4:]


def test_inlined_functions_are_told(vmlinux: Path) -> None:
    whole = size(vmlinux, "leaf")
    found = [symbolise.resolve(f" leaf+{at:#x}/{whole:#x}", vmlinux)[0] for at in range(1, whole)]
    assert any(line.endswith("  mm/demo.c:4 < mm/demo.c:8") for line in found)


def test_a_splat_keeps_all_but_its_text(vmlinux: Path) -> None:
    splat = Splat("oops", "t", 1, 1, f"RIP: 0010:leaf+0x0/{size(vmlinux, 'leaf'):#x}", True, "a")
    done = symbolise.symbolise(splat, vmlinux)
    assert (done.title, done.test, done.fatal) == ("t", "a", True)
    assert "mm/demo.c" in done.text


def test_without_debug_info_the_text_stays_and_the_reason_is_said(tmp_path: Path) -> None:
    plain = build(tmp_path)
    text = f" caller+0x4/{size(plain, 'caller'):#x}"
    assert symbolise.resolve(text, plain) == (text, "stacks are not symbolised: vmlinux has no debug info")


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF nonsense"])
def test_no_vmlinux_never_fails_a_run(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "vmlinux"
    if content is not None:
        path.write_bytes(content)
    text, reason = symbolise.resolve(" caller+0x4/0x10", path)
    assert text == " caller+0x4/0x10"
    assert reason.startswith("stacks are not symbolised: ")
