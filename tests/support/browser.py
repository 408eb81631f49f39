"""Chromium without a window, driven through its two pipes: the standard library suffices."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_LONGEST = 300.0  # seconds for an answer


def chromium() -> str | None:
    """The browser's program; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page in a browser of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", ask: int, answers: int) -> None:
        self._process, self._ask, self._answers = process, ask, answers
        self._rest, self._number, self._session = b"", 0, ""
        self.requested: list[str] = []  # every address, by whatever on the page
        self.said: list[str] = []  # on the console, and exceptions
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self._call(f"{domain}.enable")

    def look(self, width: int, scheme: str) -> None:
        """As on a screen of that width, by somebody who prefers the scheme, light or dark."""
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def go(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        self.until("document.readyState == 'complete' && location.protocol != 'about:'")

    def value(self, script: str) -> Any:
        """What the expression is on the page, as JSON has it."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str, longest: float = _LONGEST) -> None:
        """Wait until the expression is true; a page that is being replaced has no answer yet."""
        deadline = time.monotonic() + longest
        while True:
            with contextlib.suppress(AssertionError):
                if self.value(script):
                    return
            assert time.monotonic() < deadline, (script, self.value("document.body.innerText"))
            time.sleep(0.1)

    def named(self, role: str) -> list[str]:
        """The names that a screen reader says of the elements with this role."""
        nodes = self._call("Accessibility.getFullAXTree")["nodes"]
        return [n["name"]["value"] for n in nodes if n.get("role", {}).get("value") == role]

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._ask, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _LONGEST
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._heard(answer)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select(
                [self._answers], [], [], max(0, deadline - time.monotonic())
            )
            assert ready, "the browser doesn't answer"
            piece = os.read(self._answers, 1 << 20)
            assert piece, f"the browser has ended: {self._process.poll()}"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _heard(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requested.append(parameters["request"]["url"])
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled":
                self.said.append(json.dumps(parameters))
            case _:
                pass


@contextlib.contextmanager
def browsing(program: str) -> Iterator[Page]:
    """A page, for a block."""
    to_browser, ask = os.pipe()
    answers, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = [
            *("--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
            *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "about:blank"),
        ]
        # its pipes are 3 and 4
        shell = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$0" "$@"'
        process = subprocess.Popen(
            ["bash", "-c", shell, program, *options],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Page(process, ask, answers)
        finally:
            os.close(ask)
            process.kill()
            process.wait()
            os.close(answers)
