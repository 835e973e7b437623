"""Start the world in a separate process, and control it."""

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox.world.scripted_faults import Faults
from genreatlas.values import JsonObject

#: Requests to this machine do not use a proxy.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class World:
    """A running world.

    ``addresses`` has the addresses of the services everynoise, spotify, deezer and cdn.
    """

    def __init__(self, about: JsonObject, process: subprocess.Popen[str] | None = None) -> None:
        self.addresses: dict[str, str] = about["addresses"]
        self.songs: int = about["songs"]
        self._process = process

    def settings(self) -> list[str]:
        """Settings ``section.key=value`` with the addresses of this world."""
        noise, spotify = self.addresses["everynoise"], self.addresses["spotify"]
        return [
            f'every_noise.map="{noise}/engenremap.html"',
            f'every_noise.list="{noise}/everynoise1d.html"',
            f'every_noise.pages="{noise}/engenremap-{{slug}}.html"',
            f'spotify.api_url="{spotify}/v1"',
            f'spotify.accounts_url="{spotify}"',
            f'deezer.api_url="{self.addresses["deezer"]}"',
        ]

    def log(self, service: str = "", path: str = "") -> list[JsonObject]:
        """Log of requests: time, service, method, path, status and fault of each.

        Parameters
        ----------
        service : only this service; empty: all.
        path : regular expression that the path must contain."""
        return self._get("_log", service=service, path=path)

    def counts(self) -> list[JsonObject]:
        """Numbers of requests by service, kind of path, status and fault."""
        return self._get("_counts")

    def busiest(self, service: str, window_s: float) -> int:
        """Maximum number of requests to a service in any window of this length."""
        return self._get("_busiest", service=service, window_s=window_s)["requests"]

    def faults(self, faults: Faults) -> None:
        """Replace the faults of the world."""
        self.control(faults=faults.values())

    def control(self, **wanted: Any) -> None:
        """Change the world: ``faults``, ``change`` (ids of playlists), ``end_tokens``, ``clear_log``."""
        body = json.dumps(wanted).encode()
        request = urllib.request.Request(f"{self.addresses['everynoise']}/_control", body, method="POST")
        with _OPENER.open(request, timeout=30):
            pass

    def stop(self) -> None:
        """Terminate the process, if this object started it."""
        if self._process is None:
            return
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _get(self, page: str, **query: Any) -> Any:
        address = f"{self.addresses['everynoise']}/{page}?{urllib.parse.urlencode(query)}"
        with _OPENER.open(address, timeout=60) as response:
            return json.load(response)


@contextmanager
def running_world(
    world: WorldSection, library: SandboxSection | None = None, faults: Faults | None = None
) -> Iterator[World]:
    """Serve a world during the block, or use the world already running at its port.

    The server ends with this process, even if this process is killed.

    Raises
    ------
    ConfigError : the port is in use, by something else or by another world; aiohttp is missing.
    """
    library = library or SandboxSection()
    there = _served_at(world)
    started = there or _start(world, library, faults or Faults(share=world.fault_share))
    try:
        yield started
    finally:
        started.stop()


def _start(world: WorldSection, library: SandboxSection, faults: Faults) -> World:
    given = {
        "world": world.model_dump(mode="json"),
        "sandbox": library.model_dump(mode="json"),
        "faults": faults.values(),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "genreatlas.sandbox.world", json.dumps(given)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    about = json.loads(line) if line else {"error": "the process of the sandbox world ended before it was ready"}
    if "error" in about:
        process.wait()
        raise ConfigError(about["error"])
    return World(about, process)


def _served_at(world: WorldSection) -> World | None:
    """The world running at the configured port; None if there is none.

    Raises
    ------
    ConfigError : another world is running there.
    """
    if not world.port:
        return None
    try:
        with _OPENER.open(f"http://127.0.0.1:{world.port}/_world", timeout=5) as response:
            about = json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    same = ("genres", "songs", "seed", "app")
    wanted = world.model_dump(mode="json")
    if any(about["world"][key] != wanted[key] for key in same):
        raise ConfigError(f"world.port: another sandbox world is served at port {world.port}. Choose another port.")
    return World(about)
