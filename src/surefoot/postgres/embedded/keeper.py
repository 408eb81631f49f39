"""The process that controls the server's life: `python -m surefoot.postgres.embedded.keeper`.

It starts `postgres` as its child and reads a pipe; when the last holder of the other end has ended,
in whatever way, it stops the server and removes what was temporary.
"""

import json
import os
import select
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from surefoot.postgres.embedded.account import group, no_groups
from surefoot.system.files import create


def keep() -> None:
    """Start the server, wait for the end of the pipe or of the server, and clean up.

    Orders come as one line of JSON on standard input.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with open(0, "rb", buffering=0, closefd=False) as pipe:
        orders: dict[str, Any] = json.loads(pipe.readline())
    user: int | None = orders["user"]
    # the directory is the server's: a link there must not lead root elsewhere
    with open(create(Path(orders["log"]), 0o644), "wb") as log:
        server = subprocess.Popen(
            orders["command"],
            user=user,
            group=group(user),
            extra_groups=no_groups(user),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_default_signals,  # a child would inherit ignored signals
        )
    while server.poll() is None:
        readable, _, _ = select.select([0], [], [], 0.1)
        if readable and not os.read(0, 1):
            server.send_signal(signal.SIGINT)  # fast shutdown: sessions are ended, data is safe
            server.wait()
            shutil.rmtree(orders["remove"], ignore_errors=True)
            return


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    keep()
