"""What the map's page says of genres, from rows as the tables have them."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genreatlas.audio.uris import path_to_uri
from genreatlas.config import load_config
from genreatlas.report import map_lenses, map_queries, sounds
from genreatlas.report.map_data import MapExample

RATE = 22050


def clip(genre, **changes):
    row = {
        "genre_id": genre, "rank": 1, "song_id": f"song of {genre}", "title": "Song", "artist": "Ann",
        "spotify_id": None, "source_key": "k", "uri": "clip_audio:1", "path": "p", "start_s": 0.0,
        "length_s": 30.0, "duration_s": 30.0, "mime": "audio/wav", "bytes": 9, "ingest_batch": "b",
        "sha256": "x", "provider": "deezer",
    }  # fmt: skip
    return row | changes


def test_the_most_discriminative_features_differ_between_genres_more_than_inside_them():
    mean = np.array([[0.0, 10.0, 5.0, 1.0], [1.0, 10.1, 5.0, np.nan], [2.0, 9.9, 5.0, 3.0]])
    spread = np.array([[0.1, 5.0, 1.0, 0.5], [0.1, 5.0, 1.0, np.nan], [0.1, 5.0, 1.0, 0.5]])
    assert map_queries.most_discriminative(mean, spread, 2) == [0, 3]
    assert map_queries.most_discriminative(mean, spread, 9) == [0, 1, 3]  # the third is the same everywhere
    assert map_queries.most_discriminative(np.zeros((3, 0)), np.zeros((3, 0)), 9) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"known": True}, "given by the library, distance 0.42"),
        ({"influence": True, "years_older": 7.6}, "given as an influence, 8 years older, distance 0.42"),
        ({"name_head": True, "artist_containment": 0.335, "years_older": -3.0},
         "by its name, contains 34 % of its artists, 3 years younger, distance 0.42"),
        ({"artist_containment": float("nan"), "influence": None, "years_older": 0.4}, "distance 0.42"),
    ],
)  # fmt: skip
def test_evidence_of_a_parent_is_said_in_words(changes, said):
    row = {"known": False, "influence": False, "name_head": False, "artist_containment": 0.0, "years_older": None,
           "distance": 0.42}  # fmt: skip
    assert map_queries._evidence(row | changes) == said


def test_excerpts_of_fetched_clips_are_embedded_until_the_page_is_full(monkeypatch):
    content = io.BytesIO()
    soundfile.write(content, 0.3 * np.sin(np.arange(30 * RATE) / 20), RATE, format="WAV")
    monkeypatch.setattr(sounds, "with_audio", lambda _, clips: clips.assign(audio=[content.getvalue()] * len(clips)))
    found = map_queries._embedded(None, [clip("a"), clip("b")])
    assert found.keys() == {"a", "b"} and found["a"].title == "Ann – Song"
    size = len(found["a"].source)
    assert found["a"].source.startswith("data:audio/mpeg;base64,") and size < 300_000  # ten seconds of thirty
    monkeypatch.setattr(map_queries, "MOST_AUDIO", 1.5 * size)
    assert map_queries._embedded(None, [clip("a"), clip("b")]).keys() == {"a"}


def test_examples_are_files_beside_the_page_or_links_never_what_a_browser_cannot_play(tmp_path, monkeypatch):
    file = tmp_path / "music" / "a: b?.mp3"
    file.parent.mkdir()
    file.write_bytes(b"x")
    local = {"uri": path_to_uri(file), "mime": "audio/mpeg", "duration_s": 300.0, "start_s": 135.0}
    folder = tmp_path / "report"
    assert map_queries._beside(clip("a", **local), folder) == MapExample(
        "Ann – Song", "../music/a: b?.mp3", part=(135.0, 165.0)
    )
    assert map_queries._beside(clip("a", **local), file.parent).source == "./a: b?.mp3"
    gone = {"uri": path_to_uri(tmp_path / "gone.mp3"), "mime": "audio/mpeg"}
    for changes in (local | {"mime": "audio/aiff"}, gone, {"uri": None}, {}):
        assert map_queries._beside(clip("a", **changes), folder) is None
    known = clip("a", spotify_id="4uLU6hMCjMI75M1A2tKUQC")
    assert map_queries._link(known, load_config([], [])).link == "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
    sandbox = load_config([Path(__file__).parents[2] / "conf" / "demo.toml"])
    assert map_queries._link(known, sandbox) is None and map_queries._link(clip("a"), load_config([], [])) is None


def test_a_lens_says_how_far_it_can_be_trusted_and_how_it_compares():
    row = {"map_id": "b", "lens": "labelled", "trustworthiness": np.nan, "continuity": None, "axes_r2_x": 0.93,
           "axes_r2_y": 0.915, "n_left_out": 2}  # fmt: skip
    lens = map_lenses.describe(row, {"b": (0.553, -0.004)})
    assert (lens.x_ends, lens.y_ends) == (("dense", "spiky"), ("electric", "organic"))
    for words in ("93 % of the ranks from left to right", "by 0.55", "2 genres are not on this map"):
        assert words in lens.note
    plain = map_lenses.describe(row | {"lens": "mood_board", "axes_r2_x": None, "n_left_out": np.nan}, {})
    assert (plain.title, plain.note, plain.x_ends) == ("Mood board", "", None)
