"""The signals that ask this program to end."""

from __future__ import annotations

import signal


def ending() -> tuple[signal.Signals, ...]:
    """Return those that are to be answered with a clean-up: that of a lost terminal is not where nohup has us stay."""
    stays = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM) if stays else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
