"""What is looked for on a machine, by the architectures that its pipeline builds for."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.arch import DEFAULT
from orchestrator.host import doctor, packages, process
from orchestrator.host.cache import Cache


def test_the_emulators_of_the_configured_architectures_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "PACKAGES", {**packages.PACKAGES, "qemu-system-no-such": packages.Package(*"abc")})
    other = replace(DEFAULT, name="other", qemu="qemu-system-no-such", triplet="no-such-gnu")
    found = {finding.what: finding for finding in doctor.examine(Cache(tmp_path), [other])}
    assert not found["qemu-system-no-such"].ok and found["qemu-system-no-such"].needed
    assert DEFAULT.qemu not in found
    both = {finding.what for finding in doctor.examine(Cache(tmp_path), [DEFAULT, other])}
    assert {DEFAULT.qemu, other.qemu} <= both


def test_what_builds_a_cage_is_installed_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not needed for a run, but for `wpci validate`."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(process.sandbox, "obstacle", process.sandbox.obstacle.__wrapped__)
    (cage,) = (finding for finding in doctor.examine(Cache(tmp_path), []) if finding.what == "cage")
    assert not cage.ok and not cage.needed and "bubblewrap" in packages.install([str(cage.lacks)])


def test_the_linker_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where gcc is there and binutils is not, a run ends at its first build."""
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "ld" else f"/usr/bin/{name}")
    missing = {f.what: f for f in doctor.examine(Cache(tmp_path), [DEFAULT])}["ld"]
    assert missing.needed and not missing.ok and "binutils" in packages.install([str(missing.lacks)], "debian")


def test_every_program_of_a_guest_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that finds out behind its build that one is missing was in vain."""
    monkeypatch.setattr(packages, "SFTP_SERVERS", ("/nonexistent/sftp-server",))
    missing = {f.what: f for f in doctor.examine(Cache(tmp_path), [DEFAULT])}["sftp-server"]
    assert missing.needed and not missing.ok and missing.detail == "missing: Debian package openssh-sftp-server"
    assert "openssh-sftp-server" in packages.install([str(missing.lacks)], "debian")


def test_without_drgn_it_is_said_what_is_lost_and_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    missing = {f.what: f for f in doctor.examine(Cache(tmp_path), [DEFAULT])}["python drgn"]
    assert not missing.ok and not missing.needed
    assert missing.detail == "missing: guests that die or hang are not looked at (pip install drgn)"


def test_a_user_without_a_name_has_no_shell_in_a_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSH asks the password file, and takes nothing else for it."""
    assert {f.what: f for f in doctor.examine(Cache(tmp_path), [])}["user"].detail == pwd.getpwuid(os.getuid()).pw_name

    def lacks(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", lacks)
    user = {f.what: f for f in doctor.examine(Cache(tmp_path), [])}["user"]
    assert not user.ok and not user.needed and "`wpci shell`" in user.detail
