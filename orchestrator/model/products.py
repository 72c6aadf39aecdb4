"""What the stages of a job make, and what a result depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.model.bounds import WHOLE, Bounded
from orchestrator.model.words import Accel


@dataclass(frozen=True)
class Tree(Bounded):
    """A kernel source commit in a git repository of the cache.

    ``repository`` is the git directory, ``commit`` the commit to build, ``base`` the commit before any
    series, ``content`` the id of the git tree object (equal content, equal id), ``patches`` the subjects applied.
    ``owner`` is the digest of the series whose code it has, where it is not marked as trusted; else empty.
    ``lacking`` are the patches that its series names as applied before it, and that it does not have. ``source`` is the
    commit of its source where patches are part of the base, and the base is a commit of ours; else empty.
    """

    repository: Path
    commit: str
    base: str
    content: str
    label: str
    patches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    owner: str = ""
    lacking: tuple[str, ...] = ()
    source: str = ""

    @property
    def source_commit(self) -> str:
        """The commit of its source, which others have as well."""
        return self.source or self.base


@dataclass(frozen=True)
class CompilerWarning(Bounded):
    """One compiler warning; ``where`` is ``file:line``."""

    where: str
    text: str


@dataclass(frozen=True)
class Kernel(Bounded):
    """A built kernel. ``image`` is what QEMU loads, ``vmlinux`` what a debugger and the symboliser read.

    ``notes`` is the folder of its notes for gcov, where it counts what runs (CONFIG_GCOV_KERNEL).
    """

    key: str
    image: Path
    vmlinux: Path
    config: Path
    modules: Path | None
    release: str
    build_id: str
    sha256: str
    toolchain: str
    warnings: tuple[CompilerWarning, ...]
    log: Path
    notes: Path | None = None

    def is_same(self, other: Kernel) -> bool:
        """Whether two kernels are one to the byte; with modules nobody knows, for their code is not compared."""
        return self.sha256 == other.sha256 and not (self.modules or other.modules)


@dataclass(frozen=True)
class Programs(Bounded):
    """Test programs of one suite: ``directory`` is copied into the guest as it is."""

    suite: str
    directory: Path
    sha256: str


@dataclass(frozen=True)
class Rootfs(Bounded):
    """An initramfs and the key that opens an SSH session in it.

    ``sha256`` covers all but the keys, which are new in each run; ``host_key`` is the guest's public SSH key.
    ``programs`` are the names of the programs that were packed, by suite.
    """

    image: Path
    sha256: str
    identity: Path
    host_key: str = ""
    programs: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), metadata=WHOLE)


@dataclass(frozen=True)
class AccelFact(Bounded):
    """The accelerator that was chosen, and why. ``reason`` says what was tried when it is not KVM."""

    accel: Accel
    cpu: str
    qemu: str
    reason: str


@dataclass(frozen=True)
class Bootable:
    """All that a guest needs: a kernel, an initramfs, and the accelerator that it runs under."""

    kernel: Kernel
    rootfs: Rootfs
    accel: AccelFact


@dataclass(frozen=True)
class Products:
    """What the stages of a job made, as far as it came: what its result holds of them."""

    tree: Tree | None = None
    kernel: Kernel | None = None
    rootfs: Rootfs | None = None
    accel: AccelFact | None = None

    @property
    def bootable(self) -> Bootable | None:
        """What the guests of the job boot; None where it did not come so far."""
        if self.kernel and self.rootfs and self.accel:
            return Bootable(self.kernel, self.rootfs, self.accel)
        return None


@dataclass(frozen=True)
class Identity(Bounded):
    """What a result depends on; two results compare only where these agree.

    ``sandbox`` is what kept the programs of the tree in; empty for results of before that was written down. ``host`` is
    the processor, microcode and kernel of the host, which a guest under KVM meets; empty for an emulated one.
    """

    tree: str
    series: str | None
    config: str
    toolchain: str
    kernel: str
    accel: str
    cpu: str
    qemu: str
    machine: str
    rootfs: str
    sandbox: str = ""
    host: str = ""
