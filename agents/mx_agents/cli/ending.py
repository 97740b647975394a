"""How a command ends: mistakes of the user in one line, signals at any moment, and the command that goes on.

Only the standard library is imported before the signals are listened to, so that Ctrl-C finds somebody home from the start.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import Any

from mx_agents.stopping import Listener, StoppedError

USAGE = 2
MACHINES = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "your quota of the disk is used up: make room",
    errno.EROFS: "the disk is read-only: name a folder elsewhere",
    errno.EMFILE: "too few open files are allowed: ulimit -n 4096",
    errno.ENFILE: "the machine has no more open files",
}
"""What a machine may lack, with the way out."""
PIPE_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line ``mx`` and leave with its exit code.

    Mistakes of the user end with one line on stderr and exit code 2, SIGINT and SIGTERM with 130 and 143 and the command that goes
    on.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    os.environ.setdefault(
        "TOKENIZERS_PARALLELISM", "false"
    )  # else old tokenizers complain at each sandbox that is begun
    listener = Listener()
    listener.start()
    try:
        code = _ended(words)
    finally:
        listener.stop(restore=argv is not None)
    sys.exit(code)


def _ended(words: Sequence[str]) -> int:
    try:
        return _run(words)
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, StoppedError) else signal.SIGINT
        way_on = (getattr(stop, "__notes__", None) or [shlex.join(["mx", *words])])[0]
        _say(
            f"broken off by {signal.Signals(number).name}; nothing that was finished is lost. Go on with:\n  {way_on}"
        )
        return 128 + number
    except BrokenPipeError:  # as in mx tasks list | head -3
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def _run(words: Sequence[str]) -> int:
    import typer

    usage_error: type[Exception] = typer.BadParameter.__mro__[1]  # of the click that this typer brings along
    try:
        return _invoke(words)
    except typer.Abort:
        return 1
    except usage_error as error:
        return _usage(error)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in MACHINES:
            _say(f"{MACHINES[error.errno]} ({error}); nothing that was finished is lost")
            return USAGE
        if not _is_users(error):
            raise
        _say(" ".join(str(error).split()))
        return USAGE


def _invoke(words: Sequence[str]) -> int:
    import typer

    from mx_agents.cli.app import app
    from mx_agents.cli.line import invoke

    if "_MX_COMPLETE" in os.environ:  # a shell asks what a word may become
        app(prog_name="mx")
    return invoke(typer.main.get_command(app), words)


def _usage(error: Any) -> int:
    """A slip of the pen: what is wrong, in one line, with the help that tells what is right."""
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(error.ctx.get_help().rstrip() + "\n")
        return USAGE
    path = error.ctx.command_path if error.ctx is not None else "mx"
    said = " ".join(error.format_message().split()).rstrip(".")
    sys.stderr.write(f"mx: {said}; see {path} --help\n")
    return USAGE


def _is_users(error: Exception) -> bool:
    """Whether the message is all that a user needs: what was asked for does not exist or does not work here."""
    from mx_agents.errors import PolicyError, UsageError
    from mx_sandboxes import SandboxUnavailableError
    from mx_tasks import TaskNotFoundError, TaskSetError
    from mx_tasks.trading.market.errors import TradingError

    return isinstance(
        error,
        UsageError | PolicyError | TaskSetError | TaskNotFoundError | TradingError | SandboxUnavailableError,
    )


def _say(line: str) -> None:
    sys.stderr.write(f"mx: {line}\n")
