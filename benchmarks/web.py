"""Measure the site under load: ``python benchmarks/web.py``.

Publishes an extract of 450,000 synthetic songs, serves it by the job serve_web, and measures with client and server on
this machine: search and pages of cached analyses with 50 concurrent requests, the first analysis of a clip of 30 s, the
map page in Chromium, memory, and ten minutes of mixed load with uploads. Results are written to
``benchmarks/web.json`` as ``{key: {value, bar, unit, n, note}}``, and from there to ``docs/web.md``. ``--page`` only
regenerates the page.
"""

import argparse
import asyncio
import itertools
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
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pyarrow as pa

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from page import machine_line, replace_figures  # noqa: E402

from browser import CHROMIUM, Browser  # noqa: E402
from genreatlas.audio.feature_sets import get_feature_set  # noqa: E402
from genreatlas.config import load_config  # noqa: E402
from genreatlas.report.map_page import map_content  # noqa: E402
from genreatlas.web.publishing import publish  # noqa: E402
from genreatlas.web.site_data import SiteData, SongFeatures, SongVectors  # noqa: E402
from map_factory import map_data  # noqa: E402
from one_file_models import save_model, sound  # noqa: E402
from site_factory import site_data  # noqa: E402

AT_ONCE = 50
GENRES = 3000
FEATURES = tuple(feature.name for feature in get_feature_set("summary9").features)
UPLOAD_EVERY_S = 5.0
FILE = ROOT / "benchmarks" / "web.json"
PAGE = ROOT / "docs" / "web.md"
_BEGIN = "<!-- figures: begin (written by benchmarks/web.py) -->"
#: (required maximum, unit, description) by key, in the order of the table; None: no requirement.
FIGURES: dict[str, tuple[float | None, str, str]] = {
    "cached_p95_ms": (50, "ms", "page of an analysis that is done, 50 requests at once, 95th percentile"),
    "search_p95_ms": (100, "ms", "search as one types over all songs, artists, albums, genres and playlists, the same"),
    "first_analysis_s": (3, "s", "from an upload of a 30 s clip to its answer, median"),
    "map_usable_s": (1, "s", f"the map of {GENRES:,} genres in Chromium, median of five openings"),
    "worker_mb": (400, "MB", "memory of the process that answers after the mixed load, mapped files included"),
    "errors_10_min": (0, "", "answers other than 200 under mixed load with uploads"),
    "growth": (0.05, "", "memory of the process that answers that is its own, after the mixed load over before"),
}


def main() -> None:
    """Run all measurements and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--songs", type=int, default=450_000)
    parser.add_argument("--minutes", type=float, default=10.0, help="minutes of mixed load")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of each single load")
    parser.add_argument("--page", action="store_true", help="only print docs/web.md from the stored figures")
    parsed = parser.parse_args()
    if not parsed.page:
        home = Path(tempfile.mkdtemp(prefix="web-", dir=os.environ.get("GENREATLAS_BENCH")))
        try:
            found = measure(home, parsed.songs, parsed.minutes, parsed.seconds)
        finally:
            shutil.rmtree(home)
        figures = as_figures(found, f"{parsed.songs:,} songs, {GENRES:,} genres, {parsed.minutes:g} minutes")
        print(json.dumps(figures, indent=1))
        if parsed.songs < 450_000 or parsed.minutes < 10:
            print("Not kept: figures are of 450,000 songs and 10 minutes.")
            return
        FILE.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    write_page()


def as_figures(found: dict[str, tuple[float, int, str]], how: str) -> dict[str, dict[str, Any]]:
    """Results with required values and the conditions of the measurement."""
    figures = {}
    for key, (bar, unit, what) in FIGURES.items():
        if key in found:
            value, n, more = found[key]
            note = "; ".join(part for part in (what, more, how, machine_line()) if part)
            figures[key] = {"value": value, "bar": bar, "unit": unit, "n": n, "note": note}
    return figures


def write_page() -> None:
    """Write the table between the markers of the page."""
    figures = json.loads(FILE.read_text(encoding="utf-8"))
    lines = ["| figure | value | target | n | |", "|---|---|---|---|---|"]
    for key in (key for key in FIGURES if key in figures):
        one = figures[key]
        missed = " **(missed)**" if one["value"] > one["bar"] else ""
        lines.append(
            f"| {key} | {one['value']:g} {one['unit']} | at most {one['bar']:g} {one['unit']}{missed} | {one['n']:,} "
            f"| {one['note']} |"
        )
    replace_figures(PAGE, _BEGIN, lines)


def lake(songs: int, home: Path, model: dict[str, Any]) -> SiteData:
    """Synthetic data of 3,000 genres, with one genre per song, features of one set, and a map."""
    random = np.random.default_rng(20)
    drawn = map_data(GENRES)
    about = {"title": drawn.title, "drawn_from": drawn.drawn_from, "source": drawn.source, "missing": []}
    page = json.dumps(about | {"n_genres": GENRES, "content": map_content(drawn)})
    data = site_data(songs, files=home, model=model, map_content=page)
    ids = data.tables["songs"]["song_id"]
    genre = random.integers(0, GENRES, songs)
    names = pa.array([f"genre{one}" for one in genre])
    tables = dict(data.tables)
    tables["song_genres"] = pa.table({"song_id": ids, "genre_id": names, "genre": names})
    for name in ("genre_parents", "places", "genre_neighbours"):
        del tables[name]
    values = random.standard_normal((songs, len(FEATURES))).astype(np.float32)
    features = SongFeatures("summary9", FEATURES, ("",) * len(FEATURES), ids.to_numpy(zero_copy_only=False), values)
    space = {
        "feature_set": "summary9", "set_version": model["set_version"], "preprocessing_id": "", "features": FEATURES,
        "centre": [0.0] * len(FEATURES), "spread": [1.0] * len(FEATURES), "mean": [0.0] * len(FEATURES),
        "variance": float(len(FEATURES)), "clip": model["clip"],
    }  # fmt: skip
    # All scales are 1 and there are no copies; the code that corrects distances runs as for a real library.
    vectors = SongVectors(features.song_ids, values, [None] * songs, np.ones(songs), np.ones(songs, dtype=bool))
    return replace(data, tables=tables, features=features, space=space, vectors=vectors)


def measure(home: Path, songs: int, minutes: float, seconds: float) -> dict[str, tuple[float, int, str]]:
    """Measure the site; returns (value, number of measurements, remark) by key."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    overrides = [f"web.path={home}/site", f"models.path={home}/models", f"web.port={port}", "clip.seconds=30.0",
                 "web.requests_per_minute=10000000", "web.uploads_per_minute=10000000"]  # fmt: skip
    config = load_config([], overrides)
    meta = save_model(config, "m1")
    facts = {"model_id": "m1", "candidate": "sklearn logistic_regression", "feature_set": "summary9", "n_genres": 2,
             "set_version": meta.set_version, "score_kind": meta.score_kind,
             "clip": config.clip.model_dump_json()}  # fmt: skip
    data = lake(songs, home, facts)
    started = time.monotonic()
    folder = publish(data, config.web.path, "one")
    built = time.monotonic() - started
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"extract: {built:.0f} s, {size >> 20} MB", flush=True)
    words = sorted({word for title in data.tables["songs"]["title"].to_pylist()[:5000] for word in title.split()})
    del data
    command = [sys.executable, str(ROOT / "jobs" / "serve_web.py"), *(f"--set={one}" for one in overrides)]
    server = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT / "lib")})
    try:
        found = asyncio.run(load(f"http://127.0.0.1:{port}", server.pid, songs, words, minutes, seconds))
        if CHROMIUM:
            found["map_usable_s"] = usable(f"http://127.0.0.1:{port}/map", home), 5, ""
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    return found


async def load(
    address: str, pid: int, songs: int, words: list[str], minutes: float, seconds: float
) -> dict[str, tuple[float, int, str]]:
    """Measure the server under several loads."""
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
                query(), query(), f"/songs/{song}", f"/rest/similar?song_id={song}", place,
                f"/genres/genre{int(random.integers(GENRES))}", f"/charts?feature={random.choice(FEATURES)}",
                f"/clips/clip{int(random.integers(24))}", "/",
            ]))  # fmt: skip

        search, errors = await ask(session, query, seconds)
        cached, more = await ask(session, lambda: place, seconds)
        assert not errors and not more, f"{errors} searches and {more} pages were not answered"
        seeds = itertools.count(100)
        await mix(session, mixed, seeds, min(60.0, 6 * minutes))
        before = memory(pid)
        times, uploads, errors = await mix(session, mixed, seeds, 60 * minutes)
        after = memory(pid)
        size = memory(pid, "VmRSS") >> 20
        queue = ", ".join(f"the queue, which analyses, {memory(one, 'VmRSS') >> 20} MB" for one in queues(pid))
        took = [took for took, _ in first[1:]]
        return {
            "cached_p95_ms": (p95(cached), len(cached), f"median {median_ms(cached)} ms, {rate(cached, seconds)}"),
            "search_p95_ms": (p95(search), len(search), f"median {median_ms(search)} ms, {rate(search, seconds)}"),
            "first_analysis_s": (
                round(statistics.median(took), 2),
                len(took),
                f"right after the start {first[0][0]:.2f} s",
            ),
            "worker_mb": (size, 1, queue),
            "errors_10_min": (
                errors,
                len(times),
                f"p95 {p95(times)} ms, {rate(times, 60 * minutes)}, {uploads} uploads",
            ),
            "growth": (round(after / before - 1, 4), 2, f"{before >> 20} MB, then {after >> 20} MB"),
        }


async def mix(
    session: aiohttp.ClientSession, path: Any, seeds: "itertools.count[int]", seconds: float
) -> tuple[list[float], int, int]:
    """Mixed load: response times in s, number of analysed uploads, and number of errors."""
    until = time.monotonic() + seconds
    uploads = 0

    async def upload() -> int:
        nonlocal uploads
        failed = 0
        while time.monotonic() < until:
            try:
                await analysed(session, next(seeds))
                uploads += 1
            except (AssertionError, KeyError, TypeError, aiohttp.ClientError) as fault:
                print(f"upload: {fault!r}", flush=True)
                failed += 1
            await asyncio.sleep(max(0.0, min(UPLOAD_EVERY_S, until - time.monotonic())))
        return failed

    (times, errors), failed = await asyncio.gather(ask(session, path, seconds), upload())
    return times, uploads, errors + failed


async def ask(session: aiohttp.ClientSession, path: Any, seconds: float) -> tuple[list[float], int]:
    """Response times in s with 50 clients that send requests continuously, and number of failed requests."""
    times: list[float] = []
    errors = 0
    until = time.monotonic() + seconds

    async def client() -> None:
        nonlocal errors
        while time.monotonic() < until:
            started, asked = time.monotonic(), path()
            try:
                async with session.get(asked) as answer:
                    await answer.read()
                    if answer.status != 200:
                        errors += 1
                        print(f"{asked}: {answer.status}", flush=True)
            except (aiohttp.ClientError, TimeoutError) as fault:
                errors += 1
                print(f"{asked}: {fault!r}", flush=True)
            times.append(time.monotonic() - started)

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return times, errors


async def analysed(session: aiohttp.ClientSession, seed: int) -> tuple[float, str]:
    """Seconds from an upload to its result, and the address of its page."""
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
            assert len(told["answer"]["similar"]) == 12 and told["answer"]["rhythm"], told
            return time.monotonic() - started, place
        assert told["state"] != "failed", told
        await asyncio.sleep(0.05)


def usable(address: str, home: Path) -> float:
    """Seconds until the map is usable: the median of five page loads."""
    found = []
    with Browser(home / "profile") as browser:
        for _ in range(5):
            browser.open("about:blank")
            browser.open(address, "performance.getEntriesByName('usable').length")
            found.append(browser.ask("performance.getEntriesByName('usable')[0].startTime") / 1000)
    return round(statistics.median(found), 2)


def memory(pid: int, kind: str = "RssAnon") -> int:
    """Resident memory of a process in bytes: without mapped files (RssAnon), or with them (VmRSS)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{kind}:")[2].split()[0]) * 1024


def queues(pid: int) -> list[int]:
    """Ids of a server's queue processes."""
    started = [one for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]
    return [int(one) for one in started if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def median_ms(times: list[float]) -> float:
    """Median in ms of times in s."""
    return round(1000 * statistics.median(times), 1)


def rate(times: list[float], seconds: float) -> str:
    """Text with the number of responses per second."""
    return f"{len(times) / seconds:.0f} answers a second"


def p95(times: list[float]) -> float:
    """95th percentile in ms of times in s."""
    return round(1000 * float(np.quantile(times, 0.95)), 1)


if __name__ == "__main__":
    main()
