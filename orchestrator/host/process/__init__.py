"""The only user of subprocess: argv lists, a deadline, a log file, and one pasteable line a command.

Every child leads a process group of its own and dies with this process: the kernel sends it SIGKILL if
we vanish (``setpriv --pdeathsig``), and a deadline or an exception kills its whole group. An enclosed child takes
all that it started along, whoever killed it.
"""

from orchestrator.host.process.children import (
    GRACE,
    PIPE,
    Child,
    ChildGroup,
    check_wanted,
    current_group,
    kill_group,
    minimal_environment,
    spawn,
    use_group,
)
from orchestrator.host.process.command import CommandFailed, Completed, check_cage, interact, pasteable, run
from orchestrator.host.process.deadline import FOREVER, Deadline
from orchestrator.host.process.namespaces import can_enclose, network_can_be_cut
from orchestrator.host.process.sandbox import Bounds, Cage

__all__ = [
    "FOREVER",
    "GRACE",
    "PIPE",
    "Bounds",
    "Cage",
    "Child",
    "ChildGroup",
    "CommandFailed",
    "Completed",
    "Deadline",
    "can_enclose",
    "check_cage",
    "check_wanted",
    "current_group",
    "interact",
    "kill_group",
    "minimal_environment",
    "network_can_be_cut",
    "pasteable",
    "run",
    "spawn",
    "use_group",
]
