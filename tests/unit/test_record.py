"""What a job expects of its tests on the kernel that it built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator import plan, record
from orchestrator.config import Pipeline
from orchestrator.model import Kernel, Status

EXPECTED = "columns: [stock]\ntests: {S01: {stock: pass}}\nneeds: {SWAP: [S01]}\n"


def test_what_a_kernel_lacks_is_expected_to_be_skipped(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(EXPECTED)
    pipeline = Pipeline.model_validate(
        {
            "trees": {"old": {"source": {"provider": "path", "path": "/old"}, "expect": "stock"}},
            "variants": {"small": {}},
            "suites": {"uffd": {"directory": "/tests", "expected": tmp_path / "e.yaml"}},
            "modes": {"smoke": {"trees": ["old"], "variants": ["small"], "suites": ["uffd"]}},
        }
    )
    (job,) = plan.expand(pipeline, "smoke").jobs
    for line, status in (
        ("CONFIG_SWAP=y", Status.PASS),
        ("CONFIG_SWAP=m", Status.PASS),
        ("# CONFIG_SWAP is not set", Status.SKIP),
        ("CONFIG_SWAPPER=y", Status.SKIP),
    ):
        (tmp_path / "config").write_text(f"CONFIG_64BIT=y\n{line}\n")
        assert record.expected(job, _kernel(tmp_path / "config"))["uffd"].of("S01", job.expect) is status
    assert record.expected(replace(job, suites=()), None) == {}
    assert record.expected(job)["uffd"].of("S01", job.expect) is Status.PASS


def _kernel(config: Path) -> Kernel:
    none = Path("/none")
    return Kernel("", none, none, config, None, "", "", "", "", (), none)
