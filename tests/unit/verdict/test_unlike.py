"""Two results that were not made alike say in what."""

from __future__ import annotations

import dataclasses

from orchestrator.verdict import comparison
from tests.fakes.results import IDENTITY


def test_what_must_agree_is_named_where_it_does_not() -> None:
    kvm = dataclasses.replace(IDENTITY, accel="kvm", cpu="host", host="Xeon, Linux 6.12")
    assert comparison.unlike(kvm, dataclasses.replace(kvm, kernel="another", rootfs="another")) == ()
    assert comparison.unlike(kvm, dataclasses.replace(kvm, host="EPYC, Linux 6.12")) == (
        "processor or kernel of the host",
    )
    assert comparison.unlike(IDENTITY, kvm) == ("accelerator", "CPU model", "processor or kernel of the host")
