"""Take the screenshots for ``docs/web.md`` and the README: pages of the demo's site in a headless Chromium.

``python benchmarks/web_pictures.py`` after ``make demo``. It serves ``data/demo/site`` as ``make web`` does, uploads a
clip of the demo's library, and captures each page after it is fully drawn.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import Browser  # noqa: E402
from genreatlas.config import Config, load_config  # noqa: E402
from genreatlas.web.published import Extract, Site  # noqa: E402

WIDTH = 1180


def main() -> None:
    """Serve the site and take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--conf", type=Path, default=ROOT / "conf" / "demo.toml")
    parser.add_argument("--set", action="append", default=[], help="setting section.key=value, as for any job")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parsed = parser.parse_args()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    overrides = [*parsed.set, f"web.port={port}"]
    config = load_config([parsed.conf], overrides)
    found = Site(config.web.path).extract
    command = [sys.executable, str(ROOT / "jobs" / "serve_web.py"), "--conf", str(parsed.conf)]
    command += [f"--set={one}" for one in overrides]
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT / "lib")})
    try:
        with tempfile.TemporaryDirectory() as profile, Browser(Path(profile), WIDTH, 800) as browser:
            take(browser, f"http://127.0.0.1:{port}", found, config, parsed.to)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def take(browser: Browser, address: str, found: Extract, config: Config, folder: Path) -> None:
    """Take all screenshots."""
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            break
        except OSError:
            assert time.monotonic() < until, "the site did not start"
            time.sleep(0.2)

    def shot(name: str, path: str, height: int, ready: str = "true", at: str = "") -> None:
        browser.resize(WIDTH, height)
        if path:
            browser.open("about:blank")
            browser.open(address + path, f"location.href.startsWith('{address}') && document.readyState === 'complete'")
        browser.wait(ready)
        if at:
            browser.ask(f"document.querySelector('{at}').scrollIntoView()")
        browser.settle()
        assert browser.errors == [], browser.errors
        browser.picture(folder / f"web_{name}.png")

    song = heard(found)
    genre = song["genres"][0]["genre_id"]
    shot("search", "/", 760)
    browser.ask("document.getElementById('find').focus()")
    browser.type(song["genres"][0]["name"][:4])
    shot("search", "", 620, "document.querySelectorAll('#found [role=option]').length")
    shot("song", f"/songs/{song['song_id']}", 900)
    if rhythm := found.rhythm(song["clip"]["clip_id"]):
        seconds = rhythm["start_s"] + rhythm["beats"][len(rhythm["beats"]) // 2] + 0.05
        browser.ask(
            "(() => { const one = document.getElementById('player'); one.preload = 'auto'; one.load(); "
            "return new Promise((done) => { one.onseeked = () => done(1); "
            f"one.onloadeddata = () => {{ one.currentTime = {seconds}; }}; }}); }})()"
        )
        shot("rhythm", "", 620, "document.getElementById('beat-words').textContent", "#beats")
    shot("genre", f"/genres/{genre}", 800)
    shot("charts", f"/charts?feature={found.features[0]}", 760)
    if found.has_map:
        shot("map", f"/map#genre={genre}", 760, "window.genreMap?.list")
    shot("tempo", "/tempo", 620)
    path, _ = found.clip(song["clip"]["clip_id"]) or (None, None)
    if found.facts["model"] and path:
        browser.open(f"{address}/upload")
        root = browser.send("DOM.getDocument")["root"]["nodeId"]
        node = browser.send("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
        with tempfile.TemporaryDirectory() as other:
            name = re.sub(r"[^\w -]", "", song["title"] or "") or "A song"
            copy = Path(other) / f"{name}{path.suffix}"
            copy.write_bytes(path.read_bytes())
            browser.send("DOM.setFileInputFiles", nodeId=node, files=[str(copy)])
            browser.ask("document.querySelector('form.drop button[type=submit]').click()")
            browser.wait("location.pathname.startsWith('/analyses/') && document.getElementById('pictures')", 120)
        shot("analysis", "", 1250, "document.getElementById('waveform').width > 300")


def heard(found: Extract) -> dict:
    """The song with a clip and the most reliably detected bars, among the 2,000 most popular."""
    songs = [one for one in found.songs(range(1, 2001)) if one["clip"] and one["genres"] and one["title"]]
    assert songs, "The site has no clip to show."

    def sure(song: dict) -> float:
        rhythm = found.rhythm(song["clip"]["clip_id"])
        return rhythm["bar_confidence"] or 0.0 if rhythm and rhythm["pattern"] else -1.0

    return max(songs, key=sure)


if __name__ == "__main__":
    main()
