"""What runs beside what, and what properties are tried with.

Each file of tests is one worker's, and the boot ring, which shares its kernels, is too. A property takes the same
examples in every run of `make test`, and as long as it needs: what a change is told must be about that change. To look
for new examples: ``pytest tests/unit --hypothesis-profile=explore``.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1500, deadline=None)
settings.load_profile("gate")


class Rings(LoadFileScheduling):  # type: ignore[misc, unused-ignore]
    """Hand out whole files, and the boot ring as if it were one."""

    def _split_scope(self, nodeid: str) -> str:
        return "boot" if nodeid.startswith("tests/boot/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Rings:
    """Take this scheduler wherever there are workers (``-n``)."""
    return Rings(config, log)
