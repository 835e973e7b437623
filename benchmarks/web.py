"""Judge the site under load: ``python benchmarks/web.py``.

Makes an extract of 450,000 made-up songs, serves it as the job does, and measures on this machine, which asks and
answers at once: search and pages of cached analyses at 50 requests at a time, the first analysis of a clip of 30 s, the
page of the map in Chromium, memory, and ten minutes of mixed load. Figures go to ``benchmarks/web.json``.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import CHROMIUM, Browser  # noqa: E402
from genreatlas.config import load_config  # noqa: E402
from genreatlas.report.map_page import map_content  # noqa: E402
from genreatlas.web.publishing import publish  # noqa: E402
from map_factory import map_data  # noqa: E402
from one_file_models import save_model, sound  # noqa: E402
from site_factory import FEATURES, site_data  # noqa: E402

AT_ONCE = 50
GENRES_ON_MAP = 3000


def main() -> None:
    """Measure everything and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--songs", type=int, default=450_000)
    parser.add_argument("--minutes", type=float, default=10.0, help="of mixed load")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each single load")
    parsed = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="web-", dir=os.environ.get("GENREATLAS_BENCH")))
    try:
        figures = measure(home, parsed.songs, parsed.minutes, parsed.seconds)
    finally:
        shutil.rmtree(home)
    figures |= {"songs": parsed.songs, "minutes": parsed.minutes, "cores": os.cpu_count()}
    print(json.dumps(figures, indent=1))
    if parsed.songs == 450_000:
        (ROOT / "benchmarks" / "web.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


def measure(home: Path, songs: int, minutes: float, seconds: float) -> dict[str, Any]:
    """All figures."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    overrides = [f"web.path={home}/site", f"models.path={home}/models", f"web.port={port}", "clip.seconds=30.0",
                 "web.requests_per_minute=10000000", "web.uploads_per_minute=10000000"]  # fmt: skip
    config = load_config([], overrides)
    meta = save_model(config, "m1")
    facts = {"model_id": "m1", "candidate": "sklearn logistic_regression", "feature_set": "summary9", "n_genres": 2,
             "set_version": meta.set_version, "score_kind": meta.score_kind}  # fmt: skip
    drawn = map_data(GENRES_ON_MAP)
    about = {"title": drawn.title, "drawn_from": drawn.drawn_from, "source": drawn.source, "missing": []}
    page = json.dumps(about | {"n_genres": GENRES_ON_MAP, "content": map_content(drawn)})
    data = site_data(songs, files=home, model=facts, map_content=page)
    started = time.monotonic()
    folder = publish(data, config.web.path, "one")
    built = time.monotonic() - started
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    words = sorted({word for title in data.tables["songs"]["title"].to_pylist()[:5000] for word in title.split()})
    del data
    command = [sys.executable, str(ROOT / "jobs" / "serve_web.py"), *(f"--set={one}" for one in overrides)]
    server = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT / "lib")})
    try:
        found = asyncio.run(load(f"http://127.0.0.1:{port}", server.pid, songs, words, minutes, seconds))
        found["map_usable_s"] = usable(f"http://127.0.0.1:{port}/map", home) if CHROMIUM else None
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    return {"build_s": round(built, 1), "extract_mb": round(size / 2**20, 1)} | found


async def load(address: str, pid: int, songs: int, words: list[str], minutes: float, seconds: float) -> dict[str, Any]:
    """Ask the server under several loads."""
    random = np.random.default_rng(7)
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(address, connector=connector, cookie_jar=jar) as session:
        for _ in range(600):
            try:
                async with session.get("/health") as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
        first = [await analysed(session, seed) for seed in range(6)]
        place = first[-1][1]

        def query() -> str:
            word = str(random.choice(words))
            return f"/rest/search?q={word[: int(random.integers(1, 6))]}&limit=4"

        def mixed() -> str:
            song = f"song{int(random.integers(songs)):06d}"
            return str(random.choice([
                query(), query(), f"/songs/{song}", f"/rest/similar?song_id={song}", "/genres/house", place,
                f"/charts?feature={random.choice(FEATURES)}", f"/clips/clip{int(random.integers(24))}", "/",
            ]))  # fmt: skip

        search, errors = await ask(session, query, seconds)
        cached, more = await ask(session, lambda: place, seconds)
        errors += more
        figures = {
            "search_p95_ms": p95(search), "search_per_s": round(len(search) / seconds, 1), "cached_p95_ms": p95(cached),
            "cached_per_s": round(len(cached) / seconds, 1),
            "first_analysis_s": round(statistics.median(took for took, _ in first[1:]), 2),
            "after_start_s": round(first[0][0], 2),
        }  # fmt: skip
        _, more = await ask(session, mixed, min(60.0, 10 * minutes))
        before = memory(pid)
        times, errors_mixed = await ask(session, mixed, 60 * minutes)
        after = memory(pid)
        figures |= {
            "mixed_p95_ms": p95(times), "mixed_per_s": round(len(times) / (60 * minutes), 1),
            "errors_10_min": errors_mixed, "errors": errors + more, "worker_mb": round(after / 2**20, 1),
            "growth": round(after / before - 1, 4),
        }  # fmt: skip
    return figures


async def ask(session: aiohttp.ClientSession, path: Any, seconds: float) -> tuple[list[float], int]:
    """Seconds of every answer while 50 clients ask as fast as they are answered; and how many were no success."""
    times: list[float] = []
    errors = 0
    until = time.monotonic() + seconds

    async def client() -> None:
        nonlocal errors
        while time.monotonic() < until:
            started = time.monotonic()
            try:
                async with session.get(path()) as answer:
                    await answer.read()
                    errors += answer.status != 200
            except aiohttp.ClientError:
                errors += 1
            times.append(time.monotonic() - started)

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return times, errors


async def analysed(session: aiohttp.ClientSession, seed: int) -> tuple[float, str]:
    """Seconds from an upload to its answer, and the address of its page."""
    async with session.get("/upload") as answer:
        token = re.search(r'name="token" value="(\w+)"', await answer.text())[1]  # type: ignore[index]
    form = aiohttp.FormData()
    form.add_field("token", token)
    form.add_field("file", sound("tone", "noise", seconds=15.0, seed=seed), filename="a.wav", content_type="audio/wav")
    started = time.monotonic()
    async with session.post("/upload", data=form, allow_redirects=False) as answer:
        place = answer.headers["location"]
    while True:
        async with session.get(f"/rest/analysis?analysis_id={place.rpartition('/')[2]}") as answer:
            told = await answer.json()
        if told["state"] == "done":
            return time.monotonic() - started, place
        assert told["state"] != "failed", told
        await asyncio.sleep(0.05)


def usable(address: str, home: Path) -> float:
    """Seconds until the map can be used: the median of five openings."""
    found = []
    with Browser(home / "profile") as browser:
        for _ in range(5):
            browser.open("about:blank")
            browser.open(address, "performance.getEntriesByName('usable').length")
            found.append(browser.ask("performance.getEntriesByName('usable')[0].startTime") / 1000)
    return round(statistics.median(found), 2)


def memory(pid: int) -> int:
    """Resident bytes of the process that answers."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024


def p95(times: list[float]) -> float:
    """95th percentile, in ms."""
    return round(1000 * float(np.quantile(times, 0.95)), 1)


if __name__ == "__main__":
    main()
