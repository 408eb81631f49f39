"""The listening socket of `up --serve`.

It is bound at once, answered by a separate process while there is something to do, and handed to
the command at the end. The quick look imports this module, so it loads little. The page's process
is forked before anything else is loaded, and has a copy of the socket: whatever the application's
code does, probes are answered. Connections wait in the socket's queue while nothing accepts them,
and none is refused.
"""

import _socket
import json
import os
import signal
import time
from collections.abc import Mapping

# The first socket in systemd's protocol: sd_listen_fds(3).
FIRST = 3
# The remark if the socket is closed before the command starts.
CLOSED = (
    "the socket is closed before the command starts, because surefoot doesn't know that the "
    "command can take it over: gunicorn takes it by itself, uvicorn with --fd 3, hypercorn with "
    "--bind fd://3"
)
_BACKLOG = 512
_TO_FINISH = 3.0  # seconds to finish current requests

_page: "Page | None" = None


class AddressError(Exception):
    """The address can't be used; the text says why."""


def current() -> "Page | None":
    """Return what this process serves, if anything."""
    return _page


def listen(address: str) -> "Page":
    """Listen on HOST:PORT, once: a second call returns the same. Raises AddressError."""
    global _page
    if _page is None:
        _page = Page(_bound(address))
    return _page


def _bound(address: str) -> "_socket.socket":
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise AddressError(f"{address!r} is no HOST:PORT")
    host = host.removeprefix("[").removesuffix("]")
    # for a str, Python would treat it as an international name, which loads five modules
    name = host.encode() if host.isascii() else host
    try:
        found = _socket.getaddrinfo(
            name or None, int(port), 0, _socket.SOCK_STREAM, 0, _socket.AI_PASSIVE
        )
        family, kind, protocol, _, place = found[0]
        made = _socket.socket(family, kind, protocol)
        made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:
        raise AddressError(getattr(error, "strerror", None) or str(error)) from error
    return made


class Page:
    """The socket, and the process that answers on it, if any."""

    def __init__(self, bound: "_socket.socket") -> None:
        self._socket = bound
        self._pid = 0
        self._told = self._asked = -1  # pipes: messages to the process, and questions from it
        self._owner = os.getpid()

    def answer_after(self, seconds: float) -> None:
        """Start answering after some seconds, unless this process has ended by then."""
        signal.signal(signal.SIGALRM, self._on_alarm)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _on_alarm(self, *_: object) -> None:
        self.answer()

    def answer(self) -> None:
        """Start a process that answers."""
        self._no_alarm()
        if self._pid or os.getpid() != self._owner:
            return
        control, self._told = os.pipe()
        self._asked, asking = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(self._told)
            os.close(self._asked)
            _serve(self._socket, control, asking)
        os.close(control)
        os.close(asking)
        os.set_blocking(self._told, False)
        os.set_blocking(self._asked, False)
        self._pid = pid

    def fileno(self) -> int:
        """Return the listening socket's descriptor."""
        return self._socket.fileno()

    @property
    def asks(self) -> int:
        """Return a descriptor that becomes readable when a probe asks."""
        return self._asked

    def tell(self, **state: object) -> None:
        """Send what the page should say, without waiting."""
        if self._told < 0:
            return
        try:
            os.write(self._told, json.dumps({**state, "at": time.time()}).encode() + b"\n")
        except OSError:  # the process has ended or is slow: the next message will do
            return

    def hand_over(self, command: list[str], environ: Mapping[str, str]) -> dict[str, str]:
        """Leave the socket to the command that replaces this process, if it can take one; else
        close it.

        Returns the command's environment.
        """
        self.finish()
        self._socket.setblocking(True)  # as before: the page's process shares this
        if not takes_a_socket(command):
            self._socket.close()
            return dict(environ)
        if self._socket.fileno() == FIRST:
            os.set_inheritable(FIRST, True)
        else:
            os.dup2(self._socket.fileno(), FIRST, inheritable=True)
        return {**environ, "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}

    def finish(self) -> None:
        """Stop answering; requests in progress are completed."""
        self._no_alarm()
        if not self._pid or os.getpid() != self._owner:
            return
        self.tell(phase="end")
        pid, self._pid = self._pid, 0
        os.close(self._told)
        self._told = -1
        deadline = time.monotonic() + _TO_FINISH
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.002)

    def _no_alarm(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def takes_a_socket(command: list[str]) -> bool:
    """Whether the command is known to take over a socket that is passed to it.

    gunicorn does it by itself; others name the descriptor (`--fd 3`, `fd://3`).
    """
    names = {os.path.basename(word) for word in command}
    text = " ".join((*command, ""))
    named = (f"--fd {FIRST} ", f"--fd={FIRST} ", f"fd://{FIRST} ")
    return "gunicorn" in names or any(words in text for words in named)


def _serve(bound: "_socket.socket", control: int, asking: int) -> None:
    """Run the page's process; never returns."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # it ends with the process that forked it
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        from surefoot.serve.page import serve

        serve(bound.detach(), control, asking)
    finally:
        os._exit(0)
