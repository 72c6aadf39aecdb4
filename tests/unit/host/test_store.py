"""A store that is shared: whole or not there, one maker a product, and a fault is a line and no verdict."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile

from orchestrator.errors import InfraError, UserError
from orchestrator.host.store import Store


class Broken(MemoryFileSystem):  # type: ignore[misc]
    """A store that is full, or slow."""

    protocol = "broken"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    full = False
    slow = 0.0

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        time.sleep(type(self).slow)
        if type(self).full and mode != "rb":
            raise OSError(28, "No space left on device")
        return super()._open(path, mode, **more)


fsspec.register_implementation("broken", Broken, clobber=True)


class Ranged(AbstractBufferedFile):  # type: ignore[misc]
    """A file that is read in ranges, as fsspec reads those of S3."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(self.fs.cat_file(self.path, start, end))


class Objects(MemoryFileSystem):  # type: ignore[misc]
    """A store of objects that are read in ranges."""

    protocol = "objects"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        return Ranged(self, path, mode) if mode == "rb" and self.exists(path) else super()._open(path, mode, **more)


fsspec.register_implementation("objects", Objects, clobber=True)


@pytest.fixture(params=["file", "memory", "objects"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    where = (tmp_path / "store").as_uri() if request.param == "file" else f"{request.param}://{tmp_path}"
    return Store(where, patience=20.0, dead_after=0.4)


def folder(path: Path) -> Path:
    (path / "sub").mkdir(parents=True)
    (path / "one").write_text("one")
    (path / "sub" / "two").write_text("two")
    (path / "sub" / "two").chmod(0o755)
    return path


def test_a_folder_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    store.put("kernels", "key", folder(tmp_path / "given"))
    assert store.has("kernels", "key") and not store.has("kernels", "other")
    assert store.get("kernels", "key", tmp_path / "back")
    assert (tmp_path / "back" / "one").read_text() == "one"
    assert (tmp_path / "back" / "sub" / "two").stat().st_mode & 0o777 == 0o755
    assert not store.get("kernels", "other", tmp_path / "nothing") and not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("use", ["has", "get_file"])
def test_an_object_in_a_folder_is_as_old_as_its_last_use(use: str, tmp_path: Path) -> None:
    store, given, lies = Store((tmp_path / "store").as_uri()), tmp_path / "given", tmp_path / "store/inputs/key"
    given.write_text("one")
    store.put_file("inputs", "key", given)
    os.utime(lies, (1, 1))
    assert store.has("inputs", "key") if use == "has" else store.get_file("inputs", "key", tmp_path / "back")
    assert lies.stat().st_mtime > 1


@pytest.mark.parametrize("damage", ["cut", "flip", "other", "empty", "header"])
def test_wrong_bytes_under_a_key_are_no_product(damage: str, tmp_path: Path) -> None:
    store = Store((tmp_path / "store").as_uri())
    store.put("kernels", "key", folder(tmp_path / "given"))
    lies = tmp_path / "store" / "kernels" / "key"
    data = lies.read_bytes()
    changed = {"cut": data[:-1], "flip": data[:-9] + b"x" + data[-8:], "other": b"a web page", "empty": b""}
    lies.write_bytes(changed.get(damage, data.replace(b"store 1", b"store 2", 1)))
    assert not store.get("kernels", "key", tmp_path / "back")
    assert not (tmp_path / "back").exists() and not store.has("kernels", "key"), "who looks next makes it anew"


def test_a_key_is_claimed_by_one(store: Store) -> None:
    won: list[object] = []
    barrier = threading.Barrier(8)

    def contend() -> None:
        barrier.wait()
        if claim := store.claim("kernels", "key"):
            won.append(claim)

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_claim_is_seen_to_live_and_is_gone_afterwards(store: Store) -> None:
    claim = store.claim("kernels", "key")
    assert claim and store.claim("kernels", "key") is None
    with claim:
        first = store.claimed_by("kernels", "key")
        assert str(os.getpid()) in first
        end = time.monotonic() + 20
        while store.claimed_by("kernels", "key") in (first, "") and time.monotonic() < end:
            time.sleep(0.02)
        assert store.claimed_by("kernels", "key") != first
    assert store.claimed_by("kernels", "key") == "" and store.claim("kernels", "key")


def test_a_store_that_is_full_says_so_and_has_no_half(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = Store("broken://full")
    store.put("kernels", "key", folder(tmp_path / "given"))
    monkeypatch.setattr(Broken, "full", True)
    with pytest.raises(InfraError, match="cannot write kernels/new: No space left on device"):
        store.put("kernels", "new", tmp_path / "given")
    assert not store.has("kernels", "new") and store.get("kernels", "key", tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "given"]


def test_a_store_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = Store("broken://slow", patience=0.3)
    monkeypatch.setattr(Broken, "slow", 5.0)
    with pytest.raises(InfraError, match="nothing came of it in 0 s"):
        store.put("kernels", "key", folder(tmp_path / "given"))


def test_a_store_that_there_is_none_of_is_the_users_fault() -> None:
    with pytest.raises(UserError, match="store nosuch://x"):
        Store("nosuch://x").has("kernels", "key")


class Lax(Objects):
    """A store that does not know of creation without overwriting."""

    protocol = "lax"

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: Any) -> None:
        super().pipe_file(path, value, mode="overwrite", **more)


fsspec.register_implementation("lax", Lax, clobber=True)


def test_a_store_that_gives_one_claim_to_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="lets two create one object: no claim holds there"):
        Store(f"lax://{tmp_path}", patience=20.0).prove()


def test_a_store_is_proven_by_what_is_gone_afterwards(store: Store) -> None:
    store.prove()
    fs, root = fsspec.core.url_to_fs(store.url)
    assert fs.ls(f"{root}/claims") == []


def test_a_store_that_is_full_is_told_when_it_is_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Broken, path: str, value: bytes, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Broken, "pipe_file", full)
    with pytest.raises(InfraError, match="cannot write there: No space left on device"):
        Store(f"broken://{tmp_path}", patience=20.0).prove()
