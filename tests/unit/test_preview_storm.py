"""Clips from the sandbox world while three of ten requests go wrong: none hangs, none is lost, none is another."""

import hashlib
from collections import Counter

import pytest

from genreatlas.collecting.preview_fetch import PreviewFetch
from genreatlas.config import FanOutSection, HostLimit, SandboxSection, WorldSection, load_config
from genreatlas.fanout.runners import results
from genreatlas.fanout.work import Task
from genreatlas.sandbox.composed_library import write_library
from genreatlas.sandbox.world import Catalogue, running_world
from genreatlas.sandbox.world.scripted_faults import storm
from genreatlas.sources.hosts import forget_hosts

SONGS = 60


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "music"
    library = SandboxSection(
        path=path, genres=("house", "folk"), artists_per_genre=1, songs_per_artist=1, seconds=2.0, broken_files=False
    )
    write_library(library, workers=1)
    section = WorldSection(port=0, genres=2, songs=SONGS // 2)
    with running_world(section, library) as world:
        catalogue = Catalogue(section, library)
        world.tasks = [Task(f"{n:03}", row_of(catalogue.song(n), catalogue)) for n in range(SONGS)]
        world.config = load_config(
            [], [*world.settings(), "deezer.acknowledge_terms=true", 'fetch_previews.providers=["deezer"]']
        )
        yield world


def row_of(song, catalogue):
    artist = "; ".join(catalogue.artist_name(number) for number in song.artists)
    known = {"title": song.title, "artist": artist, "isrc": song.isrc, "duration_ms": song.duration_ms}
    return dict.fromkeys(("preview_url", "example_url", "file_url", "checksum", "licence")) | known


def collect(world, settings):
    """Run passes until every key is fetched or given up, as the fan-out does."""
    tasks, found, passes = list(world.tasks), {}, 0
    while tasks and passes < 2 * settings.max_attempts:
        passes += 1
        again = []
        by_key = {task.key: task for task in tasks}
        for result in results(tasks, PreviewFetch.of(world.config), settings, {}):
            last = result.attempts[-1]
            if last.status == "retry":
                again.append(Task(result.key, by_key[result.key].row, {last.provider: last.attempt}))
            elif result.provider:
                found[result.key] = hashlib.sha256(result.values["audio"]).hexdigest()
            else:
                found[result.key] = last.reason
        tasks = again
    assert not tasks
    return found


def test_a_storm_changes_nothing_but_the_time_that_it_takes(world):
    quick = {"backoff_s": 0.01, "backoff_cap_s": 0.05, "retry_delay_s": 0.0, "max_attempts": 8, "breaker_failures": 50}
    hosts = {
        host.split("//")[1]: HostLimit(requests=200, window_s=1.0, concurrency=8) for host in world.addresses.values()
    }
    settings = FanOutSection(**quick, read_s=1.0, total_s=2.0, threads=8, hosts=hosts)
    quiet = collect(world, settings)
    reasons = Counter(value for value in quiet.values() if len(value) != 64)
    assert set(reasons) == {"no_preview", "not_found", "version_mismatch"} and len(quiet) == SONGS
    world.control(faults=storm(0.3, retry_after_s=0.05, stall_s=3.0).values(), clear_log=True)
    forget_hosts()
    stormy = collect(world, settings)
    assert stormy == quiet
    faults = Counter(entry["fault"] for entry in world.log() if entry["fault"])
    assert sum(faults.values()) > 25 and len(faults) > 8
    for service in ("deezer", "cdn"):
        assert world.busiest(service, 1.0) <= 200
