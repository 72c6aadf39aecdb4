"""Open what a guest left, or a guest that runs, in drgn's shell."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.host import process, scratch
from orchestrator.model import JobResult, Kernel, rundir
from orchestrator.pipeline import reboot
from orchestrator.postmortem import look
from orchestrator.progress import Progress

_SHELL = "orchestrator.postmortem.shell"


def dump(job: JobResult, guest: str | None, expression: str) -> int:
    """Open drgn's shell on the dump of a guest, or evaluate one expression there; return drgn's exit code.

    Raises UserError where there is no dump, or it is gone.
    """
    chosen = _chosen(job, guest)
    if not chosen.exists():
        words = chosen.with_suffix(".txt")
        raise UserError(f"{chosen} is gone" + (f"; {words} has what was seen in it" if words.exists() else ""))
    return _open(f"core:{chosen}", _kernel(job), expression)


def live(job: JobResult, expression: str, progress: Progress) -> int:
    """Boot the guest of an earlier job again, and do the same while it runs."""
    kernel = _kernel(job)
    with scratch.folder(Path("/tmp")) as folder:  # a socket's address is short
        socket = folder / "look"
        extra = ("-chardev", f"socket,id=look,path={socket},server=on,wait=off", "-mon", "chardev=look,mode=control")
        with reboot.booted(job, progress, extra=extra, monitors=(folder,)) as (guest, rootfs):
            progress.note(f"the guest runs: ssh -p {guest.port} -i {rootfs.identity} root@127.0.0.1")
            return _open(f"qemu:{socket}", kernel, expression)


def _chosen(job: JobResult, guest: str | None) -> Path:
    """Return the dump that is meant: of a guest by the name of its folder, else the last one.

    The result names what was seen in time, once a stage has ended; the folder has all, also while the job is at work.
    """
    dumps = dict.fromkeys((*(seen.dump for seen in job.postmortems), *rundir.dumps(job.directory)))
    fitting = [dump for dump in dumps if guest in (None, dump.parent.name)]
    if not fitting:
        there = ", ".join(dict.fromkeys(dump.parent.name for dump in dumps)) or "none"
        raise UserError(f"{job.name}: there is no dump of {guest or 'a guest'}; guests that died or hung: {there}")
    return max(fitting, key=rundir.look_order)


def _kernel(job: JobResult) -> Kernel:
    """Return the kernel by which a guest of an earlier job is read. Raises UserError where drgn or that is gone."""
    if why := look.obstacle():
        raise UserError(why)
    kernel = job.products.kernel
    if kernel is None:
        raise UserError(f"{job.name}: that run did not come as far as a kernel")
    reboot.refuse_gone(job, kernel.vmlinux, kernel.config)
    return kernel


def _open(source: str, kernel: Kernel, expression: str) -> int:
    argv = [sys.executable, "-m", _SHELL, source, str(kernel.vmlinux), str(kernel.config)]
    return process.interact([*argv, *([expression] if expression else [])])
