"""Requests, time and memory of the Spotify client without Spark, for sandbox worlds of any size.

``python benchmarks/spotify_requests.py --genres 300 3000`` reads every playlist of a world with the fetch function and
thread pool of ``collect_songs``, then the audio features of all songs, then every playlist again with known snapshot
ids. ``benchmarks/fan_out.py`` measures the whole steps.
"""

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genreatlas.config import Config, SandboxSection, WorldSection, load_config
from genreatlas.fanout.runners import results
from genreatlas.fanout.work import Task
from genreatlas.sandbox.world import World, running_world
from genreatlas.sources.every_noise import parse_list
from genreatlas.sources.every_noise.page_rows import fetch_page
from genreatlas.sources.genres import Genre
from genreatlas.sources.hosts import forget_hosts
from genreatlas.sources.spotify.lists import SpotifyFetch, open_spotify
from genreatlas.sources.spotify.routes import NamedList, shares

BATCH = 100


def main() -> None:
    """Run the measurements and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genres", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--songs", type=int, default=150)
    given = parser.parse_args()
    os.environ |= {"SPOTIFY_CLIENT_ID": "sandbox", "SPOTIFY_CLIENT_SECRET": "sandbox"}
    print("| genres | what | keys | s | CPU s here | resident MB | requests |\n|---|---|---|---|---|---|---|")
    for genres in given.genres:
        with tempfile.TemporaryDirectory(prefix="genreatlas-bench-") as folder:
            section = WorldSection(port=0, genres=genres, songs=given.songs)
            with running_world(section, SandboxSection(path=Path(folder) / "music")) as world:
                measure(world, genres)


def measure(world: World, genres: int) -> None:
    """Measure one world: playlists, features, playlists again."""
    config = load_config([], [*world.settings(), "spotify.acknowledge_terms=true"])
    forget_hosts()
    page = fetch_page(config.fan_out, config.every_noise.list, lambda body: bool(parse_list(body)))
    listed = [one for one in parse_list(page) if one.playlist_id]
    named = [NamedList(str(one.playlist_id), Genre(one.slug, one.name), "everynoise", "sound") for one in listed]
    requests = {
        key: {"playlist_id": key, "genres": [vars(genre) for genre in wanted], "snapshot": None}
        for key, wanted in shares(named, config.spotify.songs_per_genre).items()
    }
    songs: dict[str, None] = {}
    again = {}
    with timed(world, genres, "playlists", len(requests)):
        for key, answer in ask(config, "playlist", requests):
            songs |= dict.fromkeys(song["song"]["spotify_id"] for song in answer["songs"])
            again[key] = requests[key] | {"snapshot": answer["playlist"]["snapshot"]}
    ids = sorted(songs)
    batches = {str(start): ids[start : start + BATCH] for start in range(0, len(ids), BATCH)}
    with timed(world, genres, f"features of {len(ids):,} songs", len(batches)):
        assert sum(1 for _ in ask(config, "features", batches)) == len(batches)
    with timed(world, genres, "playlists again", len(again)):
        assert all(answer["unchanged"] for _, answer in ask(config, "playlist", again))


def ask(config: Config, kind: str, requests: dict) -> Iterator[tuple[str, dict]]:  # type: ignore[type-arg]
    """Fetch requests as the fan-out's driver does."""
    fetch = SpotifyFetch(config.spotify, open_spotify(config.spotify, config.fan_out))
    tasks = (Task(key, {"kind": kind, "request": json.dumps(request)}) for key, request in requests.items())
    for result in results(tasks, fetch, config.fan_out, {}):
        assert result.provider, result.attempts
        yield result.key, json.loads(result.values["answer"])


@contextmanager
def timed(world: World, genres: int, what: str, keys: int) -> Iterator[None]:
    """Measure the block and print its row of the table."""
    world.control(clear_log=True)
    clock, cpu = time.monotonic(), time.process_time()
    yield
    seconds, cpu = time.monotonic() - clock, time.process_time() - cpu
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    counts: Counter[str] = Counter()
    for row in world.counts():
        counts[f"{row['service']} {row['path']}"] += row["requests"]
    asked = ", ".join(f"{number:,} {kind}" for kind, number in sorted(counts.items()))
    print(f"| {genres:,} | {what} | {keys:,} | {seconds:.0f} | {cpu:.0f} | {resident:.0f} | {asked} |", flush=True)


if __name__ == "__main__":
    main()
