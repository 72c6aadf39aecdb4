"""What runs beside what: each file of tests is one worker's, and the boot ring, which shares its kernels, is too."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling


class Rings(LoadFileScheduling):  # type: ignore[misc, unused-ignore]
    """Hand out whole files, and the boot ring as if it were one."""

    def _split_scope(self, nodeid: str) -> str:
        return "boot" if nodeid.startswith("tests/boot/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Rings:
    """Take this scheduler wherever there are workers (``-n``)."""
    return Rings(config, log)
