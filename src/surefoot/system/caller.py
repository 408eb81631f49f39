"""The application that started this process (surefoot.api): its arguments, and its end.

This module needs the standard library only.
"""

import os
import signal
import sys
from typing import Any, cast

from surefoot.system.successor import SIGNALS, WORDS


def with_words(arguments: list[str]) -> list[str]:
    """Replace WORDS in the arguments with those from standard input.

    They come as one line: a list in JSON. The caller leaves its end of the pipe open as long as it
    lives; when it ends, this process is asked to stop, as by SIGTERM. If no list comes, the
    arguments are returned unchanged: the command line then refuses WORDS.
    """
    words = _words()
    if words is None:
        return arguments
    _stop_at_the_callers_end()
    place = arguments.index(WORDS)
    return [*arguments[:place], *words, *arguments[place + 1 :]]


def _words() -> list[str] | None:
    import json

    # whatever the thread that started us has blocked
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return None
        line += piece
    try:
        words: Any = json.loads(line)
    except ValueError:
        return None
    return cast("list[str]", words) if isinstance(words, list) else None


def _stop_at_the_callers_end() -> None:
    """Stop when the caller ends.

    The pipe gets another number: the application may read standard input.
    """
    import fcntl
    import select

    pipe = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if sys.platform != "linux":
        return
    # the kernel sends SIGTERM as soon as the other end of the pipe is closed
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(pipe, 0)
    if poll.poll(0):  # it had ended before
        os.kill(os.getpid(), signal.SIGTERM)
