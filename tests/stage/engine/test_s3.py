"""A store at s3://, against a server on loopback that speaks S3 (moto): whole objects, one maker, a fault is a line."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import requests
import s3fs
from moto.server import ThreadedMotoServer

from orchestrator.engine import local_cluster
from orchestrator.errors import InfraError, UserError
from orchestrator.host.cache import Cache
from orchestrator.host.store import Store
from tests.fakes.lab import lab
from tests.stage.engine.test_cluster import Farm

BUCKET = "lab"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a server with one bucket; the account is in the environment, as a user has it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wpci")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wpci")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket=BUCKET)
    yield address
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_what_was_put_comes_back_whole(endpoint: str, tmp_path: Path) -> None:
    store = Store(f"s3://{BUCKET}/wpci", patience=60.0)
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "vmlinux").write_bytes(bytes(range(256)) * 30_000)
    store.put("kernels", "key", tmp_path / "kernel")
    assert store.has("kernels", "key") and not store.has("kernels", "other")
    assert store.get("kernels", "key", tmp_path / "back")
    assert (tmp_path / "back" / "vmlinux").read_bytes() == bytes(range(256)) * 30_000
    client = boto3.client("s3", endpoint_url=endpoint)
    client.put_object(Bucket=BUCKET, Key="wpci/kernels/key", Body=b"lies")
    assert not store.get("kernels", "key", tmp_path / "lies") and not store.has("kernels", "key")


def test_one_of_many_has_the_claim(endpoint: str) -> None:
    store = Store(f"s3://{BUCKET}/wpci", patience=60.0)
    won: list[bool] = []
    begin = threading.Barrier(6)

    def contend() -> None:
        begin.wait()
        won.append(store.claim("kernels", "key") is not None)

    threads = [threading.Thread(target=contend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 5 + [True]


def test_a_claim_is_one_put(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    call = s3fs.S3FileSystem._call_s3

    async def counted(self: s3fs.S3FileSystem, method: str, *more: object, **named: object) -> object:
        sent.append(method)
        return await call(self, method, *more, **named)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    store = Store(f"s3://{BUCKET}/wpci", patience=60.0)
    assert store.claim("kernels", "one") is not None
    assert sent == ["put_object"]
    assert store.claim("kernels", "one") is None


@pytest.mark.parametrize("act", ["prove", "claim", "put"])
def test_a_bucket_that_is_not_there_is_never_made(endpoint: str, tmp_path: Path, act: str) -> None:
    store = Store("s3://nosuch/wpci", patience=60.0)
    (tmp_path / "kernel").mkdir()
    if act == "prove":
        with pytest.raises(UserError, match=r"^store s3://nosuch/wpci: there is no bucket nosuch$"):
            store.prove()
    else:
        with pytest.raises(InfraError, match=r"the store s3://nosuch/wpci: cannot .*bucket does not exist"):
            store.claim("kernels", "key") if act == "claim" else store.put("kernels", "key", tmp_path / "kernel")
    listed = boto3.client("s3", endpoint_url=endpoint).list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in listed] == [BUCKET]


def test_a_night_whose_bucket_is_not_there_is_refused_before_any_job(endpoint: str, tmp_path: Path) -> None:
    farm = on_s3(tmp_path)
    path = tmp_path / "pipeline.yaml"
    path.write_text(path.read_text().replace(f"s3://{BUCKET}/n", "s3://nosuch/n"))
    code, output = farm.night()
    assert code == 2 and "\nwpci: store s3://nosuch/n: there is no bucket nosuch\n" in output, output
    assert "toy.one" not in output


def test_nobody_at_the_endpoint_is_said_before_any_job(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, output = on_s3(tmp_path).night()
    assert code == 3 and re.search(r"^wpci: the store s3://lab/n: cannot look for \S+: .*127\.0\.0\.1:9", output, re.M)
    assert "Traceback" not in output and "toy.one" not in output, output


def test_a_wrong_account_is_said_before_any_job(endpoint: str) -> None:
    requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=60)
    try:
        with pytest.raises(InfraError, match=r"the store s3://lab/wpci: cannot look for claims/none: "):
            Store(f"s3://{BUCKET}/wpci").prove()
    finally:
        requests.post(f"{endpoint}/moto-api/reset-auth", data="inf", timeout=60)


def test_the_workers_of_this_machine_have_the_account(endpoint: str, tmp_path: Path) -> None:
    assert local_cluster._environment(Cache(tmp_path))["AWS_ENDPOINT_URL"] == endpoint


def on_s3(folder: Path) -> Farm:
    """Make a farm of two workers on this machine, with a store at the server."""
    farm = Farm(folder)
    farm.variants("")
    path = folder / "pipeline.yaml"
    engine = f"engine: {{dask: {{workers: 2}}, store: 's3://{BUCKET}/n'}}"
    path.write_text(path.read_text().replace("engine: local", engine))
    return farm


@pytest.mark.nightly
def test_a_night_with_a_store_at_s3_has_the_verdicts_of_this_machine(endpoint: str, tmp_path: Path) -> None:
    farm = on_s3(tmp_path)
    code, output = farm.night()
    assert code == 0, output
    elsewhere = farm.verdicts()
    assert boto3.client("s3", endpoint_url=endpoint).list_objects_v2(Bucket=BUCKET)["KeyCount"] > 0
    assert elsewhere == farm.here()


class Relay:
    """A way to the server that can be held up: connections stand, and nothing comes."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.open = threading.Event()
        self.open.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                there = socket.create_connection((self.upstream.hostname, self.upstream.port))
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.open.wait()
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@pytest.mark.nightly
def test_a_store_that_falls_silent_in_a_night_loses_nothing_and_the_night_goes_on_later(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL", relay.address)
    farm = Farm(tmp_path)
    with lab(tmp_path / "lab", farm.environment) as running:
        running.start_worker("a", part=f"1/{len(os.sched_getaffinity(0))}")  # one core: one job at a time
        running.await_worker("a")
        farm.lab = running
        farm.variants("")
        path = tmp_path / "pipeline.yaml"
        text = path.read_text().replace(f"store: '{running.store}'", f"store: 's3://{BUCKET}/n', patience: 4s")
        path.write_text(text)
        farm.day("holds T01 go")
        with farm.begin() as child:
            running.at_work("toy.one", "own/*.ktap")
            relay.open.clear()
            running.let_go("go")
            output, _ = child.communicate()
        assert child.returncode == 3 and "Traceback" not in output, output
        assert f"the store s3://{BUCKET}/n: cannot look for" in " ".join(output.split())
        first = farm.last
        assert [(name, verdict) for name, verdict, _ in farm.verdicts()] == [("toy.one", "pass")], output
        assert farm.result()["missing"] == ["toy.two", "toy.three"] and "did not run: toy.three" in output
        relay.open.set()
        code, output = farm.night("--continue")
        assert code == 0 and farm.last == first and farm.result()["missing"] == [], output
        assert [(name, verdict) for name, verdict, _ in farm.verdicts()] == [
            (f"toy.{name}", "pass") for name in farm.names
        ]
