"""kernel.build against a fake kernel tree whose compiler, linker and make are real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.errors import InfraError, KernelError, UserError
from orchestrator.host.cache import Cache, digest
from orchestrator.host.process import FOREVER, Deadline, sandbox
from orchestrator.kbuild import kconfig, kernel, manifest, namesakes, outfolder
from orchestrator.kbuild.host import ThisHost
from orchestrator.kbuild.place import out_folder
from orchestrator.kbuild.request import BuildRequest
from orchestrator.model import Kernel

FAKE = Path(__file__).parents[2] / "fakes" / "fakelinux"
FRAGMENT = "CONFIG_64BIT=y\nCONFIG_SWAP=y\nCONFIG_SHMEM=y\n"


@dataclass
class Said:
    """Keeps what a stage says; ``on_advance`` may raise, as Ctrl-C does."""

    notes: list[str] = field(default_factory=list)
    figures: list[tuple[float, float | None]] = field(default_factory=list)
    on_note: Callable[[str], None] = lambda text: None
    on_advance: Callable[[float], None] = lambda done: None

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.on_note(text)

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        self.figures.append((done, total))
        self.on_advance(done)


@dataclass
class Bench:
    """A copy of the fake tree, a fragment and a cache."""

    folder: Path
    name: str = "base"
    image: str = "vmlinux"

    @property
    def source(self) -> Path:
        return self.folder / self.name

    @property
    def cache(self) -> Cache:
        return Cache(self.folder / "cache")

    @property
    def fragment(self) -> Path:
        return self.folder / "kconfigs" / "test.config"

    def request(self, **changes: object) -> BuildRequest:
        files = sorted(p for p in self.source.rglob("*") if p.is_file())
        request = BuildRequest(
            source=self.source,
            content=digest(*(part for p in files for part in (str(p.relative_to(self.source)), p))),
            out=out_folder(self.source, "t"),
            fragments=(self.fragment,),
            image=self.image,
            jobs=2,
        )
        return replace(request, **changes)  # type: ignore[arg-type]

    def build(self, said: Said | None = None, **changes: object) -> Kernel:
        return kernel.build(self.request(**changes), self.cache, said or Said(), FOREVER)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.source / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    def calls(self) -> list[str]:
        log = out_folder(self.source, "t") / "calls.log"
        return log.read_text().splitlines() if log.exists() else []

    def compiled_in_order(self) -> list[str]:
        log = (outfolder.log(out_folder(self.source, "t"))).read_text()
        return [line.split()[1] for line in log.splitlines() if line.startswith("  CC ")]

    def compiled(self) -> set[str]:
        return set(self.compiled_in_order())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    shutil.copytree(FAKE, bench.source)
    bench.fragment.parent.mkdir()
    bench.fragment.write_text(FRAGMENT)
    return bench


def test_a_kernel_is_built_with_its_facts(bench: Bench) -> None:
    built = bench.build()
    notes = subprocess.run(["readelf", "-n", built.vmlinux], capture_output=True, text=True, check=True).stdout
    assert built.build_id and f"Build ID: {built.build_id}" in notes
    assert built.release == "5.10.0-fake"
    assert built.sha256 == subprocess.check_output(["sha256sum", built.image], text=True).split()[0]
    assert "CONFIG_SWAP=y" in built.config.read_text()
    assert [w.where for w in built.warnings] == ["mm/swap.c:4"]
    assert "never_called" in built.warnings[0].text
    assert built.modules is None
    assert bench.calls() == ["tinyconfig", "olddefconfig", "vmlinux"]


def test_nothing_changed_calls_no_make(bench: Bench) -> None:
    first = bench.build()
    calls = bench.calls()
    assert bench.build() == first
    assert bench.calls() == calls
    folder = first.image.parent
    os.utime(folder, (0, 0))
    assert kernel.lookup(bench.request(), bench.cache) == first
    assert folder.stat().st_mtime > 0, "it was used now"


def test_a_kernel_cut_short_is_not_believed(bench: Bench) -> None:
    built = bench.build()
    with built.vmlinux.open("r+b") as file:
        file.truncate(100)
    assert kernel.lookup(bench.request(), bench.cache) is None
    assert bench.build().sha256 == built.sha256


def test_one_changed_file_costs_that_file_and_no_config_target(bench: Bench) -> None:
    bench.build()
    bench.edit("mm/memory.c", "page + 1", "page + 2")
    before = len(bench.calls())
    bench.build()
    assert bench.compiled() == {"mm/memory.o"}
    assert bench.calls()[before:] == ["vmlinux"]


def test_a_clock_that_was_set_back_since_leaves_no_old_object_in_a_new_kernel(bench: Bench) -> None:
    first = bench.build()
    out = out_folder(bench.source, "t")
    ahead = time.time() + 3600
    for path in out.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (ahead, ahead))
    manifest.record(out, outfolder.log(out).parent)
    bench.edit("mm/memory.c", "page + 1", "page + 2")
    said = Said()
    again = bench.build(said)
    assert again.sha256 != first.sha256 and "mm/memory.o" in bench.compiled()
    assert again.warnings == first.warnings
    assert any("of a time that is yet to come" in note for note in said.notes)


def test_warnings_of_files_not_compiled_again_are_kept(bench: Bench) -> None:
    first = bench.build()
    bench.edit("mm/memory.c", "page + 1", "page + 2")
    assert bench.build().warnings == first.warnings
    bench.edit("mm/swap.c", "static int never_called(void)\n{\n\treturn 0;\n}\n", "")
    assert bench.build().warnings == ()


def test_an_object_taken_out_of_the_build_takes_its_warnings_along(bench: Bench) -> None:
    assert bench.build().warnings
    bench.edit("mm/Makefile", "objs-$(CONFIG_SWAP) += mm/swap.o", "")
    assert bench.build().warnings == ()


def test_a_changed_config_takes_the_warnings_of_what_it_removed_along(bench: Bench) -> None:
    with_swap = bench.build()
    bench.fragment.write_text("CONFIG_64BIT=y\n# CONFIG_SWAP is not set\nCONFIG_SHMEM=y\n")
    assert bench.build().warnings == ()
    bench.fragment.write_text(FRAGMENT + "CONFIG_THP=y\n")
    assert bench.build().warnings == with_swap.warnings


def test_a_kernel_that_kconfig_warned_of_is_configured_anew(bench: Bench) -> None:
    state = outfolder.State(warned={"Kconfig": outfolder.Warned("of another .config", ())})
    assert outfolder.without_doubtful(state, bench.source, bench.source).warned == {}


def test_what_make_says_of_a_makefile_that_moved_is_said_once(bench: Bench) -> None:
    bench.edit("mm/Makefile", "objs-$(CONFIG_SWAP)", "mm/zz: ; @:\nmm/zz: ; @true\nobjs-$(CONFIG_SWAP)")
    assert [w.where for w in bench.build().warnings if "Makefile" in w.where]
    once = [w.text for w in bench.build().warnings]
    bench.edit("mm/Makefile", "mm/zz: ; @:", "# a comment\nmm/zz: ; @:")
    bench.edit("mm/memory.c", "page + 1", "page + 2")
    assert sorted(w.text for w in bench.build(content="moved").warnings) == sorted(once)
    bench.edit("mm/Makefile", "mm/zz: ; @true\n", "")
    bench.edit("mm/memory.c", "page + 2", "page + 3")
    assert not [w.where for w in bench.build(content="gone").warnings if "Makefile" in w.where]


def test_warnings_of_an_interrupted_build_are_not_lost(bench: Bench) -> None:
    def stop(done: float) -> None:
        if "mm/swap.o" in (outfolder.log(out_folder(bench.source, "t"))).read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.build(Said(on_advance=stop))
    assert [w.where for w in bench.build().warnings] == ["mm/swap.c:4"]


def test_warnings_of_a_killed_run_are_read_from_its_log(bench: Bench) -> None:
    whole = bench.build()
    bench.edit("mm/memory.c", "page + 1", "page + 2")
    (outfolder.state(out_folder(bench.source, "t"))).unlink()
    assert bench.build().warnings == whole.warnings


def test_an_interrupted_build_goes_on_where_it_was(bench: Bench) -> None:
    def stop(done: float) -> None:
        if done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.build(Said(on_advance=stop), jobs=1)
    *done, _last_one_may_be_cut_short = bench.compiled_in_order()
    assert done
    assert kernel.lookup(bench.request(), bench.cache) is None
    bench.build(jobs=1)
    assert bench.compiled().isdisjoint(done)


def test_the_same_config_written_again_keeps_its_time_stamp(bench: Bench) -> None:
    bench.build()
    config = out_folder(bench.source, "t") / ".config"
    before = config.stat().st_mtime_ns
    bench.edit("mm/Kconfig", 'bool "Swap"', 'bool "Swap space"')
    bench.build()
    assert bench.calls()[-3:] == ["tinyconfig", "olddefconfig", "vmlinux"]
    assert config.stat().st_mtime_ns == before


def test_a_trees_own_tinyconfig_is_settled_together_with_the_fragments(bench: Bench) -> None:
    tiny = bench.source / "kernel/configs"
    tiny.mkdir(parents=True)
    (tiny / "tiny.config").write_text("CONFIG_THP=y\nCONFIG_SHMEM=y\n")
    bench.fragment.write_text("CONFIG_SWAP=y\nCONFIG_SHMEM=n\n")
    values = kconfig.read(bench.build().config.read_text())
    assert {s for s, value in values.items() if value == "y"} == {"THP", "MIGRATION", "SWAP"}
    assert bench.calls() == ["allnoconfig", "olddefconfig", "vmlinux"]


def test_a_change_of_the_configuration_that_a_base_is_made_of_is_seen(bench: Bench) -> None:
    tiny = bench.source / "kernel/configs"
    tiny.mkdir(parents=True)
    (tiny / "tiny.config").write_text("CONFIG_SHMEM=y\n")
    assert kconfig.read(bench.build().config.read_text())["THP"] == "n"
    (tiny / "tiny.config").write_text("CONFIG_SHMEM=y\nCONFIG_THP=y\n")
    assert kconfig.read(bench.build().config.read_text())["THP"] == "y"


def test_a_tinyconfig_that_begins_with_values_is_the_trees_own(bench: Bench) -> None:
    tiny = bench.source / "kernel/configs"
    tiny.mkdir(parents=True)
    (tiny / "tiny.config").touch()
    (tiny / "tiny-base.config").touch()
    bench.build()
    assert bench.calls()[0] == "tinyconfig"


def test_a_dropped_symbol_is_named_with_what_it_depends_on(bench: Bench) -> None:
    bench.fragment.write_text("CONFIG_64BIT=y\nCONFIG_SWAP=y\nCONFIG_USERFAULTFD=y\n")
    with pytest.raises(KernelError) as caught:
        bench.build()
    assert str(caught.value) == (
        "asked-for symbols were dropped: CONFIG_USERFAULTFD=y (kconfigs/test.config:3) is absent: "
        "depends on 64BIT && SWAP && SHMEM [64BIT=y, SWAP=y, SHMEM=n]"
    )
    with pytest.raises(KernelError):
        bench.build()


def test_a_dropped_symbol_without_a_prompt_is_named_with_its_selectors(bench: Bench) -> None:
    bench.fragment.write_text(FRAGMENT + "CONFIG_MIGRATION=y\n")
    with pytest.raises(KernelError, match=r"has no prompt: only selected by THP \[THP=n\]"):
        bench.build()


def test_a_symbol_held_on_by_another_is_named(bench: Bench) -> None:
    bench.fragment.write_text(FRAGMENT + "CONFIG_THP=y\nCONFIG_MIGRATION=n\n")
    with pytest.raises(KernelError, match=r"MIGRATION=n .* is y: is selected by THP \[THP=y\]"):
        bench.build()


@pytest.mark.parametrize("line", ["CONFIG_USERFALTFD=y", "# CONFIG_SECOMP is not set", "CONFIG_NOT_A_SYMBOL=n"])
def test_an_unknown_symbol_is_the_users_fault(bench: Bench, line: str) -> None:
    bench.fragment.write_text(FRAGMENT + line + "\n")
    with pytest.raises(UserError, match=r"Kconfig does not know CONFIG_\w+=[yn] \(kconfigs/test.config:4\)"):
        bench.build()


def test_what_is_optional_is_told_and_builds(bench: Bench) -> None:
    bench.fragment.write_text(FRAGMENT + "CONFIG_FRONTSWAP=y # optional\nCONFIG_MIGRATION=y # optional\n")
    said = Said()
    bench.build(said)
    assert "CONFIG_FRONTSWAP=y" in said.notes[0] and "optional" in said.notes[0] and "does not know it" in said.notes[0]
    assert "CONFIG_MIGRATION=y" in said.notes[1] and "only selected by THP" in said.notes[1]


def test_what_is_asked_for_where_it_is_known_may_be_unknown_and_not_dropped(bench: Bench) -> None:
    bench.fragment.write_text(FRAGMENT + "CONFIG_FRONTSWAP=y # where-known: gone\n")
    bench.build()
    bench.fragment.write_text(FRAGMENT + "CONFIG_FRONTSWAP=y\n")
    with pytest.raises(UserError, match="does not know CONFIG_FRONTSWAP=y"):
        bench.build()
    bench.fragment.write_text(FRAGMENT + "CONFIG_MIGRATION=y # where-known: gone\n")
    with pytest.raises(KernelError, match="MIGRATION"):
        bench.build()


def test_an_optional_symbol_made_strict_is_looked_at_again(bench: Bench) -> None:
    bench.fragment.write_text(FRAGMENT + "CONFIG_MIGRATION=y # optional\n")
    bench.build()
    bench.fragment.write_text(FRAGMENT + "CONFIG_MIGRATION=y\n")
    with pytest.raises(KernelError, match="MIGRATION"):
        bench.build()


def test_fragments_that_contradict_one_another_name_both_lines(bench: Bench, tmp_path: Path) -> None:
    overlay = tmp_path / "kconfigs" / "noswap.config"
    overlay.write_text("# the kernel without swap\nCONFIG_SWAP=n\n")
    both = (bench.fragment, overlay)
    with pytest.raises(UserError, match=r"SWAP=y \(kconfigs/test.config:2\) against .*\(kconfigs/noswap.config:2\)"):
        bench.build(fragments=both)
    overlay.write_text("CONFIG_SWAP=n # override\n")
    assert "# CONFIG_SWAP is not set" in bench.build(fragments=both).config.read_text()


def test_a_file_is_a_base_and_asks_for_nothing(bench: Bench, tmp_path: Path) -> None:
    base = tmp_path / "my.config"
    base.write_text("CONFIG_THP=y\nCONFIG_USERFAULTFD=y\n# CONFIG_SWAP is not set\n")
    built = bench.build(base=str(base))
    assert {"CONFIG_THP=y", "CONFIG_SWAP=y"} <= set(built.config.read_text().splitlines())
    assert bench.calls() == ["olddefconfig", "vmlinux"]


def test_the_first_compiler_error_is_the_fault(bench: Bench, tmp_path: Path) -> None:
    bench.edit("mm/memory.c", "page + 1", "pag + 1")
    log = tmp_path / "run" / "build.log"
    with pytest.raises(KernelError) as caught:
        bench.build(log=log)
    assert str(caught.value).startswith("the build broke: mm/memory.c:6:16: error: ‘pag’ undeclared")
    assert caught.value.log == log and "pag" in log.read_text()


def test_a_linker_error_is_the_fault(bench: Bench) -> None:
    bench.edit("init/main.c", "fault(1)", "swap_in(1)")
    bench.edit("include/fake.h", "int fault", "int swap_in(int page);\nint fault")
    with pytest.raises(KernelError, match="undefined reference to `swap_in'"):
        bench.build()


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        ("flex", "flex is not installed (Debian package flex)"),
        ("libelf", "gelf.h is not installed (Debian package libelf-dev)"),
        ("space", "no space left on device"),
        ("killed", "out of memory"),
    ],
)
def test_what_the_host_lacks_is_not_the_trees_fault_and_the_host_is_asked(
    bench: Bench, fail: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.source / "FAIL").write_text(fail)
    if fail != "flex":  # without which the tree of this test cannot be configured
        with pytest.raises(KernelError, match="the build broke"):
            bench.build()
    for name in ("is_full", "has_killed", "lacks"):
        monkeypatch.setattr(ThisHost, name, lambda self, *names: True)
    with pytest.raises(InfraError) as caught:
        bench.build()
    assert message in str(caught.value)


def test_a_disk_without_room_is_full_and_another_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ThisHost(tmp_path).is_full()
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        assert ThisHost(small).is_full()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_full_disk_under_the_output_folder_is_infra(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfraError, match="cannot write in"):
        bench.build(out=tmp_path / "file" / "out")


def test_a_passed_deadline_ends_the_build(bench: Bench) -> None:
    with pytest.raises(KernelError, match="make did not come to its end in time"):
        kernel.build(bench.request(), bench.cache, Said(), Deadline.after(0))
    assert bench.build()


def test_a_module_is_installed_with_the_kernel(bench: Bench) -> None:
    bench.fragment.write_text(FRAGMENT + "CONFIG_TOY=m\n")
    bench.image = "bzImage"
    built = bench.build()
    assert built.image.name == "bzImage"
    assert built.modules
    assert (built.modules / "lib/modules/5.10.0-fake/kernel/toy.ko").is_file()
    assert not (built.modules / "lib/modules/5.10.0-fake/build").is_symlink()


def test_progress_counts_against_the_last_cold_build(bench: Bench) -> None:
    first, second = Said(), Said()
    bench.build(first)
    total = first.figures[-1][0]
    assert first.figures[-1] == (total, total) and all(figure[1] is None for figure in first.figures[:-1])
    other = replace_name(bench, "patched")
    other.edit("mm/memory.c", "page + 1", "page + 2")
    other.build(second)
    assert second.figures[0] == (1, total)
    assert [done for done, _ in second.figures[:-1]] == list(range(1, int(total) + 1))


def replace_name(bench: Bench, name: str) -> Bench:
    other = replace(bench, name=name)
    shutil.copytree(bench.source, other.source)
    return other


def test_two_work_trees_give_the_same_kernel(bench: Bench) -> None:
    first = bench.build()
    other = replace_name(bench, "elsewhere")
    shutil.rmtree(bench.folder / "cache")
    assert other.build().sha256 == first.sha256


def test_nothing_of_ours_lies_in_a_tree_while_make_is_not_at_work(bench: Bench) -> None:
    before = sorted(bench.source.rglob("*"))
    bench.build()
    assert sorted(bench.source.rglob("*")) == before


def test_a_tree_may_have_the_names_by_which_make_sees_its_output_folder(bench: Bench) -> None:
    first = bench.build()
    other = replace_name(bench, "patched")
    (other.source / ".out-t").mkdir()
    (other.source / ".out-t" / "vmlinux").write_text("of the tree")
    (other.source / ".out-t-1").symlink_to("/")
    before = sorted(other.source.rglob("*"))
    assert other.build().sha256 == first.sha256
    assert sorted(other.source.rglob("*")) == before
    assert (other.source / ".out-t" / "vmlinux").read_text() == "of the tree"


def test_without_a_cage_the_output_folder_is_in_the_tree_only_while_make_works(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "obstacle", lambda: "bwrap is not installed")
    first, before = bench.build(), sorted(bench.source.rglob("*"))
    assert not any(path.name.startswith(".out-") for path in before)
    bench.edit("mm/memory.c", "page + 1", "page + 2")
    assert bench.build().sha256 != first.sha256
    assert bench.compiled() == {"mm/memory.o"}
    assert sorted(bench.source.rglob("*")) == before


def test_two_work_trees_share_compiled_objects(bench: Bench) -> None:
    bench.build()
    other = replace_name(bench, "patched")
    other.edit("mm/memory.c", "page + 1", "page + 2")
    other.build()
    env = dict(kernel.compiler(other.request(), bench.cache).environment) | {"PATH": "/usr/bin:/bin"}
    said = subprocess.run(["ccache", "--print-stats"], env=env, capture_output=True, text=True, check=True).stdout
    stats = dict(line.split("\t") for line in said.splitlines())
    assert int(stats["direct_cache_hit"]) + int(stats["preprocessed_cache_hit"]) == 2
    assert int(stats["cache_miss"]) == 1
    assert int(stats["preprocessed_cache_miss"]) == 0, "no preprocessor ran before the compiler"


@pytest.fixture
def by_either_header(bench: Bench) -> Bench:
    """A tree that includes ``linux/x.h``, which both ``include`` and, behind it, ``include/uapi`` may have."""
    bench.edit("Makefile", "-I$(srctree)/include ", "-I$(srctree)/include -I$(srctree)/include/uapi ")
    bench.edit("mm/memory.c", "\n\n", "\n#include <linux/x.h>\nconst char who[] = WHO;\n")
    _add(bench, "include/uapi/linux/x.h")
    return bench


def _add(bench: Bench, header: str) -> None:
    (bench.source / header).parent.mkdir(parents=True, exist_ok=True)
    (bench.source / header).write_text(f'#define WHO "this is {header}"\n')


def test_a_header_that_comes_before_its_namesake_is_in_the_object_of_a_kept_folder(by_either_header: Bench) -> None:
    """make knows which headers an object was made of, and not where others of the same name would have counted."""
    assert b"this is include/uapi/linux/x.h" in by_either_header.build().vmlinux.read_bytes()
    _add(by_either_header, "include/linux/x.h")
    assert b"this is include/linux/x.h" in by_either_header.build().vmlinux.read_bytes()


@pytest.mark.skipif(shutil.which("ccache") is None, reason="ccache is not here")
def test_a_header_that_comes_before_its_namesake_is_in_the_object_of_a_new_folder(by_either_header: Bench) -> None:
    by_either_header.build()
    other = replace_name(by_either_header, "patched")
    _add(other, "include/linux/x.h")
    assert b"this is include/linux/x.h" in other.build().vmlinux.read_bytes()


def test_a_tree_is_walked_for_its_headers_once_a_build(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp, walks = namesakes.stamp, list[Path]()

    def counted(source: Path) -> str:
        walks.append(source)
        return stamp(source)

    monkeypatch.setattr(namesakes, "stamp", counted)
    bench.build()
    assert walks == [bench.source]
    bench.edit("mm/swap.c", "never_called", "not_called")
    bench.build()
    assert len(walks) == 2, "another request may be of another tree"


def test_a_header_without_a_namesake_costs_what_includes_it(bench: Bench) -> None:
    bench.build()
    _add(bench, "include/linux/new.h")
    bench.edit("mm/memory.c", "\n\n", "\n#include <linux/new.h>\n")
    bench.build()
    assert bench.compiled() == {"mm/memory.o"}


def test_bytes_taken_into_an_object_are_never_those_of_another_tree(bench: Bench) -> None:
    """ccache's depend mode sees no file but headers: a hit for the same source would hold the other tree's bytes."""
    taking_in = '\nasm(".pushsection .blob\\n.incbin \\"../blob\\"\\n.popsection");\n'
    bench.edit("mm/memory.c", "\n\n", taking_in)
    (bench.source / "blob").write_text("of-the-base")
    assert b"of-the-base" in bench.build().vmlinux.read_bytes()
    other = replace_name(bench, "patched")
    (other.source / "blob").write_text("of-the-patched")
    assert b"of-the-patched" in other.build().vmlinux.read_bytes()


def test_two_builds_of_one_folder_at_once_make_one_kernel(bench: Bench) -> None:
    results: list[Kernel] = []
    threads = [threading.Thread(target=lambda: results.append(bench.build())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1]
    assert bench.calls().count("vmlinux") == 1


def test_a_make_left_behind_by_a_killed_run_is_waited_for(bench: Bench) -> None:
    out = out_folder(bench.source, "t")
    outfolder.log(out).parent.mkdir(parents=True)
    hold = (
        "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, outfolder.log(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as left_behind:
        assert left_behind.stdin and left_behind.stdout
        left_behind.stdout.readline()
        stdin = left_behind.stdin

        def let_go(text: str) -> None:
            stdin.write("\n")
            stdin.flush()

        said = Said(on_note=let_go)
        assert bench.build(said)
    assert "waiting for an earlier make" in said.notes[0]


def test_make_sees_no_secret_and_no_network(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_TOKEN", "secret")
    bench.edit(
        "Makefile",
        "tinyconfig defconfig",
        "spy:\n\ntinyconfig: spy\nspy: ; @env; cat /proc/net/dev\ntinyconfig defconfig",
    )
    bench.build()
    log = (outfolder.log(out_folder(bench.source, "t"))).read_text()
    assert "KBUILD_BUILD_USER=wpci" in log and "CI_TOKEN" not in log
    interfaces = {line.split(":")[0].strip() for line in log.splitlines() if line.count("0 ") > 8 and ":" in line}
    assert interfaces <= {"lo"}


def loaded(path: Path, to: Path) -> bytes:
    """Return all that an ELF file has in memory but its build id."""
    subprocess.run(["objcopy", "-O", "binary", "-R", ".note.gnu.build-id", path, to], check=True)
    return to.read_bytes()


def symbols(path: Path) -> set[tuple[str, str]]:
    """Return address and name of each symbol. Its letter says what kind of section it is in, and one has none."""
    rows = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines()
    return {(words[0], words[2]) for words in map(str.split, rows)}


def test_a_kernel_with_debug_information_boots_what_it_is_without(bench: Bench, tmp_path: Path) -> None:
    plain = bench.build()
    bench.fragment.write_text(FRAGMENT + "CONFIG_DEBUG_INFO=y\n")
    described = bench.build()
    assert (plain.vmlinux, described.image) == (plain.image, described.vmlinux.with_name("vmlinux"))
    assert loaded(plain.image, tmp_path / "a") == loaded(described.image, tmp_path / "b")
    assert symbols(plain.image) == symbols(described.image) == symbols(described.vmlinux)
    assert abs(described.image.stat().st_size - plain.image.stat().st_size) < 200
    start = next(address for address, name in symbols(plain.vmlinux) if name == "start")
    places = subprocess.run(["addr2line", "-e", described.vmlinux, start], capture_output=True, text=True, check=True)
    assert "init/main.c:" in places.stdout


def test_the_folder_of_a_build_is_not_in_its_kernel(bench: Bench) -> None:
    """ccache hands on the object of whoever compiled it first: by the build id nobody may tell who that was."""
    bench.fragment.write_text(FRAGMENT + "CONFIG_DEBUG_INFO=y\n")
    other = Bench(bench.folder / "with-a-cache-of-its-own")
    shutil.copytree(bench.source, other.source)
    assert other.build(fragments=(bench.fragment,)).build_id == bench.build().build_id
