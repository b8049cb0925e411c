"""A real browser for the tests of the HTML report: Chromium without a window, spoken to over a pair of pipes.

Its DevTools protocol is one JSON message after the other, each ended by a null byte:
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE = 60.0  # seconds for one answer


def find_browser() -> str | None:
    """The browser's program: what NNDOCTOR_TEST_BROWSER names, or else what is on the path."""
    return os.environ.get("NNDOCTOR_TEST_BROWSER") or next((p for name in _NAMES if (p := shutil.which(name))), None)


class Browser:
    """One tab. What it complains of is in `complaints`, what it asks the network for in `requests`."""

    def __init__(self, program: str, profile: Path) -> None:
        self._numbers = 0
        self._left = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self._in, self._out = ours_in, ours_out
        options = ["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={profile}"]
        # The protocol's pipes are descriptors 3 and 4; bash can move any other there.
        moved = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", program, *options, "about:blank"]
        self._process = subprocess.Popen(moved, pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._out)  # the browser goes when nobody speaks to it any more
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    # --- a page -------------------------------------------------------------------------------------------------------

    def open(self, page: Path, width: int = 1400, dark: bool = False, scripts: bool = True) -> None:
        """Load a file at that width, in that light; forgets what was complained of before."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self._ask("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.events.clear()
        self._ask("Page.navigate", url=page.as_uri())
        self._wait_for("Page.loadEventFired")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page. Raises AssertionError where it throws."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def point(self, x: float, y: float) -> None:
        """Move the pointer there, in pixels of the window."""
        self._ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, path: Path) -> None:
        """The whole page as a PNG file."""
        size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]))

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and what the page's scripts threw."""
        found = []
        for event in self.events:
            said = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(said["exceptionDetails"]))
            if event["method"] == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
                found.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
            if event["method"] == "Runtime.consoleAPICalled":
                found.append(json.dumps(said["args"]))
        return found

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    # --- the protocol -------------------------------------------------------------------------------------------------

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._numbers += 1
        message: dict[str, Any] = {"id": self._numbers, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._numbers:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            if "method" in answer:
                self.events.append(answer)

    def _wait_for(self, method: str) -> None:
        while not any(e["method"] == method for e in self.events):
            event = self._read()
            if "method" in event:
                self.events.append(event)

    def _read(self) -> dict[str, Any]:
        """The next message. Raises TimeoutError where none comes."""
        end = time.monotonic() + _PATIENCE
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._in], [], [], max(end - time.monotonic(), 0.0))
            part = os.read(self._in, 1 << 20) if ready else b""
            if not part:
                raise TimeoutError(f"the browser says nothing; it ended with {self._process.poll()}")
            self._left += part
        message, _, self._left = self._left.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found
