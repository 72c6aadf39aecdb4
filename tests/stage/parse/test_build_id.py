"""Build ids, read from what a real linker wrote."""

import subprocess
from pathlib import Path

import pytest

from orchestrator.parse import build_id

ID = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elf")
    (folder / "x.c").write_text("void _start(void) {}\n")
    common: list[str | Path] = ["gcc", "-nostdlib", "-static", folder / "x.c"]
    subprocess.run([*common, f"-Wl,--build-id=0x{ID}", "-o", folder / "with"], check=True)
    subprocess.run([*common, "-Wl,--build-id=none", "-o", folder / "without"], check=True)
    subprocess.run(["objcopy", "--dump-section", f".note.gnu.build-id={folder / 'notes'}", folder / "with"], check=True)
    return folder


def test_the_build_id_of_a_linked_file(linked: Path) -> None:
    assert build_id.of_file((linked / "with").read_bytes()) == ID


def test_a_file_without_one(linked: Path) -> None:
    assert build_id.of_file((linked / "without").read_bytes()) == ""


def test_the_notes_that_a_running_kernel_shows(linked: Path) -> None:
    other = b"\x04\0\0\0\x01\0\0\0\x06\0\0\0Xen\0\x01\0\0\0"
    assert build_id.of_notes(other + (linked / "notes").read_bytes()) == ID
    assert build_id.of_notes(other) == ""


@pytest.mark.parametrize("data", [b"", b"\x7fELF\x01\x01", b"MZ" + bytes(100)])
def test_what_is_no_elf_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        build_id.of_file(data)


def test_a_file_cut_anywhere_never_gives_another_id(linked: Path) -> None:
    whole = (linked / "with").read_bytes()
    for size in range(0, len(whole), 7):
        try:
            found = build_id.of_file(whole[:size])
        except ValueError:
            continue
        assert found in ("", ID) or ID.startswith(found)
