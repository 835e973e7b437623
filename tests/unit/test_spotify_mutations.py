"""Bodies of Spotify and Deezer with any value changed into something odd: a field is lost, never a list or a run."""

import copy
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pyarrow as pa
import pytest
from test_spotify_bodies import ONE, SOUND, TWO, track_body

from genreatlas.config import SpotifySection
from genreatlas.errors import FetchError
from genreatlas.fanout.work import ATTEMPT_ARROW, Attempt, Result, to_batch
from genreatlas.sources.json_values import UnexpectedBody
from genreatlas.sources.previews import deezer
from genreatlas.sources.spotify.analysis import parse_analysis, parse_audio_features
from genreatlas.sources.spotify.lists import Wanted, read_playlist
from genreatlas.sources.spotify.pages import (
    parse_page,
    parse_playlist,
    parse_playlist_page,
    parse_track,
    parse_track_page,
)
from genreatlas.sources.spotify.song_rows import list_rows
from genreatlas.tables import ARTISTS, PLAYLISTS, SONG_ARTISTS, SONG_GENRES, SONGS, SPOTIFY_AUDIO

#: What takes the place of a value: nothing, other types, extremes, impossible times, halves of characters, and so on.
ODD = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**400, float("nan"), float("inf"), -1e308, "", " ", "x", "\ud800",
    "a\ud83d", "\x00\x1b[2J\u202e", "9" * 5000, "0000-00-00", "2021-02-30", "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00", "http://[bad", "https://x.example/\ud800", [], [[]], [None], {}, {"id": 7},
    {"items": 7},
)  # fmt: skip
THREE = "0000000000000000000thr"


def playlist_body(key="track", form="tracks"):
    entries = [
        {"added_at": "2021-05-03T09:30:00Z", "is_local": False, key: track_body(identity)}
        for identity in (ONE, TWO, THREE)
    ]
    page = {"items": entries, "limit": 100, "offset": 0, "total": 3, "next": None, "href": "https://api.example/x"}
    owner = {"id": "oona", "display_name": "Oona"}
    head = {"id": "P1", "name": "Shoegaze", "owner": owner, "public": True, "snapshot_id": "MTY", "type": "playlist"}
    return head | {form: page}


def places(body, path=()):
    """Paths of all nodes of a body."""
    if path:
        yield path
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed(body, path, value):
    """A copy of a body with another value at a path."""
    found = copy.deepcopy(body)
    *parents, last = path
    node = found
    for key in parents:
        node = node[key]
    node[last] = value
    return found


def mutations(body, among=None, values=ODD):
    """The body with one value changed; where it is a list of like things, only in the thing of that number."""
    for path in places(body):
        if among is None or len(path) < 3 or path[2] == among:
            for value in values:
                yield path, value, changed(body, path, value)


TYPES = {
    "string": pa.string(), "int": pa.int32(), "boolean": pa.bool_(), "double": pa.float64(), "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"), "map<string,int>": pa.map_(pa.string(), pa.int32()),
}  # fmt: skip


def as_tables(answer):
    """An answer on its way into the tables: JSON, Arrow, rows; fails where one would."""
    schema = pa.schema(
        {"key": pa.string(), "provider": pa.string(), "attempts": pa.list_(ATTEMPT_ARROW), "answer": pa.string()}
    )
    text = json.dumps(answer, ensure_ascii=False)
    batch = to_batch([Result("k", (Attempt("spotify", 1, "ok"),), "spotify", {"answer": text})], schema)
    assert batch.column(1).to_pylist() == ["spotify"]
    found = list_rows([json.loads(batch.column(3)[0].as_py())])
    rows = {SONGS: list(found.songs.values()), ARTISTS: found.artist_rows, SONG_ARTISTS: found.song_artists,
            SONG_GENRES: found.labels, PLAYLISTS: found.playlists}  # fmt: skip
    for table, them in rows.items():
        for row in them:
            for name, value in row.items():
                kind = table.column(name).type.lower().replace(" ", "")
                entries = list(value.items()) if isinstance(value, dict) else value
                pa.array([entries], TYPES[kind])
    return found


class Answers:
    """A Spotify that has one playlist."""

    settings = SpotifySection(max_entries=3)

    def __init__(self, body):
        self.body = body

    def playlist(self, _):
        return parse_playlist(self.body)

    def further_pages(self, playlist, _):
        return iter(())


GENRES = [Wanted("shoegaze", "Shoegaze", "everynoise", "sound", 9)]


@pytest.mark.parametrize(("key", "form", "values"), [("track", "tracks", ODD[::2]), ("item", "items", ODD[1::2])])
def test_no_odd_value_in_a_playlist_costs_more_than_its_own_track(key, form, values):
    body, costly = playlist_body(key, form), 0
    whole = as_tables(read_playlist(Answers(body), "P1", GENRES, None))
    assert len(whole.songs) == 3
    for path, value, odd in mutations(body, 1, values):
        try:
            found = as_tables(read_playlist(Answers(odd), "P1", GENRES, None))
        except (UnexpectedBody, FetchError) as problem:
            costly += 1
            assert path in ((form,), (form, "items"), ("type",)), (path, value, problem)
            continue
        if path[:1] == (form,) and len(path) > 2:
            others = {name: row for name, row in whole.songs.items() if row["spotify_id"] != odd_id(path, form)}
            assert others.items() <= found.songs.items(), (path, value)
    assert costly >= 3


def odd_id(path, form):
    """Id of the track in which a path lies; None outside the entries."""
    return (ONE, TWO, THREE)[path[2]] if path[1] == "items" else None


def test_every_other_body_with_odd_values_is_read_or_refused_and_nothing_else():
    sound = {"audio_features": [SOUND | {"id": ONE}, None, SOUND | {"id": TWO}]}
    tracks = {"tracks": {"items": [track_body(), track_body(TWO)], "limit": 10, "offset": 0, "total": 2, "next": None}}
    lists = {"playlists": {"items": [{"id": "P1", "name": "x", "owner": {"id": "o"}}, None], "next": None}}
    interval = {"start": 0.5, "duration": 1.0, "confidence": 0.5}
    segment = interval | {"pitches": [0.5] * 12, "timbre": [1.0] * 12, "loudness_start": -9.0}
    analysis = {
        "meta": {"status_code": 0, "analyzer_version": "4.0.0"}, "track": {"duration": 30.0, "tempo": 120.0, "key": 1},
        "bars": [interval], "beats": [], "tatums": [], "sections": [interval | {"key": 1}], "segments": [segment],
    }  # fmt: skip
    found = {"id": 7, "title": "x", "artist": {"name": "A"}, "contributors": [{"name": "B"}], "duration": 200,
             "isrc": "GBDUW0000053", "preview": "https://cdn.example/x"}  # fmt: skip
    bodies = ((parse_audio_features, sound), (parse_track_page, tracks), (parse_playlist_page, lists),
              (parse_analysis, analysis), (deezer.parse_track, found), (parse_track, track_body()))  # fmt: skip
    for parse, body in bodies:
        parse(body)
        for _, _, odd in mutations(body):
            try:
                json.dumps(repr(parse(odd))).encode()
            except (UnexpectedBody, FetchError):
                continue
    for value in ODD:
        for parse, _ in bodies:
            if parse is not parse_track:
                with pytest.raises((UnexpectedBody, FetchError)):
                    parse(value)


def test_features_out_of_their_range_are_missing():
    for path, _, odd in mutations({"audio_features": [SOUND | {"id": ONE}]}):
        if path[-1] not in SOUND:
            continue
        [features] = parse_audio_features(odd) or [SimpleNamespace(values={})]
        for name, value in features.values.items():
            kind = {"int": pa.int32(), "double": pa.float64()}[SPOTIFY_AUDIO.column(name).type]
            pa.array([value], kind)
            assert value is None or name in ("loudness", "tempo", "key", "time_signature") or 0 <= value <= 1


def test_a_withdrawn_track_is_no_song():
    gone = track_body(
        name="", duration_ms=0, artists=[{"id": None, "name": ""}], popularity=0,
        album={"name": "", "release_date": "0000", "release_date_precision": "year", "artists": [{"name": ""}]},
    )  # fmt: skip
    assert parse_track(gone) == "withdrawn"
    body = playlist_body()
    body["tracks"]["items"][1]["track"] = gone
    found = parse_playlist(body).page
    assert len(found.tracks) == 2 and found.left_out == {"withdrawn": 1}
    assert parse_track(track_body(name="")).title is None  # its length says that there is a song


def test_the_answer_to_another_question_is_no_list_of_nulls():
    search = {"tracks": {"items": [track_body(), track_body(TWO)], "limit": 2, "offset": 0, "total": 9, "next": None}}
    with pytest.raises(UnexpectedBody, match="a playlist was requested"):
        parse_playlist(search)
    with pytest.raises(UnexpectedBody, match="entries of a playlist were requested"):
        parse_page(search["tracks"])
    with pytest.raises(UnexpectedBody, match="entries of a playlist were requested"):
        parse_playlist(playlist_body() | search)
    with pytest.raises(UnexpectedBody, match="tracks were requested"):
        parse_track_page(playlist_body())
    with pytest.raises(UnexpectedBody, match="playlists"):
        parse_playlist_page({"playlists": {"items": [track_body()]}})
    with pytest.raises(UnexpectedBody, match="audio features"):
        parse_audio_features({"audio_features": [7, "x"]})


def test_a_value_that_no_table_takes_costs_its_key_and_not_the_run():
    schema = pa.schema(
        [("key", pa.string()), ("provider", pa.string()), ("attempts", pa.list_(ATTEMPT_ARROW)), ("n", pa.int32()),
         ("words", pa.list_(pa.string()))]
    )  # fmt: skip
    attempt = Attempt("spotify", 1, "ok", at=datetime.now(UTC))
    values = [
        {"n": 1, "words": ["a"]},
        {"n": 2**40, "words": []},
        {"n": 2, "words": ["b\ud800"]},
        {"n": "x", "words": 7},
    ]
    results = [Result(str(place), (attempt,), "spotify", value) for place, value in enumerate(values)]
    rows = to_batch(results, schema).to_pylist()
    assert [(row["provider"], row["n"], row["words"]) for row in rows] == [
        ("spotify", 1, ["a"]), (None, None, None), ("spotify", 2, ["b?"]), (None, None, None),
    ]  # fmt: skip
    assert [row["attempts"][0]["reason"] for row in rows] == [None, "wrong_content", None, "wrong_content"]
    assert rows[1]["attempts"][0]["status"] == "final"
