"""What travels holds no path of the submitter, and comes back as it was."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.engine import offer, order, portable
from orchestrator.engine.order import Packer
from orchestrator.engine.portable import Token
from orchestrator.engine.task import Place, Task
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.host.store import Store
from orchestrator.pipeline.values import Job, Patches
from orchestrator.series import series
from tests.fakes import engines, trees


@dataclass(frozen=True)
class Reads:
    """Work that reads a file and a folder of the submitter."""

    job: Job
    file: Path

    def __call__(self, place: Place) -> str:
        return self.file.read_text() + (self.job.suites[0][1].directory / "sub" / "t.sh").read_text()


parts = st.recursive(
    st.sampled_from(["jobs/a/log", "x", "a b/c"]).map(Path) | st.integers() | st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=8,
)


@given(parts)
def test_what_was_hidden_is_shown_again(value: object) -> None:
    def under(part: object) -> object:
        return Path("/run/of/one") / part if isinstance(part, Path) else part

    there = portable.mapped(value, under)
    hidden = portable.hidden(there, {"run": Path("/run/of/one"), "cache": Path("/cache")})
    assert "/run/of/one" not in repr(hidden)
    assert portable.shown(hidden, {"run": Path("/run/of/one")}) == there


def test_a_value_without_paths_is_the_same_object() -> None:
    job = engines.job()
    assert portable.mapped(job, lambda part: part) is job


def test_an_order_names_nothing_of_the_submitter_and_is_the_same_work_elsewhere(tmp_path: Path) -> None:
    tree = trees.git_tree(tmp_path / "mine" / "linux")
    folder = tmp_path / "mine" / "programs"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "t.sh").write_text("two")
    (folder / "sub" / "t.sh").chmod(0o755)
    (tmp_path / "mine" / "one.config").write_text("one ")
    job = engines.job()
    variant = job.variant_config.model_copy(
        update={"base": str(tmp_path / "mine" / "one.config"), "fragments": (tmp_path / "mine" / "one.config",)}
    )
    source = job.source.model_copy(update={"path": tree})
    (tmp_path / "mine" / "a.diff").write_text("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n")
    patches = Patches(series.load(tmp_path / "mine" / "a.diff"))
    job = replace(
        job, source=source, variant_config=variant, suites=(("own", Suite(directory=folder)),), patches=patches
    )
    store, here = Store((tmp_path / "store").as_uri()), engines.workspace(tmp_path / "mine")
    packer = Packer(here, store, "topic")
    made = packer.order(0, Task("t", job, Reads(job, tmp_path / "mine" / "one.config")))
    data = pickle.dumps(made)
    assert str(tmp_path / "mine").encode() not in data
    there = replace(engines.workspace(tmp_path / "worker"), store=store)
    work = order.unpacked(pickle.loads(data), there)
    assert isinstance(work, Reads) and work.file.is_relative_to(tmp_path / "worker")
    assert (work.job.suites[0][1].directory / "sub" / "t.sh").stat().st_mode & 0o777 == 0o755
    assert Path(work.job.variant_config.base).read_text() == "one "
    assert work.job.patches == patches
    assert work(None) == "one two"  # type: ignore[arg-type]
    (packed,) = packer._sources.values()
    assert packed.commit == trees.git(tree, "rev-parse", "HEAD") and packed.label == f"toy {packed.commit[:12]}"


def test_a_c_file_takes_along_what_it_includes(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "repro"
    (folder / "part").mkdir(parents=True)
    (folder / "repro.c").write_text('#include "part/size.h"\n#include "../common.h"\nint main(void) { return SIZE; }\n')
    (folder / "part" / "size.h").write_text("#define SIZE 3\n")
    (folder.parent / "common.h").write_text("")
    suite = Suite(kind="program", programs=(ProgramConfig(name="it", file=folder / "repro.c"),))
    store = Store((tmp_path / "store").as_uri())
    packed = Packer(engines.workspace(tmp_path / "mine"), store, "topic")._packed(suite)
    there: Suite = order.with_inputs(packed, store, engines.workspace(tmp_path / "worker"))
    file = there.programs[0].file
    assert file and file.name == "repro.c" and file.is_relative_to(tmp_path / "worker")
    assert (file.parent / "part" / "size.h").read_text() == "#define SIZE 3\n"
    assert (file.parent / ".." / "common.h").is_file()


def test_an_input_that_is_used_is_not_old(tmp_path: Path) -> None:
    """By its age it is removed (``prune.kernels``), and an order that waits for its turn does not hold the cache."""
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "a.config").write_text("one")
    os.utime(tmp_path / "inputs", (10**9, 10**9))
    store, space = Store((tmp_path / "store").as_uri()), engines.workspace(tmp_path / "worker")
    store.put("inputs", "key", tmp_path / "inputs")
    for _ in range(2):
        file = order.with_inputs(Token("input", "key/a.config").path, store, space)
        assert file.read_text() == "one" and time.time() - file.parent.stat().st_mtime < 3600
        os.utime(file.parent, (10**9, 10**9))


def test_a_store_that_the_worker_does_not_see_is_named(tmp_path: Path) -> None:
    work = Token("input", f"{'0' * 64}/name").path
    with pytest.raises(InfraError, match="do all hosts share it"):
        order.with_inputs(work, Store((tmp_path / "elsewhere").as_uri()), engines.workspace(tmp_path))


@pytest.mark.parametrize("kind", [UserError, InfraError, KernelError])
def test_a_fault_is_the_same_fault_elsewhere(kind: type[PipelineError]) -> None:
    back = pickle.loads(pickle.dumps(order.Fault.of(kind("why", log=Path("/log"))))).error()
    assert (type(back), str(back), back.log) == (kind, "why", Path("/log"))


GIB = 2.0**30
OFFERS = [{"cores": 4, "memory": 8 * GIB, "kvm": 0}, {"cores": 2, "memory": 16 * GIB, "kvm": 1}]


@pytest.mark.parametrize(
    ("need", "words"),
    [
        ({"cores": 2, "memory": GIB}, ""),
        ({"cores": 2, "memory": GIB, "kvm": 1e-6}, ""),
        ({"cores": 2, "memory": 32 * GIB}, "no worker has 32.0 GiB of memory for a guest (the most is 16.0)"),
        ({"cores": 8, "memory": GIB}, "no worker has 8 cores (the most is 4)"),
        (
            {"cores": 4, "memory": 16 * GIB},
            "no worker has all of 4 cores (the most is 4), 16.0 GiB of memory for a guest (the most is 16.0) at once",
        ),
    ],
)
def test_what_no_worker_has_is_named(need: dict[str, float], words: str) -> None:
    assert offer.lacking(need, OFFERS) == words


def test_kvm_is_a_need_where_nothing_else_will_do() -> None:
    job = engines.job()
    kvm = replace(job, variant_config=job.variant_config.model_copy(update={"accel": "kvm"}))
    assert "kvm" not in offer.need(job, OFFERS) and offer.need(kvm, OFFERS)["kvm"] > 0
    assert offer.lacking(offer.need(kvm, OFFERS), OFFERS[:1]) == "no worker has a KVM that a guest has proven"
