"""The process that answers during a run: probes, browsers, programs.

It reveals no table's name, no error's text, and nothing from outside: everybody who can reach the
port reads it.
"""

import contextlib
import json
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TO_LOOK = 1.5  # seconds that a probe waits for a fresh look
_FRESH = 0.05  # seconds for which a look is reused
_RETRY = 5  # seconds, for clients that retry
_MOST = 16 * 1024 * 1024  # bytes of a request's body that are read and discarded

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1c2127; --paper: #fbfbf9; --line: #c9ced6; --bar: #2f6f4e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --paper: #15181c; --line: #3a4149; --bar: #7cc39b; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; padding: 1.5rem; }
main { width: 100%; max-width: 34rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
p { margin: .5rem 0; }
.track { height: .6rem; border: 1px solid var(--line); border-radius: .3rem; overflow: hidden;
  margin: 1.25rem 0 .5rem; }
.bar { height: 100%; background: var(--bar); }
small { opacity: .75; }
"""

_HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{retry}">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
{bar}
</main>
</body>
</html>
"""


class _State:
    """The last message from the run. A run that has sent none is beginning."""

    def __init__(self, asking: int) -> None:
        self._asking = asking
        self._changed = threading.Condition()
        self.seen: dict[str, Any] = {"phase": "starting", "since": time.time()}
        self._looked = -1.0

    def told(self, state: dict[str, Any]) -> None:
        with self._changed:
            self.seen |= state
            if "alive" in state:
                self._looked = time.monotonic()
            self._changed.notify_all()

    def is_alive(self) -> bool:
        """Whether the run makes progress, by a look that is made now."""
        with self._changed:
            if self.seen["phase"] != "running":
                return True
            asked = time.monotonic()
            if asked - self._looked > _FRESH:
                with contextlib.suppress(OSError):
                    os.write(self._asking, b"?")
                self._changed.wait_for(lambda: self._looked >= asked, _TO_LOOK)
                if self._looked < asked:
                    return _works(self.seen)  # it is too busy to look
            return bool(self.seen.get("alive", True))


_used: dict[int, int] = {}


def _works(seen: dict[str, Any]) -> bool:
    """Whether the migrating process has used the processor since the last question."""
    pid = seen.get("pid")
    if not isinstance(pid, int):
        return False
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return False
    ticks = int(fields[11]) + int(fields[12])
    before, _used[pid] = _used.get(pid, -1), ticks
    return ticks > before


class _Handler(BaseHTTPRequestHandler):
    state: _State
    server_version, sys_version = "surefoot", ""
    timeout = 5

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/livez":
            alive = self.state.is_alive()
            self._say(200 if alive else 503, "text/plain", "ok\n" if alive else "no progress\n")
        elif path == "/readyz":
            self._say(503, "text/plain", "not ready\n")
        elif "application/json" in self.headers.get("Accept", ""):
            self._say(503, "application/json", json.dumps(public(self.state.seen)) + "\n")
        else:
            self._say(503, "text/html; charset=utf-8", html(self.state.seen))

    def do_POST(self) -> None:
        """Read the body before answering.

        A client that is still sending when the connection is closed gets a reset instead of the
        answer.
        """
        length = self.headers.get("Content-Length", "")
        left = min(int(length), _MOST) if length.isdecimal() else 0
        while left and (piece := self.rfile.read(min(left, 65536))):
            left -= len(piece)
        self.do_GET()

    do_HEAD = do_OPTIONS = do_GET
    do_PUT = do_PATCH = do_DELETE = do_POST

    def _say(self, code: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        if code == 503:
            self.send_header("Retry-After", str(_RETRY))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: probes come every few seconds, and the log is the run's."""


def public(seen: dict[str, Any]) -> dict[str, Any]:
    """Return what a program gets: the step, their number, and the start (in seconds since 1970)."""
    return {
        "status": "failed" if seen["phase"] == "failed" else "updating",
        "step": seen.get("step"),
        "of": seen.get("of"),
        "since": round(seen["since"]),
    }


def html(seen: dict[str, Any]) -> str:
    """Return the same for a person."""
    if seen["phase"] == "failed":
        return _HTML.format(
            retry=30,
            title="The update did not succeed",
            style=_STYLE,
            text="An operator must look at the log. This page stays until then.",
            bar="",
        )
    step, of = seen.get("step"), seen.get("of")
    minutes = int((time.time() - seen["since"]) // 60)
    lasting = "less than a minute" if minutes < 1 else f"{minutes} min"
    bar = f"<p><small>For {lasting} now.</small></p>"
    if step and of:
        done = round(100 * (step - 1) / of)
        bar = (
            f'<div class="track" role="progressbar" aria-label="The update" aria-valuemin="0" '
            f'aria-valuemax="{of}" aria-valuenow="{step - 1}"><div class="bar" '
            f'style="width:{done}%"></div></div>'
            f"<p><small>Step {step} of {of}, for {lasting} now.</small></p>"
        )
    return _HTML.format(
        retry=_RETRY,
        title="Being updated",
        style=_STYLE,
        text="The application starts when the update is done. This page reloads by itself.",
        bar=bar,
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # an accepted request is answered
    block_on_close = True

    def __init__(self, bound: socket.socket, handler: type[_Handler]) -> None:
        super().__init__(("", 0), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that goes away."""


def serve(descriptor: int, control: int, asking: int) -> None:
    """Answer on this socket until `control` says so, or is closed. `asking` requests a look."""
    os.set_blocking(asking, False)
    state = _State(asking)
    bound = socket.socket(fileno=descriptor)
    bound.setblocking(False)  # another process may accept what was announced to this one
    server = _Server(bound, type("Handler", (_Handler,), {"state": state}))
    threading.Thread(target=_listen, args=(control, state, server), daemon=True).start()
    server.serve_forever(poll_interval=0.05)
    server.server_close()


def _listen(control: int, state: _State, server: _Server) -> None:
    with open(control, "rb", buffering=0) as pipe:
        rest = b""
        while piece := pipe.read(65536):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                told = json.loads(line)
                if told.get("phase") == "end":
                    server.shutdown()
                    return
                state.told(told)
    server.shutdown()
