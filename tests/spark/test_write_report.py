"""The page from real tables: its numbers, its sounds, and when it is written anew."""

import base64
import io
import json
import re
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import soundfile

from conftest import make_config
from genreatlas.audio.uris import path_to_uri
from genreatlas.counts import Counts
from genreatlas.report import playlists, queries, sounds
from genreatlas.report.data import Player, ReportData
from genreatlas.report.queries import sample
from genreatlas.steps import write_report
from genreatlas.store import Store
from genreatlas.tables import (
    CLIPS,
    FEATURE_SETS,
    GENERATED_PLAYLIST_SONGS,
    GENERATED_PLAYLISTS,
    GENRE_EVOLUTION,
    GENRE_NEIGHBOURS,
    GENRE_PARENTS,
    GENRE_POSITIONS,
    GENRE_PROFILES,
    GENRE_REGIONS,
    GENRE_TREE,
    GENRE_TYPICAL_SONGS,
    MAPS,
    METRICS,
    MODELS,
    PREDICTIONS,
    QUARANTINE,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    SPLITS,
    Column,
    summary_table,
)
from report_factory import metric, model

RATE = 22050
GENRES = {"fado": "Fado", "polka": "Polka"}
SET = summary_table(
    "tiny2", "Two numbers.", (Column("tempo", "double", "Beats."), Column("rms", "double", "Loudness."))
)
BEST = "sklearn-random_forest-tiny2"


def songs():
    """Ten songs of each genre; the first of each is in the test part."""
    return [(f"{genre}{i}", genre, "test" if i == 0 else "train") for genre in GENRES for i in range(10)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def library(spark, folder):
    """Twenty songs with features, one model, and its judgement. Tests only add what other tests do not look at."""
    store = Store(spark, make_config(folder).store, run_id="test-run")
    names = songs()
    facts = {"source": "folder", "artist": "A & B"}
    put(store, SONGS, [{"song_id": s, "title": f"<i>{s}</i>", **facts} for s, _, _ in names])
    labels = [{"song_id": s, "genre_id": g, "source": "x", "genre": GENRES[g], "weight": 1.0} for s, g, _ in names]
    put(store, SONG_GENRES, labels)
    put(store, SONG_ARTISTS, [{"song_id": s, "position": 0, "artist_id": s, "role": "primary"} for s, _, _ in names])
    put(store, CLIPS, [clip(folder, song) for song, _, _ in names])
    kept = [{"split": "default", "song_id": s, "split_version": 1, "group_id": s, "grouped_by": "artist", "part": p}
            for s, _, p in names]  # fmt: skip
    put(store, SPLITS, kept)
    put(store, FEATURE_SETS, [described(i, f) for i, f in enumerate(("tempo", "rms"))])
    rows = [{"clip_id": f"c-{s}", "set_version": "1", "preprocessing_id": "p1", "song_id": s,
             "tempo": 100.0 + 40 * (g == "polka") + i % 7, "rms": None if i == 3 else i / 20.0}
            for i, (s, g, _) in enumerate(names)]  # fmt: skip
    put(store, SET, rows)
    put(store, QUARANTINE, [{"stage": "import_folder", "key": f"k{i}", "version": "1", "reason": "not_audio",
                             "detail": "text", "path": "a.mp3"} for i in range(3)])  # fmt: skip
    put(store, MODELS, [model("sklearn", "random_forest", "tiny2", classes=list(GENRES), features=["tempo", "rms"],
                              class_names=list(GENRES.values()))])  # fmt: skip
    figures = [metric(BEST, "macro_f1", 0.3456), metric(BEST, "accuracy", 0.5, low=None, high=None)]
    figures += [metric(BEST, "f1", 0.25, genre_id=genre) for genre in GENRES]
    figures += [metric(BEST, "confusion", n, genre_id=a, other=b, low=None, high=None)
                for a, b, n in (("fado", "polka", 1.0), ("polka", "polka", 1.0))]  # fmt: skip
    put(store, METRICS, figures)
    put(store, PREDICTIONS, [prediction("fado0", "fado", 0.8), prediction("polka0", "polka", 0.9)])
    return store


def put(store, table, rows):
    store.append(table, store.frame(table, rows))


def clip(folder, song):
    path = folder / f"{song} 🎺.wav"
    if song != "gone":
        soundfile.write(path, 0.3 * np.sin(np.arange(2 * RATE) / 20), RATE)
    return {
        "clip_id": f"c-{song}", "ingest_batch": "b", "song_id": song, "provider": "folder", "audio_id": song,
        "sha256": song, "uri": path_to_uri(path), "path": path.name, "window_rule": "start:30", "start_s": 0.0,
        "length_s": 2.0, "mime": "audio/wav", "sample_rate": RATE, "channels": 1, "duration_s": 2.0, "bytes": 88244,
    }  # fmt: skip


def described(position, feature):
    return {"feature_set": "tiny2", "set_version": "1", "position": position, "feature": feature, "kind": "numeric",
            "axis": "summary", "unit": "", "preprocessing_id": "p1", "source": "a.csv"}  # fmt: skip


def prediction(song, genre, polka):
    return {
        "model_id": BEST, "song_id": song, "group_id": song, "part": "test", "genres": [genre], "predicted": "polka",
        "confidence": polka, "scores": {"polka": polka, "fado": 0.1}, "score_kind": "probability", "n_rows": 1,
    }  # fmt: skip


@pytest.fixture
def config(folder, tmp_path):
    """The library's configuration, with a folder of its own for the page."""
    listening = f'playlist.path="{tmp_path / "playlists"}"'
    return make_config(folder, f'report.path="{tmp_path}"', "report.embed_audio=true", listening)


def test_the_page_shows_what_the_tables_hold(library, config):
    counts = write_report.run(library, config)

    html = (config.report.path / "index.html").read_text(encoding="utf-8")
    assert counts == Counts(read=1, written=1, notes=(f"report: {config.report.path / 'index.html'}",))
    assert '<data value="0.3456">0.35</data>' in html
    assert "<i>" not in html.replace("<i>yes</i>", "")
    assert re.search(r"not audio<small>import_folder</small></th><td><data value=\"3.0\">3</data>", html)
    assert html.count("<audio") == 1
    assert "data:audio/wav;base64," in html
    assert html.count("data:image/png;base64,") == 2
    assert {"leaderboard.svg", "spectrogram_00.png", "report.json"} <= {p.name for p in config.report.path.iterdir()}


@pytest.mark.slow
def test_what_is_read_is_counted_in_the_tables(library, config):
    data = queries.read_report(library, config)
    assert data.library == {"songs": 20, "clips": 20, "hours": pytest.approx(40 / 3600), "artists": 20, "genres": 2}
    columns = ["genre_id", "n_songs", "n_clips", "n_train", "n_test"]
    assert data.genres[columns].to_numpy().tolist() == [["fado", 10, 10, 9, 1], ["polka", 10, 10, 9, 1]]
    assert data.parts.to_numpy().tolist() == [["train", 18, 18], ["test", 2, 2]]
    assert data.confused[["song_id", "genres", "predicted_name", "margin"]].to_numpy().tolist() == [
        ["fado0", "Fado", "Polka", pytest.approx(0.7)]
    ]
    assert data.confusion.set_index(["genre_id", "other"])["total"].to_dict() == {
        ("fado", "polka"): 1.0,
        ("polka", "polka"): 1.0,
    }
    assert (data.feature_set, len(data.sample), data.n_feature_rows) == ("tiny2", 20, 20)
    assert sorted(data.sample.columns) == ["_genre_id", "_part", "rms", "tempo"]
    assert data.versions["features_tiny2"] == library.version("features_tiny2")
    assert data.durations[["genre_id", "n", "median"]].to_numpy().tolist() == [["fado", 10, 2.0], ["polka", 10, 2.0]]


@pytest.mark.slow
def test_a_page_is_written_again_when_what_it_shows_changed_and_else_left_alone(library, config):
    write_report.run(library, config)
    page = config.report.path / "index.html"
    before = page.stat().st_mtime_ns
    assert write_report.run(library, config) == Counts()
    assert page.stat().st_mtime_ns == before

    put(library, METRICS, [metric(BEST, "weighted_f1", 0.7)])
    assert write_report.run(library, config).written == 1
    assert "Weighted F1" in page.read_text(encoding="utf-8")

    another = {"clip_id": "c-new", "set_version": "2", "preprocessing_id": "p1", "song_id": "fado0", "tempo": 1.0}
    put(library, SET, [another])  # a table that only the last page names
    assert write_report.run(library, config).written == 1

    page.unlink()
    assert write_report.run(library, config).written == 1


def test_another_configuration_makes_another_page(config):
    other = config.model_copy(update={"report": config.report.model_copy(update={"title": "Another"})})
    assert write_report.settings(config) == write_report.settings(config) != write_report.settings(other)


def test_a_store_without_tables_makes_a_page(spark, tmp_path):
    config = make_config(tmp_path)
    assert write_report.run(Store(spark, config.store), config).written == 1
    assert "No model has been evaluated yet." in (config.report.path / "index.html").read_text(encoding="utf-8")


def test_a_sample_is_bounded_per_genre_and_does_not_depend_on_partitions(spark):
    rows = spark.createDataFrame([("ab"[i % 2], f"{i:03}") for i in range(100)], "_genre_id string, clip_id string")
    drawn = [sample(rows.repartition(n), 7, 3).toPandas() for n in (1, 5)]
    assert drawn[0].equals(drawn[1])
    assert drawn[0]["_genre_id"].value_counts().to_dict() == {"a": 7, "b": 7}
    assert not sample(rows, 7, 4).toPandas().equals(drawn[0])


@pytest.mark.slow
def test_genres_are_counted_under_their_topmost_parent(library, config):
    tree = [{"genre_id": g, "genre": GENRES[g], "parent_id": "folk", "parent": "Folk", "source": "x"} for g in GENRES]
    put(library, GENRE_PARENTS, tree)
    labels = queries.class_labels(library, "parent").groupBy("genre_id").count().collect()
    assert [tuple(row) for row in labels] == [("folk", 20)]
    parent = config.model_copy(update={"train": config.train.model_copy(update={"level": "parent"})})
    assert queries.read_report(library, parent).name("folk") == "Folk"


def test_a_song_whose_file_is_gone_says_so(tmp_path):
    row = pd.Series({**clip(tmp_path, "gone"), "genre_id": "fado", "title": None})
    assert sounds.player(row) == Player("gone", problem="the file cannot be opened from here")
    assert sounds.sound(row).problem.startswith("the file cannot be opened from here")
    assert sounds.player(pd.Series({**row.to_dict(), "uri": None})) == Player("gone", problem="there is no clip of it")


def test_a_long_file_is_cut_and_encoded_again(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(4 * 96000) / 20), 96000)
    row = pd.Series({**clip(tmp_path, "x"), "uri": path_to_uri(path), "start_s": 1.0, "duration_s": 4.0})
    source = sounds.player(row).source
    assert source.startswith("data:audio/mpeg;base64,")
    with soundfile.SoundFile(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as sound:
        assert (sound.samplerate, sound.channels) == (44100, 1)
        assert sound.frames / 44100 == pytest.approx(2.0, abs=0.1)


def test_the_share_of_test_songs_that_feature_a_training_artist_is_read_where_figures_are_called_artist_safe(
    spark, tmp_path
):
    config = make_config(tmp_path)
    store = Store(spark, config.store)
    credits = {"s1": ("Ann", "train"), "s2": ("Bob feat. Ann", "test"), "s3": ("Cy", "test"), "s4": ("Di", "excluded")}
    store.upsert(SONGS, [{"song_id": s, "source": "test", "artist": artist} for s, (artist, _) in credits.items()])
    placed = {"split": "default", "split_version": 1, "grouped_by": "artist"}
    store.upsert(SPLITS, [placed | {"song_id": s, "group_id": s, "part": part} for s, (_, part) in credits.items()])
    for grouping, share in (("artist-safe", 0.5), ("song-grouped", None)):
        models = pd.DataFrame({"grouping": [grouping]})
        assert queries._featured(ReportData(models=models), store, config) == share


@pytest.mark.slow
def test_the_map_has_a_page_of_its_own_that_the_report_leads_to(library, config):
    """Last: it adds tables that decide whether the page is true."""
    pages = config.report.path
    write_report.run(library, config)
    assert not (pages / "map.html").exists() and 'href="map' not in (pages / "index.html").read_text("utf-8")
    lens = {"profile_id": "p", "feature_set": "tiny2", "set_version": "1", "features": ["tempo", "rms"],
            "settings": "{}", "method": "principal components", "n_genres": 2, "n_songs": 20}  # fmt: skip
    lens["n_left_out"] = 1
    put(library, MAPS, [lens | {"map_id": "old", "lens": "sound", "sequence": 1},
                        lens | {"map_id": "new", "lens": "sound", "sequence": 2, "run_id": "0123456789"}])  # fmt: skip
    places = {("old", "fado"): 5.0, ("new", "fado"): -1.0, ("new", "polka"): 1.0}
    put(library, GENRE_POSITIONS, [{"map_id": of, "genre_id": genre, "genre": GENRES[genre], "x": x, "y": 0.0}
                                   for (of, genre), x in places.items()])  # fmt: skip
    put(library, GENRE_EVOLUTION, [{"map_id": "new", "genre_id": "polka", "genre": "Polka", "decade": decade, "x": x,
                                    "y": 0.0, "n_songs": 5} for decade, x in ((1980, 0.0), (1990, 1.0))])  # fmt: skip
    profile = {"profile_id": "p", "placed": True, "n_artists": 9, "region": 0, "subregion": 0}
    put(library, GENRE_PROFILES, [
        profile | {"genre_id": "fado", "genre": "Fado", "n_songs": 9, "mean": [100.0, 0.1], "spread": [2.0, 0.1]},
        profile | {"genre_id": "polka", "genre": "Polka", "n_songs": 10, "mean": [140.0, None], "spread": [2.0, None],
                   "born": 1951.4, "born_low": 1940.0, "born_high": 1960.0},
        profile | {"genre_id": "morna", "genre": "Morna", "n_songs": 1, "placed": False},
    ])  # fmt: skip
    put(library, GENRE_NEIGHBOURS, [{"profile_id": "p", "genre_id": "fado", "rank": 1, "neighbour_id": "polka",
                                     "neighbour": "Polka", "distance": 0.5, "similarity": 0.6}])  # fmt: skip
    put(library, GENRE_REGIONS, [{"profile_id": "p", "resolution": resolution, "region": 0, "name": resolution,
                                  "largest": [], "n_genres": 2} for resolution in ("coarse", "fine")])  # fmt: skip
    put(library, GENRE_TREE, [{"profile_id": "p", "genre_id": "fado", "rank": 1, "genre": "Fado", "parent_id": "polka",
                               "parent": "Polka", "probability": 0.7, "name_head": False, "known": True, "drawn": True,
                               "distance": 0.5, "artist_containment": 0.25}])  # fmt: skip
    put(library, GENRE_TYPICAL_SONGS, [{"profile_id": "p", "genre_id": genre, "rank": rank, "song_id": f"{genre}{rank}",
                                        "distance": 0.1} for genre in GENRES for rank in (1, 2)])  # fmt: skip

    made = {"name": "Dance", "recipe_id": "r", "n_songs": 2, "notes": ["short"]}
    put(library, GENERATED_PLAYLISTS, [made | {"playlist_id": "old", "sequence": 1},
                                       made | {"playlist_id": "new", "sequence": 2, "seconds": 4.0}])  # fmt: skip
    song = {"playlist_id": "new", "role": "song", "seconds": 2.0}
    second, first = song | {"position": 2, "song_id": "polka3"}, song | {"position": 1, "song_id": "fado2"}
    put(library, GENERATED_PLAYLIST_SONGS, [second | {"reason": "<polka>"}, first | {"reason": "<fado>"}])
    config.playlist.path.mkdir(parents=True)
    (config.playlist.path / "Dance.m3u8").write_text("#EXTM3U")

    notes = write_report.run(library, config).notes
    assert notes[1:] == (f"map of 2 genres: {pages / 'map.html'}",)
    report = (pages / "index.html").read_text("utf-8")
    assert 'href="map.html"' in report and "Playlist: Dance" in report and "&lt;fado&gt;" in report
    (listed,) = playlists.read_playlists(library, config)
    assert (listed.name, listed.n_songs, listed.seconds, listed.notes) == ("Dance", 2, 4.0, ("short",))
    assert [(song["position"], song["called"]) for song in listed.songs] == [
        (1, "A & B – <i>fado2</i>"), (2, "A & B – <i>polka3</i>")
    ]  # fmt: skip
    assert [kind for kind, _ in listed.links] == ["m3u8"] and (pages / unquote(listed.links[0][1])).is_file()
    html = (pages / "map.html").read_text("utf-8")
    shown = json.loads(re.search(r'<script type="application/json" id="map-data">(.*?)</script>', html, re.DOTALL)[1])
    assert (shown["names"], shown["songs"], shown["lenses"][0]["x"]) == (["Fado", "Polka"], [9, 10], [0, 30000])
    assert (shown["neighbours"], shown["parent"]) == ([[1, 0.5], []], [1, -1])
    assert shown["parents"][0] == [[1, 0.7, "given by the library, has 25 % of its artists, distance 0.50"]]
    measures = {measure["title"]: measure["values"] for measure in shown["measures"]}
    assert measures == {"Tempo": [100, 140], "F1 of the classifier": [0.25, 0.25], "First years": [None, 1951]}
    assert (shown["years"], shown["yearSpans"][1]) == ([None, 1951.4], [1940, 1960])
    assert shown["paths"] == {"1": [[1980, 15000, 0], [1990, 30000, 0]]}
    assert shown["typical"]["0"] == ["A & B – <i>fado1</i>", "A & B – <i>fado2</i>"]
    source = shown["examples"]["0"]["source"]
    assert "Morna" in html and (pages / unquote(source)).resolve().name == "fado1 🎺.wav"
    assert (pages / unquote(source)).is_file()

    before = {path.name: path.stat().st_mtime_ns for path in pages.iterdir()}
    assert write_report.run(library, config) == Counts()
    assert {path.name: path.stat().st_mtime_ns for path in pages.iterdir()} == before
