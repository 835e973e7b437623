"""Scraping genres from saved pages: whole rows, snapshots that are added and never overwritten, the floor."""

import gzip
from datetime import UTC, date, datetime

import pytest

from conftest import make_config
from genreatlas.config import WorldSection
from genreatlas.errors import InputError, LimitReachedError
from genreatlas.sandbox.world import Faults, Rule, running_world
from genreatlas.sources.hosts import forget_hosts
from genreatlas.steps import scrape_genres
from genreatlas.store import Store
from genreatlas.tables import (
    EVERYNOISE_ARTISTS,
    EVERYNOISE_NEIGHBOURS,
    EVERYNOISE_PLAYLISTS,
    FETCH_ATTEMPTS,
    GENRES,
    QUARANTINE,
)

pytestmark = pytest.mark.slow

TRACK, SOUND, INTRO = "4U8dlWRlFeLv32fPyb825A", "1yckyfEZtFkkq7UPXHbLwi", "2yckyfEZtFkkq7UPXHbLwi"
NAMES = {"r&amp;b en espanol": "rbenespanol", "트로트": "teuroteu", "children's music": "childrensmusic"}


def map_page(names=NAMES, left=100):
    items = [
        f'<div id=item{n} class="genre scanme" style="color: #b18722; top: {100 * n}px; left: {left * n}px; '
        f'font-size: 100%" onclick="playx(&quot;{TRACK}&quot;, &quot;x&quot;, this);" title="e.g. A &quot;B&quot;">'
        f'{name}<a class=navlink href="engenremap-{slug}.html">&raquo;</a> </div>'
        for n, (name, slug) in enumerate(names.items(), start=1)
    ]
    return f"<html><body>{''.join(items)}</body></html>"


LIST = (
    f'<table><tr><td>1<td><a href="spotify:user:x:playlist:{SOUND}">☊</a><td><a href="everynoise1d-teuroteu.html">'
    "트로트</a></tr><tr><td>2<td><td><a href=everynoise1d-childrensmusic.html>children's music</a></tr></table>"
)
PAGE = (
    '<body><div class=title>Every Noise at Once &middot; r&amp;b en espanol '
    f'<a href="https://open.spotify.com/playlist/{INTRO}">playlist</a></div>'
    f'<div id=item1 class="genre scanme" style="top: 1px; left: 2px; font-size: 120%">A &amp; B'
    f'<a class=navlink href="spotify:artist:{TRACK}">&raquo;</a></div>'
    '<div id=nearbyitem1 class="genre" style="top: 3px; left: 4px">트로트'
    "<a class=navlink href=engenremap-teuroteu.html#tunnel>&raquo;</a></div></body>"
)  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    """Saved pages, and a configuration that reads them; more settings may be given."""
    (tmp_path / "map_2022-03-22.html").write_text(map_page())

    def configured(*more, name="map_2022-03-22.html"):
        return make_config(tmp_path, f'every_noise.map="{tmp_path / name}"', "every_noise.floor=3", *more)

    return tmp_path, configured


def rows(store, table):
    kept = [name for name in table.column_names if name not in table.volatile]
    return sorted((tuple(row) for row in store.read(table).select(*kept).collect()), key=str)


def genre(tmp_path, slug, name, place, rank=None, playlist=None, day=date(2022, 3, 22), file="map_2022-03-22.html"):
    scaled = (place - 1) / 2
    return (
        slug, day, name, rank, place, 100 * place, 100 * place, scaled, scaled, "#b18722", 100.0, "A", "B", TRACK, None,
        playlist, str(tmp_path / file),
    )  # fmt: skip


def test_a_map_becomes_a_snapshot_which_a_list_and_genre_pages_complete(store, saved):
    tmp_path, configured = saved
    counts = scrape_genres.run(store, configured())
    assert (counts.read, counts.written, counts.notes) == (3, 3, ("snapshot 2022-03-22: 3 genres",))
    first = [
        genre(tmp_path, "childrensmusic", "children's music", 3),
        genre(tmp_path, "rbenespanol", "r&b en espanol", 1),
        genre(tmp_path, "teuroteu", "트로트", 2),
    ]
    assert rows(store, GENRES) == first
    assert scrape_genres.run(store, configured()).read == 0
    assert rows(store, GENRES) == first

    (tmp_path / "list.html").write_text(LIST)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "engenremap-rbenespanol_2022-06-13.html").write_text(PAGE)
    (tmp_path / "pages" / "engenremap-unknown.html.gz").write_bytes(gzip.compress(PAGE.encode()))
    complete = configured(
        f'every_noise.list="{tmp_path / "list.html"}"',
        "every_noise.genre_pages=true",
        f'every_noise.pages="{tmp_path / "pages"}"',
    )
    counts = scrape_genres.run(store, complete)
    assert (counts.read, counts.written, counts.skipped) == (3, 3, 1)
    assert counts.notes == ("pages of genres that are not on the map: 1 (unknown)",)
    day = date(2022, 3, 22)
    expected = {
        GENRES: [
            genre(tmp_path, "childrensmusic", "children's music", 3, rank=2),
            genre(tmp_path, "rbenespanol", "r&b en espanol", 1, playlist=INTRO),
            genre(tmp_path, "teuroteu", "트로트", 2, rank=1, playlist=SOUND),
        ],
        EVERYNOISE_ARTISTS: [
            ("rbenespanol", day, 1, "A & B", TRACK, 120.0, 2, 1, None, None, None, None),
        ],
        EVERYNOISE_NEIGHBOURS: [("rbenespanol", day, "nearby", "teuroteu", "트로트", 1, None, 4, 3, None)],
        EVERYNOISE_PLAYLISTS: [
            ("rbenespanol", day, "sound", INTRO, None, None),
            ("teuroteu", day, "sound", SOUND, None, None),
        ],
    }
    assert {table: rows(store, table) for table in expected} == expected
    versions = {table.name: store.version(table) for table in expected}
    again = scrape_genres.run(store, complete)
    assert (again.read, again.written) == (0, 0)
    assert {table.name: store.version(table) for table in expected} == versions


def test_a_changed_map_is_a_new_snapshot_and_never_takes_the_day_of_another(store, saved):
    tmp_path, configured = saved
    scrape_genres.run(store, configured())
    (tmp_path / "later_2023-11-19.html").write_text(map_page(left=200))
    scrape_genres.run(store, configured(name="later_2023-11-19.html"))
    assert [row[1] for row in rows(store, GENRES)] == [date(2022, 3, 22), date(2023, 11, 19)] * 3
    before = rows(store, GENRES)
    (tmp_path / "undated.html").write_text(map_page(left=200))
    assert scrape_genres.run(store, configured(name="undated.html")).read == 0
    (tmp_path / "other.html").write_text(map_page(left=300))
    with pytest.raises(InputError, match="never overwritten"):
        scrape_genres.run(store, configured('every_noise.snapshot="2022-03-22"', name="other.html"))
    assert rows(store, GENRES) == before


@pytest.mark.parametrize(
    ("content", "settings", "problem"),
    [
        (map_page({"pop": "pop", "rock": "rock"}), (), "has 2 genres, fewer than the minimum of 3"),
        ("<html><body>403 Forbidden</body></html>", (), "has 0 genres"),
        (None, (), "cannot be read"),
        (map_page(), ('every_noise.list="{map}"',), "lists no genre"),
        (map_page(), ("every_noise.genre_pages=true", 'every_noise.pages="{folder}/none"'), "is not a folder"),
        (map_page(), ("every_noise.genre_pages=true", 'every_noise.genres=["pop"]'), "'pop' is not on the map"),
    ],
)
def test_a_page_that_cannot_be_right_is_an_error_and_no_table_is_touched(store, saved, content, settings, problem):
    tmp_path, configured = saved
    place = tmp_path / "odd.html"
    if content is not None:
        place.write_text(content)
    filled = [setting.format(map=place, folder=tmp_path) for setting in settings]
    with pytest.raises(InputError, match=problem):
        scrape_genres.run(store, configured(*filled, name="odd.html"))
    assert not store.exists(GENRES)


def test_a_wrong_snapshot_is_replaced_where_that_is_asked_for_and_wrong_pages_are_refused(store, saved):
    tmp_path, configured = saved
    half = dict(list(NAMES.items())[:2]) | {"polka": "polka"}
    (tmp_path / "half_2022-03-22.html").write_text(map_page(half))
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "engenremap-teuroteu.html").write_text(PAGE)  # the page of another genre
    (tmp_path / "pages" / "engenremap-childrensmusic.html").write_text(PAGE[:300])
    (tmp_path / "pages" / "engenremap-rbenespanol.html").write_text(PAGE)
    pages = ("every_noise.genre_pages=true", f'every_noise.pages="{tmp_path / "pages"}"')
    wrong = configured(*pages, name="half_2022-03-22.html")
    counts = scrape_genres.run(store, wrong)
    assert (counts.read, counts.written, counts.failed, counts.skipped) == (5, 4, 1, 1)
    assert "saved pages refused: wrong_content 1" in counts.notes[-1]
    [refused] = store.read(QUARANTINE).collect()
    assert (refused["stage"], refused["reason"]) == ("scrape_genres", "wrong_content")
    assert "teuroteu.html: it is the page of 'r&b en espanol'" in refused["detail"]
    again = scrape_genres.run(store, wrong)
    assert (again.read, again.failed, again.skipped) == (0, 0, 2)

    # What earlier releases stored of a wrong page.
    about = {"genre_id": "rbenespanol", "snapshot": date(2022, 3, 22), "scraped_at": datetime.now(UTC)}
    store.upsert(EVERYNOISE_ARTISTS, [about | {"position": 9, "name": "Nobody", "map_x": 1, "map_y": 1}])
    store.upsert(EVERYNOISE_PLAYLISTS, [about | {"role": "sound", "playlist_id": SOUND}])
    store.sql(f"UPDATE {store.location.sql('genres')} SET playlist_id = '{SOUND}' WHERE genre_id = 'rbenespanol'")
    with pytest.raises(InputError, match=r"every_noise\.replace=true"):
        scrape_genres.run(store, configured(*pages))
    counts = scrape_genres.run(store, configured(*pages, "every_noise.replace=true"))
    assert counts.notes[:2] == (
        "snapshot 2022-03-22: 3 genres",
        "the stored snapshot was replaced; 1 of its genres are not on this map",
    )
    assert rows(store, GENRES) == [
        genre(tmp_path, "childrensmusic", "children's music", 3),
        genre(tmp_path, "rbenespanol", "r&b en espanol", 1, playlist=INTRO),
        genre(tmp_path, "teuroteu", "트로트", 2),
    ]
    assert [row[3] for row in rows(store, EVERYNOISE_ARTISTS)] == ["A & B"]
    assert [row[3] for row in rows(store, EVERYNOISE_PLAYLISTS)] == [INTRO]
    reasons = {row["key"].rpartition("-")[2]: row["reason"] for row in store.read(QUARANTINE).collect()}
    assert reasons == {"teuroteu.html": "wrong_content", "childrensmusic.html": "incomplete_body"}
    versions = {table.name: store.version(table) for table in TABLES}
    scrape_genres.run(store, configured(*pages, "every_noise.replace=true"))
    assert {table.name: store.version(table) for table in TABLES} == versions


TABLES = (GENRES, EVERYNOISE_ARTISTS, EVERYNOISE_NEIGHBOURS, EVERYNOISE_PLAYLISTS)
QUICK = ("fan_out.backoff_s=0.01", "fan_out.retry_delay_s=0", "fan_out.read_s=2", "fan_out.breaker_failures=1000")


@pytest.fixture(scope="module")
def world():
    with running_world(WorldSection(port=0, genres=14, songs=20)) as started:
        yield started


def scraped(spark, world, folder, *more):
    forget_hosts()
    settings = [line for line in world.settings() if line.startswith("every_noise.")]
    config = make_config(
        folder, *settings, "every_noise.floor=10", "every_noise.genre_pages=true",
        'every_noise.snapshot="2023-11-19"', *QUICK, *more,
    )  # fmt: skip
    store = Store(spark, config.store, run_id="test-run")
    return store, lambda: scrape_genres.run(store, config)


def test_pages_fetched_in_a_storm_fill_the_same_tables_as_those_fetched_in_peace(spark, world, tmp_path):
    world.faults(Faults())
    quiet, run = scraped(spark, world, tmp_path / "quiet")
    world.control(clear_log=True)
    counts = run()
    assert (counts.read, counts.written, counts.failed) == (28, 28, 0)
    assert len(world.log("everynoise")) == 16  # the map, the list, and each page once
    assert run().read == 0
    assert len(world.log("everynoise", "engenremap-")) == 14
    stormy, run = scraped(spark, world, tmp_path / "stormy", "fan_out.max_attempts=9")
    world.faults(Faults(share=0.3, stall_s=3.0, retry_after_s=0.1))
    counts = run()
    assert counts.failed == 0
    assert sum(entry["fault"] is not None for entry in world.log("everynoise")) >= 3
    for table in TABLES:
        assert rows(stormy, table) == rows(quiet, table)
    assert {len(rows(quiet, table)) for table in TABLES} == {14, 14 * 4, 14 * 20, 14 * 5}


def test_a_site_that_wants_to_be_left_alone_is_and_a_page_that_is_gone_has_its_reason(spark, world, tmp_path):
    store, run = scraped(spark, world, tmp_path)
    rules = (Rule("not_found", path="engenremap-folk", times=-1), Rule("paused", path="engenremap-rock"))
    world.faults(Faults(rules=rules))
    with pytest.raises(LimitReachedError, match="every_noise until"):
        run()
    assert len(rows(store, GENRES)) == 14
    world.faults(Faults(rules=rules[:1]))
    store.sql(f"UPDATE {store.location.sql('fetch_attempts')} SET next_retry_at = now() - INTERVAL 1 MINUTE")
    forget_hosts()
    counts = run()
    assert counts.notes == ("pages given up: 1 (not_found)",) or counts.failed == 0
    pages = {row[0] for row in rows(store, EVERYNOISE_ARTISTS)}
    assert {row[0] for row in rows(store, GENRES)} - pages == {"folk"}
    failed = store.read(FETCH_ATTEMPTS).where("status = 'final'").collect()
    assert [(row["key"], row["reason"]) for row in failed] == [("2023-11-19 folk", "not_found")]
