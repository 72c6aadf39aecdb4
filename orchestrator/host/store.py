"""A store that several machines share, by fsspec URL: inputs, sources and kernels under the keys of the cache.

Where other bytes lie under a key than were put there, it counts as missing, and goes. Whoever makes a product claims
its key first, by creating a file that was not there.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from orchestrator.errors import InfraError, UserError
from orchestrator.host import packing, process, store_object
from orchestrator.host.disk import new_directory
from orchestrator.host.process import Deadline

T = TypeVar("T")

_PROOF = 60.0
"""Seconds in which a store must answer at first."""


@dataclass(frozen=True)
class Store:
    """Objects by kind and key. Every operation ends within ``patience`` seconds or with an InfraError.

    A claim that was not renewed for ``dead_after`` seconds is a dead owner's.
    """

    url: str
    patience: float = 1800.0
    dead_after: float = 60.0

    def prove(self) -> None:
        """See that the store answers and that claims hold there, before a run whose jobs would each wait for it.

        Raises InfraError, and UserError where there is no such bucket.
        """
        quick = replace(self, patience=min(self.patience, _PROOF))
        quick.has("claims", "none")
        quick._within(lambda fs, root: store_object.prove(fs, f"{root}/claims"), "write there")

    def has(self, kind: str, key: str) -> bool:
        """Whether there is something under a key, which is then as good as used. Raises InfraError."""
        return self._within(lambda fs, root: store_object.has(fs, f"{root}/{kind}/{key}"), f"look for {kind}/{key}")

    def put_file(self, kind: str, key: str, file: Path) -> None:
        """Put the bytes of a file under a key, whole or not at all. Raises InfraError."""
        header = store_object.header(file)
        self._within(lambda fs, root: store_object.put(fs, f"{root}/{kind}/{key}", header, file), f"write {kind}/{key}")

    def get_file(self, kind: str, key: str, to: Path) -> bool:
        """Write what lies under a key into a file; False where there is nothing, or not what was put.

        Raises InfraError.
        """
        return self._within(lambda fs, root: store_object.get(fs, f"{root}/{kind}/{key}", to), f"read {kind}/{key}")

    def put(self, kind: str, key: str, folder: Path) -> None:
        """Put what is in a folder under a key. Raises InfraError."""
        packed = folder.with_name(f".put-{secrets.token_hex(4)}")
        try:
            packing.pack(folder, packed, folder)
            self.put_file(kind, key, packed)
        except OSError as error:
            raise InfraError(f"cannot pack {folder}: {error.strerror or error}") from error
        finally:
            packed.unlink(missing_ok=True)

    def get(self, kind: str, key: str, folder: Path) -> bool:
        """Make ``folder`` hold what ``put`` took; False where that is not there. Raises InfraError."""
        packed = folder.with_name(f".get-{secrets.token_hex(4)}")
        try:
            if not self.get_file(kind, key, packed):
                return False
            with new_directory(folder) as scratch, packed.open("rb") as archive:
                packing.unpack(archive, scratch)
            return True
        finally:
            packed.unlink(missing_ok=True)

    def claim(self, kind: str, key: str) -> Claim | None:
        """Claim a key for whoever makes what belongs there; None where another one has. Raises InfraError."""
        claim = Claim(self, f"{kind}-{key}", f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}")
        return claim if claim.taken() else None

    def claimed_by(self, kind: str, key: str) -> str:
        """Return what the claim on a key says now; empty where there is none. Raises InfraError."""
        return self._within(
            lambda fs, root: store_object.text(fs, f"{root}/claims/{kind}-{key}"), f"read the claim of {kind}/{key}"
        )

    def drop_claim(self, kind: str, key: str) -> None:
        """Take a dead owner's claim away. Raises InfraError."""
        self._within(
            lambda fs, root: store_object.remove(fs, f"{root}/claims/{kind}-{key}"), f"drop the claim of {kind}/{key}"
        )

    def _within(self, act: Callable[[Any, str], T], what: str) -> T:
        """Do something with the store in a thread, and wait no longer than for the patience of the store."""
        answer: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

        def work() -> None:
            try:
                fs, root = fsspec.core.url_to_fs(self.url)
                answer.put(act(fs, root))
            except BaseException as error:
                answer.put(error)

        threading.Thread(target=work, daemon=True).start()
        outcome = self._awaited(answer, what)
        if isinstance(outcome, ImportError | ValueError | UserError):
            raise UserError(f"store {self.url}: {outcome}") from outcome
        if isinstance(outcome, Exception):
            reason = getattr(outcome, "strerror", None) or str(outcome) or type(outcome).__name__
            raise InfraError(f"the store {self.url}: cannot {what}: {reason}") from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _awaited(self, answer: queue.SimpleQueue[T | BaseException], what: str) -> T | BaseException:
        deadline = Deadline.after(self.patience)
        while not deadline.expired:
            process.check_wanted()
            with contextlib.suppress(queue.Empty):
                return answer.get(timeout=min(0.5, deadline.remaining))
        raise InfraError(f"the store {self.url}: cannot {what}: nothing came of it in {self.patience:.0f} s")


@dataclass
class Claim:
    """A claim on a key; it is renewed for as long as the block lasts, and gone afterwards."""

    store: Store
    name: str
    owner: str
    _over: threading.Event = field(default_factory=threading.Event)

    def taken(self) -> bool:
        """Create the file of the claim; False where it is there."""

        def create(fs: Any, root: str) -> bool:
            store_object.make_folder(fs, f"{root}/claims")
            try:
                store_object.create(fs, f"{root}/claims/{self.name}", self._text(0))
            except FileExistsError:
                return False
            return True

        return self.store._within(create, f"claim {self.name}")

    def __enter__(self) -> Claim:
        threading.Thread(target=self._renew, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(InfraError):
            self.store._within(
                lambda fs, root: store_object.remove(fs, f"{root}/claims/{self.name}"), f"release {self.name}"
            )

    def _renew(self) -> None:
        beat = 0
        while not self._over.wait(self.store.dead_after / 4):
            beat += 1
            with contextlib.suppress(InfraError):
                self.store._within(functools.partial(self._write, beat), f"renew {self.name}")

    def _write(self, beat: int, fs: Any, root: str) -> None:
        if not self._over.is_set():
            fs.pipe_file(f"{root}/claims/{self.name}", self._text(beat))

    def _text(self, beat: int) -> bytes:
        return json.dumps({"owner": self.owner, "beat": beat}).encode()
