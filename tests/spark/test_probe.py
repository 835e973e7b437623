"""Experiments on confounds over a small store: made once, kept by a rerun, and read in SQL."""

import pandas as pd
import pytest
from training_library import GENRES, fill, song, with_train

from genreatlas.audio.changes import CHANGES
from genreatlas.evaluation import probe_experiments
from genreatlas.sql.registering import register_views
from genreatlas.steps import probe
from genreatlas.tables import PROBES, SONGS


@pytest.fixture
def filled(store):
    """Three genres of 16 artists with four songs each; rock has a sample rate of its own, and blues is the oldest."""
    songs = []
    for genre in GENRES:
        for number in range(64):
            artist, part = number // 4, "test" if number // 4 % 4 == 3 else "train"
            place = {
                "group_id": f"artist-{genre}{artist}",
                "part": part,
                "fold": artist % 4 if part == "train" else None,
            }
            songs.append(song(number, genre, **place))
    fill(store, songs)
    years = {"blues": 1950, "jazz": 1980, "rock": 2000}
    rows = [
        {"song_id": s["song_id"], "source": "test", "title": s["song_id"]}
        | {"original_year": years[s["genres"][0]] + number % 20}
        for number, s in enumerate(songs)
        if number % 8
    ]
    store.upsert(SONGS, rows, update=True)
    return songs


def fetched(store) -> pd.DataFrame:
    return store.read(PROBES).toPandas().sort_values(list(PROBES.key), ignore_index=True)


@pytest.mark.slow
def test_confounds_are_probed_once_and_a_rerun_adds_nothing(store, config, filled):
    config = with_train(config, feature_sets=("plain", "plain_frames"))
    confounds = config.probe.model_copy(update={"experiments": ("alone", "artist", "change", "transfer")})
    config = config.model_copy(update={"probe": confounds})

    counts = probe.run(store, config)

    rows = fetched(store)
    whole = rows[(rows["genre_id"] == "*") & (rows["metric"] == "accuracy")].set_index(["feature_set", "name"])
    assert counts.written == 8 and counts.skipped == len(whole) - 8 == 2 * (1 + 6 + 1) and counts.failed == 0
    for name in ("plain", "plain_frames"):
        named = {"itself", "loudness", "format", "year", "artist"}
        assert set(whole.loc[name].index) == named | set(CHANGES) | {"transfer"}
        assert "imported table" in whole.loc[(name, "mp3_64")]["sentence"]
        assert whole.loc[(name, "transfer")]["sentence"] == "Left out: all songs come from one collection, test."
        itself, by_format = whole.loc[(name, "itself")], whole.loc[(name, "format")]
        assert itself["verdict"] == "tells" and itself["low"] > itself["baseline"]
        assert (itself["n_songs"], itself["n_artists"], itself["n_genres"]) == (144, 36, 3)
        assert by_format["value"] == pytest.approx(2 / 3, abs=0.08)  # rock is told, blues and jazz are guessed
        assert by_format["verdict"] in ("tells", "tells most") and by_format["difference_low"] > 0
        year = whole.loc[(name, "year")]
        assert year["value"] > 0.9 and year["n_songs"] == 120
        assert "not known of 24 songs" in year["sentence"]
        assert whole.loc[(name, "loudness")]["verdict"] == "left out"
        assert "no clip has the set loudness" in whole.loc[(name, "loudness")]["sentence"]
        artist = whole.loc[(name, "artist")]
        assert (
            artist["n_genres"] == 36
            and artist["baseline"] == pytest.approx(1 / 12)
            and artist["verdict"] == "not shown"
        )
    recalls = rows[(rows["metric"] == "recall") & (rows["name"] == "format") & (rows["feature_set"] == "plain")]
    assert recalls.set_index("genre_id")["value"]["rock"] == 1.0

    before = store.version(PROBES)
    again = probe.run(store, config)
    assert (again.read, again.written, again.notes) == (0, 0, ())
    assert store.version(PROBES) == before

    fewer = config.model_copy(update={"probe": config.probe.model_copy(update={"experiments": ("alone",), "seed": 8})})
    assert probe.run(store, fewer).written == 6
    now = fetched(store)
    assert "artist" not in set(now["kind"]) and set(now["seed"]) == {8}
    assert not set(now["probe_id"]) & set(rows.loc[rows["verdict"] != "left out", "probe_id"])

    register_views(store, config.splits.name)
    found = store.spark.sql("SELECT * FROM confounds WHERE feature_set = 'plain' ORDER BY accuracy DESC").toPandas()
    assert found["name"].tolist()[:2] == ["year", "itself"] or found["name"].tolist()[:2] == ["itself", "year"]


@pytest.mark.slow
def test_a_run_that_is_killed_keeps_the_sets_that_it_had_probed(store, config, filled, monkeypatch):
    config = with_train(config, feature_sets=("plain", "plain_frames"))
    config = config.model_copy(update={"probe": config.probe.model_copy(update={"experiments": ("alone",)})})
    asked = []

    def alone(probing):
        asked.append(probing.probed.feature_set)
        if probing.probed.feature_set == "plain_frames" and len(asked) == 2:
            raise KeyboardInterrupt
        return probe_experiments.alone(probing)

    monkeypatch.setitem(probe._EXPERIMENTS, "alone", alone)
    with pytest.raises(KeyboardInterrupt):
        probe.run(store, config)
    first = fetched(store)
    assert set(first["feature_set"]) == {"plain"}

    probe.run(store, config)

    assert asked == ["plain", "plain_frames", "plain_frames"]
    now = fetched(store)
    assert set(now["feature_set"]) == {"plain", "plain_frames"}
    pd.testing.assert_frame_equal(now[now["feature_set"] == "plain"].reset_index(drop=True), first)
