"""The initramfs, from this host's real tools."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.arch import DEFAULT
from orchestrator.errors import InfraError, UserError
from orchestrator.guest.rootfs import cpio, libraries, modules, rootfs
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Programs
from orchestrator.progress import SILENT


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


def contents(programs: Path, tmp_path: Path) -> dict[str, cpio.Entry]:
    spec = rootfs.RootfsSpec(tmp_path / "run", DEFAULT, (Programs("own", programs, ""),))
    return rootfs.contents(spec, Deadline.after(60))


def compiled(folder: Path, *options: str, source: str = "int main(void){return 0;}\n", name: str = "program") -> Path:
    (folder / f"{name}.c").write_text(source)
    subprocess.run(["gcc", "-o", folder / name, folder / f"{name}.c", *options], check=True)
    return folder / name


def test_no_applet_is_a_link_to_itself(programs: Path, tmp_path: Path) -> None:
    whole = contents(programs, tmp_path)
    assert whole["bin/sh"].data == b"busybox"
    assert whole["bin/busybox"].data[:4] == b"\x7fELF"


def test_ssh_finds_its_sftp_server(programs: Path, tmp_path: Path) -> None:
    whole = contents(programs, tmp_path)
    (path,) = [name for name in whole if name.endswith("sftp-server")]
    assert b"/" + path.encode() + b"\0" in whole["sbin/dropbear"].data


def test_programs_lie_under_their_suite_with_their_permissions(programs: Path, tmp_path: Path) -> None:
    (programs / "deep").mkdir()
    (programs / "deep" / "run").write_text("#!/bin/sh\n")
    (programs / "deep" / "run").chmod(0o755)
    (programs / "data").write_text("x")
    (programs / "link").symlink_to("data")
    whole = contents(programs, tmp_path)
    assert whole["tests/own/deep/run"].mode & 0o777 == 0o755
    assert whole["tests/own/data"].mode & 0o777 == 0o644
    assert whole["tests/own/link"] == cpio.symlink("data")


def test_a_dynamic_program_brings_its_loader_and_libraries_and_a_static_one_nothing(programs: Path) -> None:
    found = libraries.needed_by([compiled(programs, "-Wl,--no-as-needed", "-lm")], DEFAULT.triplet)
    names = {Path(name).name for name in found}
    assert {"libm.so.6", "libc.so.6"} <= names
    assert any(name.startswith("ld-linux") for name in names)
    assert all(path.is_file() for path in found.values())
    assert libraries.needed_by([compiled(programs, "-static", name="static")], DEFAULT.triplet) == {}


def test_a_library_beside_the_program_is_found_through_its_origin(programs: Path) -> None:
    compiled(programs, "-shared", "-fPIC", source="int own(void){return 0;}\n", name="libown.so")
    options = ["-L", str(programs), "-l:libown.so", "-Wl,-rpath,$ORIGIN"]
    program = compiled(programs, *options, source="int own(void); int main(void){return own();}\n")
    assert str(programs / "libown.so") in libraries.needed_by([program], DEFAULT.triplet)
    (programs / "libown.so").unlink()
    with pytest.raises(InfraError, match=r"needs the library libown\.so"):
        libraries.needed_by([program], DEFAULT.triplet)


def test_the_libraries_of_another_architecture_are_looked_for_where_it_has_them(programs: Path) -> None:
    triplet = "riscv64-none-gnu"
    program = compiled(programs, "-Wl,--no-as-needed", "-lm")
    with pytest.raises(InfraError, match=r"needs the library lib"):
        libraries.needed_by([program], triplet)


def test_a_damaged_program_is_named(programs: Path) -> None:
    program = compiled(programs)
    program.write_bytes(program.read_bytes()[:70])
    with pytest.raises(InfraError, match="damaged"):
        libraries.needed_by([program], DEFAULT.triplet)


def script(folder: Path, text: str, name: str = "run") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_shell_of_a_script_goes_along_with_its_libraries(programs: Path, tmp_path: Path) -> None:
    script(programs, "#!/bin/bash\n")
    script(programs, "#!/bin/sh\n", "plain")
    whole = contents(programs, tmp_path)
    assert whole["bin/bash"].data == Path("/bin/bash").read_bytes()
    assert set(map(str, libraries.needed_by([Path("/bin/bash")], DEFAULT.triplet))) <= {f"/{name}" for name in whole}
    assert whole["bin/sh"].data == b"busybox", "the one of the guest stays"
    assert "usr/bin/env" not in whole


def test_a_script_may_leave_it_to_env_where_its_interpreter_is(programs: Path, tmp_path: Path) -> None:
    script(programs, "#!/usr/bin/env bash\n")
    script(programs, "#!/usr/bin/env sh\n", "plain")
    whole = contents(programs, tmp_path)
    assert whole["usr/bin/env"].data == b"/bin/busybox"
    assert whole[str(shutil.which("bash")).lstrip("/")].data == Path("/bin/bash").read_bytes()


def test_perl_goes_along_with_the_modules_of_its_base(programs: Path, tmp_path: Path) -> None:
    script(programs, "#!/usr/bin/perl -w\nuse strict;\nuse 5.010;\nuse POSIX qw(floor);\n__END__\nuse Test::More;\n")
    whole = contents(programs, tmp_path)
    folder = f"usr/lib/{DEFAULT.triplet}/perl-base"
    assert "usr/bin/perl" in whole and f"{folder}/strict.pm" in whole and f"{folder}/POSIX.pm" in whole


def test_an_interpreter_that_is_static_goes_along_wherever_it_is(programs: Path, tmp_path: Path) -> None:
    interpreter = compiled(tmp_path, "-static", name="interpreter")
    script(programs, f"#!{interpreter}\n")
    assert contents(programs, tmp_path)[str(interpreter).lstrip("/")].data == interpreter.read_bytes()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#!/usr/bin/python3\n", "asks for /usr/bin/python3, which needs a library of modules besides"),
        ("#!/usr/bin/env python3.11\n", r"asks for /\S*python3\.11, which needs a library of modules besides"),
        ("#!/opt/no/such\n", "asks for /opt/no/such, which this host does not have"),
        (
            "#!/usr/bin/perl\nuse Test::More;\n",
            "uses Test::More, which is none of the modules that go along",
        ),
        ("#!/usr/bin/ldd\n", "asks for /usr/bin/ldd, which is a script itself"),
    ],
)
def test_a_script_that_cannot_run_there_is_refused_with_the_reason(
    programs: Path, tmp_path: Path, text: str, why: str
) -> None:
    script(programs, text)
    with pytest.raises(UserError, match=f"tests/own/run {why}"):
        contents(programs, tmp_path)
    with pytest.raises(UserError, match=why):
        rootfs.check_scripts(Programs("own", programs, ""), DEFAULT, Deadline.after(60))


def test_what_nobody_runs_is_no_script(programs: Path, tmp_path: Path) -> None:
    (programs / "helper").write_text("#!/usr/bin/python3\n")
    assert "tests/own/helper" in contents(programs, tmp_path)


def test_keys_are_new_in_each_run_and_the_rest_is_not(programs: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    one, two = (
        rootfs.build(rootfs.RootfsSpec(tmp_path / name, DEFAULT, (Programs("own", programs, ""),)), cache, SILENT)
        for name in ("one", "two")
    )
    assert one.sha256 == two.sha256
    assert one.host_key != two.host_key
    assert one.identity.read_bytes() != two.identity.read_bytes()
    assert one.identity.stat().st_mode & 0o077 == 0
    assert len(list((cache.root / "rootfs").iterdir())) == 1
    (programs / "new").write_text("x")
    spec = rootfs.RootfsSpec(tmp_path / "three", DEFAULT, (Programs("own", programs, ""),))
    assert rootfs.build(spec, cache, SILENT).sha256 != one.sha256


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[: len(data) // 2], lambda data: data[:99] + bytes([data[99] ^ 4]) + data[100:],
], ids=["emptied", "cut", "turned"])  # fmt: skip
def test_what_rots_in_the_cache_is_packed_again(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    cache, spec = Cache(tmp_path / "cache"), rootfs.RootfsSpec(tmp_path / "run", DEFAULT)
    packed = cache.path("rootfs", f"{rootfs.build(spec, cache, SILENT).sha256}.cpio.gz")
    whole = packed.read_bytes()
    packed.write_bytes(damage(whole))
    made = rootfs.build(spec, cache, SILENT)
    assert packed.read_bytes() == whole and made.image.read_bytes().startswith(whole)


def test_no_key_gets_into_the_cache(programs: Path, tmp_path: Path) -> None:
    made = rootfs.build(rootfs.RootfsSpec(tmp_path / "run", DEFAULT), Cache(tmp_path / "cache"), SILENT)
    (kept,) = (tmp_path / "cache" / "rootfs").iterdir()
    host_key = (tmp_path / "run" / "keys" / "host").read_bytes()
    assert host_key in gzip.decompress(made.image.read_bytes())
    assert host_key not in gzip.decompress(kept.read_bytes())


def test_a_missing_tool_is_named_with_its_package(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dropbear").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(InfraError, match=r"busybox is not installed .*busybox-static"):
        contents(programs, tmp_path)


def test_modules_are_placed_with_tables_that_name_what_each_needs(tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "low-level.ko").write_bytes(b"\0license=GPL\0depends=\0")
    (folder / "middle.ko").write_bytes(b"\0depends=low-level,built_in\0alias=pci:v1\0")
    (folder / "top.ko").write_bytes(b"\0alias=top-alias\0depends=middle,low_level\0")
    found = modules.entries(folder, "5.10.0")
    assert found["lib/modules/5.10.0/modules.dep"].data.decode().splitlines() == [
        "low-level.ko:",
        "middle.ko: low-level.ko",
        "top.ko: middle.ko low-level.ko",
    ]
    assert found["lib/modules/5.10.0/modules.alias"].data == b"alias pci:v1 middle\nalias top-alias top\n"
    assert found["lib/modules/5.10.0/top.ko"].data.startswith(b"\0alias")


def test_modules_of_an_install_keep_their_place(tmp_path: Path) -> None:
    inner = tmp_path / "lib" / "modules" / "5.10.0" / "kernel" / "mm"
    inner.mkdir(parents=True)
    (inner / "a.ko").write_bytes(b"\0depends=\0")
    found = modules.entries(tmp_path, "5.10.0")
    assert found["lib/modules/5.10.0/modules.dep"].data == b"kernel/mm/a.ko:\n"
    assert "lib/modules/5.10.0/kernel/mm/a.ko" in found
