"""A series from lore.kernel.org, or from any public-inbox archive: b4 gets the thread, ``named`` reads it.

b4 runs as a child in a folder that goes away with it: it finds no configuration, no cache and no keys of the user's.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from orchestrator.errors import InfraError, UserError
from orchestrator.host import disk, process, scratch
from orchestrator.host.process import CommandFailed, Deadline, sandbox
from orchestrator.host.process.sandbox import Bounds
from orchestrator.series import bounds, content, mail, mbox, named
from orchestrator.text.textfile import is_there
from orchestrator.trees import network

ARCHIVE = "https://lore.kernel.org/all"
"""Where a bare message-id is looked up."""

_SECONDS = 300.0
_BOUNDS = Bounds(memory=512 << 20, file=2 * bounds.SERIES_BYTES)
"""What b4 may take: it holds a thread several times over, and what an archive packed may be of any size."""
_MESSAGE_ID = re.compile(r"<[^\s<>]+@[^\s<>]+>|(?!-)[^\s<>/@]+@[\w[][^\s<>/@]*")
"""In brackets, or bare; ``HEAD@{1}..HEAD`` is none."""


def names(text: str) -> bool:
    """Whether a text is a message-id, or the address of a mail in an archive, and not a file."""
    if text.startswith(("http://", "https://")):
        return True
    return not is_there(text) and _MESSAGE_ID.fullmatch(text) is not None


def place(text: str, archive: str = ARCHIVE) -> tuple[str, str]:
    """Return the archive and the message-id that a text names (pure): a bare one is looked up in ``archive``.

    Raises UserError for an address of no mail.
    """
    if not text.startswith(("http://", "https://")):
        return archive.rstrip("/"), text.strip("<>")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise UserError(f"{text}: no address of a mail: {error}") from error
    steps = [step for step in parts.path.split("/") if step]
    for number, step in enumerate(steps):
        if "@" in unquote(step):
            folder = "/".join(["", *steps[:number]])
            return f"{parts.scheme}://{parts.netloc}{folder}", unquote(step)
    raise UserError(f"{text}: no address of a mail: it has no message-id in it")


def fetch(
    text: str, directory: Path, local: Path | None = None, *, archive: str = ARCHIVE, is_newest: bool = True
) -> Path:
    """Write the series that a mail belongs to, and its answers, as an mbox into ``directory``; return its path.

    It is the newest version, or with ``is_newest`` off that of the mail. ``local`` is an mbox of the thread to take it
    from instead of the network. Raises UserError for what is no series, InfraError where b4 is missing or the archive
    cannot be reached.
    """
    archive, message = place(text, archive)
    data = _read(local) if local else _thread(text, archive, message, directory / "b4.log")
    bounds.check_size(text, len(data))
    letters = mail.split(text, data)
    ids = named.select(text, letters, message, is_newest=is_newest)
    mails = zip(letters, mbox.split(data.lstrip(b"\r\n")), strict=True)
    target = directory / "lore.mbox"
    disk.write_atomic(target, mbox.join(raw for letter, raw in mails if letter.message_id in ids))
    return target


def _read(local: Path) -> bytes:
    """Return the mails of a file. Raises UserError."""
    if not local.is_file():
        raise UserError(f"--mbox {local}: no such file")
    bounds.check_size(str(local), local.stat().st_size)
    return content.plain(str(local), local.read_bytes())


def _thread(text: str, archive: str, message: str, log: Path) -> bytes:
    """Return the thread of a mail, as b4 gets it. Raises UserError and InfraError."""
    if importlib.util.find_spec("b4") is None:
        raise InfraError("b4 is not installed: pip install '.[lore]' in a checkout, or give the series as an mbox")
    with scratch.folder() as home:
        (home / "gitconfig").write_text(_config(archive))
        argv = [sys.executable, "-m", "b4.command", "--no-interactive", "mbox", "--no-cache"]
        argv += ["--outdir", str(home), "--mbox-name", "thread.mbx", message]
        try:
            bounded = sandbox.bounded(_BOUNDS, argv)
            process.run(bounded, cwd=home, env=_environment(home), log=log, deadline=Deadline.after(_SECONDS))
        except CommandFailed as error:
            raise _fault(text, log, error) from error
        mails = home / "thread.mbx"
        if not mails.is_file():
            raise UserError(f"{text}: b4 has no thread there", log=log)
        bounds.check_size(text, mails.stat().st_size)
        return mails.read_bytes()


def _config(archive: str) -> str:
    """Return the whole configuration of b4: one archive, and no look-up of anybody's keys."""
    return (
        f"[b4]\n\tmidmask = {archive}/%s\n\tlinkmask = {archive}/%s\n"
        "\tattestation-policy = off\n\tcheck-newer-revisions = no\n"
    )


def _environment(home: Path) -> dict[str, str]:
    folders = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "CACHE", "DATA", "STATE")}
    alone = {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}
    return process.minimal_environment({**network.environment(), **folders, **alone, "GIT_CEILING_DIRECTORIES": "/"})


def _fault(text: str, log: Path, error: CommandFailed) -> UserError | InfraError:
    last = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
    if "MemoryError" in "".join(last):
        bounds.check_size(text, _BOUNDS.memory)
    nothing = re.search(r"no patches|not find|not found|No such|404|nothing", " ".join(last), re.I)
    kind = UserError if nothing else InfraError
    return kind(f"b4 cannot get {text}: {last[0] if last else error}", log=log)
