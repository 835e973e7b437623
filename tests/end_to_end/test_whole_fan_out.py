"""From a scraped page to fetched clips: killed in a storm of faults as in peace, and what a new app can do.

Runs that are killed again and again are in ``test_fan_out_killed.py``.
"""

from contextlib import contextmanager

import pytest
from chaos import command, library
from secrets_left import CREDENTIALS, assert_no_secret_below, assert_no_secret_in
from test_killed import kill_when
from whole_jobs import assert_equal_stores, rows

from genreatlas.config import WorldSection, load_config
from genreatlas.runner import run_steps
from genreatlas.sandbox.world import Faults, running_world
from genreatlas.sources.hosts import forget_hosts
from genreatlas.tables import CLIPS, SONG_GENRES, SPOTIFY_ACCESS

STEPS = ("scrape_genres", "collect_songs", "fetch_previews")
WORLD = WorldSection(port=0, genres=2, songs=9)
QUICK = ("every_noise.floor=2", "fan_out.backoff_s=0.01", "fan_out.backoff_cap_s=0.1", "fan_out.chunk_rows=6")
STORM = Faults(share=0.3, retry_after_s=0.1, stall_s=3.0)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return library(tmp_path_factory.mktemp("library"), ("house", "folk"), seconds=2.0)


@pytest.fixture
def serve(songs, tmp_path, monkeypatch):
    """Serves a world; gives what makes the command line of all three steps against it."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)

    @contextmanager
    def served(section, *more):
        with running_world(section, songs) as world:
            yield world, lambda name: command(tmp_path / name, world, songs, STEPS, *QUICK, *more)

    return served


def run_here(arguments, spark, *more, steps=STEPS):
    """Run steps in this process's session as a command line says, as a process that knows nothing of the world."""
    forget_hosts()
    job = arguments.index("pipeline")
    run_steps(steps, spark, load_config([arguments[job + 2]], [*arguments[job + 4 :: 2], *more]))


@pytest.mark.slow
def test_killed_in_a_storm_the_fan_out_ends_as_in_peace_and_leaves_no_secret(serve, spark, tmp_path, capfd):
    with serve(WORLD) as (world, arguments):
        run_here(arguments("quiet"), spark)
        asked = len(world.log())
        world.faults(STORM)
        world.control(clear_log=True)
        # By then the genres are stored, and songs are being collected.
        kill_when(arguments("stormy"), lambda: len(world.log("spotify")) >= 8)
        run_here(arguments("stormy"), spark)
        assert len({entry["fault"] for entry in world.log()} - {None}) > 5
        assert asked < len(world.log()) < 5 * asked
    assert_equal_stores(tmp_path / "quiet", tmp_path / "stormy")
    assert len(rows(tmp_path / "stormy", CLIPS)) > 12
    assert list((tmp_path / "stormy" / "events").rglob("*"))
    for home in ("quiet", "stormy"):
        assert assert_no_secret_below(tmp_path / home) > 100
    said = capfd.readouterr()
    assert_no_secret_in(said.out + said.err, "output")


@pytest.mark.slow
def test_a_new_app_finds_songs_by_artist_and_clips_elsewhere_at_the_stated_rate(serve, spark, tmp_path):
    section = WORLD.model_copy(update={"app": "development"})
    with serve(section, 'fetch_previews.providers=["spotify", "deezer"]') as (world, arguments):
        run_here(arguments("new"), spark, steps=STEPS[:2])
        assert world.log("spotify", "/items") == []
        limits = ", ".join(
            f'"{world.addresses[service].split("//")[1]}" = {{requests = 5, window_s = 0.5, concurrency = 4}}'
            for service in ("deezer", "cdn")
        )
        rates = (f"fan_out.hosts={{{limits}}}", "fan_out.runner=executors")
        run_here(arguments("new"), spark, *rates, steps=STEPS[2:])
        assert 1 <= world.busiest("deezer", 0.5) <= 5 and 1 <= world.busiest("cdn", 0.5) <= 5
    home = tmp_path / "new"
    labels, clips = rows(home, SONG_GENRES), rows(home, CLIPS)
    assert set(labels.label_source) == {"artist"} and labels.genre_id.nunique() == 2
    assert set(clips.provider) == {"deezer"} and set(clips.song_id) <= set(labels.song_id)
    allowed = rows(home, SPOTIFY_ACCESS).set_index("ability").allowed
    assert not allowed["audio_features"] and not (home / "tables" / "features_spotify_audio").exists()
    assert assert_no_secret_below(home) > 50
