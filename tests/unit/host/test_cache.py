"""The cache: whole or absent, and one at a time."""

import contextlib
import hashlib
import os
import re
import threading
from pathlib import Path

import pytest

from orchestrator.errors import Cancelled, InfraError, UserError
from orchestrator.host import cache, process
from orchestrator.host.cache import Cache
from orchestrator.kbuild import outfolder
from orchestrator.progress import SILENT, Progress


def test_a_file_is_read_again_only_where_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, read = tmp_path / "file", list[Path]()
    plain = cache._sha256

    def counted(path: Path) -> bytes:
        read.append(path)
        return plain(path)

    monkeypatch.setattr(cache, "_sha256", counted)
    file.write_bytes(b"ab")
    assert cache.sha256(file) == cache.sha256(file) and len(read) == 2, "it may have changed within a tick of the clock"
    monkeypatch.setattr(cache, "_SAME_TIMES", -1)
    assert cache.sha256(file) == cache.sha256(file) and len(read) == 3
    times = file.stat()
    file.write_bytes(b"ba")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cache.sha256(file) == hashlib.sha256(b"ba").digest() and len(read) == 4


def test_the_digest_depends_on_each_part_and_their_borders(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("ab")
    assert cache.digest("a", "b") != cache.digest("ab")
    assert cache.digest(file) == cache.digest(b"ab")


def test_a_lock_is_held_against_others(tmp_path: Path) -> None:
    class Heard:
        lines: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.lines.append(text)
            raise InterruptedError

        def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None: ...

    store = Cache(tmp_path)
    with store.lock("tree", SILENT), pytest.raises(InterruptedError), store.lock("tree", Heard()):
        raise AssertionError("two holders at once")
    assert Heard.lines == ["waiting for another run that uses tree"]
    with store.lock("tree", SILENT):
        assert (tmp_path / "locks" / "tree").exists()


@pytest.mark.parametrize("log", [False, True])
def test_who_waits_for_a_lock_ends_when_the_work_is_not_wanted_any_more(tmp_path: Path, log: bool) -> None:
    """Ctrl-C reaches the main thread alone, and no other may wait for ever."""
    group, waits, ended = process.ChildGroup(), threading.Event(), list[type[BaseException]]()

    class Heard:
        def note(self, text: str) -> None:
            waits.set()

        def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None: ...

    def locked(progress: Progress) -> contextlib.AbstractContextManager[object]:
        path = tmp_path / "locks" / "tree"
        return outfolder.locked(path, progress) if log else Cache(tmp_path).lock("tree", progress)

    def work() -> None:
        process.use_group(group)
        try:
            with locked(Heard()):
                pass
        except BaseException as error:
            ended.append(type(error))

    with locked(SILENT):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert waits.wait(60)
        group.cut()
        thread.join(60)
        assert ended == [Cancelled]


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WPCI_CACHE", str(tmp_path / "mine"))
    assert Cache.default().root == tmp_path / "mine"
    monkeypatch.delenv("WPCI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache.default().root == tmp_path / "wpci"


@pytest.mark.parametrize("odd", " \t:$'\"\\`#;&()|<>%,*?[")
def test_a_path_that_make_or_a_shell_takes_apart_is_no_cache_for_builds(odd: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"has {odd!r} in its path, which make takes apart: name another in")):
        Cache(Path(f"/home/a{odd}b/wpci")).check_for_builds()


def test_a_path_of_other_characters_is_a_cache_for_builds() -> None:
    Cache(Path("/home/~a]b=c@d+h^i!j{k}ü/.cache/wpci")).check_for_builds()


def filled(root: Path) -> Cache:
    for name in (
        "work/a/base",
        "kernels/key/vmlinux",
        "programs/p",
        "rootfs/r",
        "sources/s",
        "ccache/0",
        "store/k/s",
        "shared/k/s",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 1000)
    return Cache(root)


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_clean_takes_what_can_be_built_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert store.clean() == f"removed kernels, programs, rootfs, shared, store, work from {tmp_path}: 0.0 GiB"
    assert names(tmp_path) == ["ccache", "locks", "sources"]
    assert store.clean() == f"removed nothing from {tmp_path}: 0.0 GiB"


def test_clean_all_leaves_the_locks_alone(tmp_path: Path) -> None:
    filled(tmp_path).clean(everything=True)
    assert names(tmp_path) == ["locks"]


@pytest.mark.parametrize("everything", [False, True])
def test_clean_removes_nothing_while_a_run_is_going_on(tmp_path: Path, everything: bool) -> None:
    store = filled(tmp_path)
    before = names(tmp_path)
    with store.in_use(SILENT), pytest.raises(InfraError, match=r"in use by a run .* nothing was removed"):
        store.clean(everything=everything)
    with store.lock("out-1", SILENT), pytest.raises(InfraError, match="nothing was removed"):
        store.clean(everything=everything)
    assert sorted({*before, "locks"}) == names(tmp_path)
    store.clean(everything=everything)
    assert "kernels" not in names(tmp_path)


def test_two_cleans_at_once_do_not_meet(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with store.unused(), pytest.raises(InfraError, match="nothing was removed"):
        store.clean()
    assert "kernels" in names(tmp_path)


def test_a_run_waits_for_a_removal_and_says_so(tmp_path: Path) -> None:
    store, notes, entered = filled(tmp_path), [], threading.Event()

    class Notes:
        def note(self, text: str) -> None:
            notes.append(text)
            entered.set()

        def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
            raise AssertionError

    done = threading.Event()

    def use() -> None:
        with store.in_use(Notes()):
            done.set()

    with store.unused():
        thread = threading.Thread(target=use)
        thread.start()
        assert entered.wait(60) and not done.is_set()
    thread.join(60)
    assert done.is_set() and notes == [f"waiting for the removal of what is in {tmp_path}"]


def test_what_a_killed_clean_left_has_no_name_and_goes_with_the_next(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "kernels").rename(tmp_path / ".removed.kernels")
    filled(tmp_path)
    store.clean()
    assert names(tmp_path) == ["ccache", "locks", "sources"]
