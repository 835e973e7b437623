"""Clips are changed and extracted again: what comes out, what is kept, and what is said of genres told by level."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from conftest import make_config
from genreatlas.audio.uris import path_to_uri
from genreatlas.ids import stable_id
from genreatlas.steps import extract_features, probe
from genreatlas.store import Store
from genreatlas.tables import CHANGED_FEATURES, CLIPS, PROBES, SONG_ARTISTS, SONG_GENRES, SONGS, SPLITS

RATE, SECONDS = 22_050, 1.2
GENRES = ("loud", "quiet", "tone")
ARTISTS = 16


def sound(genre: str, number: int) -> np.ndarray:
    """Noise of one colour for two genres that differ in level alone; a chord for the third."""
    rng = np.random.default_rng([GENRES.index(genre), number])
    time = np.arange(round(SECONDS * RATE)) / RATE
    if genre == "tone":
        return 0.1 * sum(np.sin(2 * np.pi * hz * time) for hz in rng.uniform(200, 500, 4))
    level = {"loud": 0.2, "quiet": 0.03}[genre]
    return level * np.convolve(rng.standard_normal(len(time)), np.ones(4) / 4, "same")


@pytest.fixture
def music(spark, tmp_path):
    """Three genres of 16 artists with two songs each, from two collections, with clips and their features."""
    config = make_config(
        tmp_path, 'extract.feature_sets=["summary9"]', 'train.feature_sets=["summary9"]', "train.min_songs=4",
        'probe.changes=["gain_down", "mp3_64"]', "probe.songs=96",
        'probe.apart=[{name="noise", genres=["Loud", "Quiet", "Tone"]}]',
    )  # fmt: skip
    store = Store(spark, config.store, run_id="test-run")
    rows: dict = {table: [] for table in (SONGS, SONG_ARTISTS, SONG_GENRES, SPLITS, CLIPS)}
    for genre in GENRES:
        for number in range(2 * ARTISTS):
            name, artist = f"{genre}{number:02}", f"{genre}-{number // 2}"
            path = tmp_path / f"{name}.wav"
            soundfile.write(path, sound(genre, number), RATE, subtype="FLOAT")
            status = path.stat()
            rows[SONGS].append({"song_id": name, "source": "xy"[number // 2 % 2], "title": name})
            rows[SONG_ARTISTS].append({"song_id": name, "position": 0, "artist_id": artist, "role": "primary"})
            rows[SONG_GENRES].append(
                {"song_id": name, "genre_id": genre, "source": "test", "genre": genre.title(), "weight": 1.0}
            )
            rows[SPLITS].append(
                {"split": "default", "song_id": name, "split_version": 1, "group_id": artist, "grouped_by": "artist",
                 "part": "train", "fold": number // 4 % 3}
            )  # fmt: skip
            rows[CLIPS].append(
                {"clip_id": f"clip-{name}", "ingest_batch": "1", "song_id": name, "provider": "folder",
                 "audio_id": stable_id(name), "sha256": stable_id(name), "uri": path_to_uri(os.fsencode(path)),
                 "path": path.name, "window_rule": "middle:30", "start_s": 0.0, "length_s": SECONDS,
                 "mime": "audio/wav", "codec": "FLOAT", "sample_rate": RATE, "channels": 1, "bit_rate": 705_600,
                 "duration_s": SECONDS, "bytes": status.st_size, "modified_ns": status.st_mtime_ns}
            )  # fmt: skip
    for table, found in rows.items():
        store.append(table, store.frame(table, found))
    extract_features.run(store, config)
    return store, config, tmp_path


def whole(store: Store) -> pd.DataFrame:
    rows = store.read(PROBES).where("genre_id = '*' AND metric = 'accuracy'").toPandas()
    return rows.set_index(["kind", "name"]).sort_index()


@pytest.mark.slow  # 96 clips are extracted four times
def test_changed_clips_are_extracted_once_and_a_genre_that_is_only_quiet_is_found_out(music):
    store, config, folder = music
    Path(folder / "tone31.wav").unlink()

    counts = probe.run(store, config)

    rows = whole(store)
    assert counts.failed == 0 and counts.written == len(rows) - (rows["verdict"] == "left out").sum()
    stored = store.read("features_summary9").toPandas().set_index("clip_id")
    changed = store.read(CHANGED_FEATURES).toPandas()
    down = changed[(changed["change"] == "gain_down") & (changed["feature_set"] == "summary9")].set_index("clip_id")
    rms = list(stored.columns).index("rms_mean") - list(stored.columns).index("chroma_c_mean")
    ratio = down["values"].str[rms] / stored["rms_mean"].reindex(down.index)
    assert len(down) == 95 and np.allclose(ratio, 10 ** (-6 / 20), rtol=1e-4)
    lost = changed[changed["feature_set"] == "*"]
    assert set(lost["clip_id"]) == {"clip-tone31"} and set(lost["reason"]) == {"missing_file"}

    for change in ("gain_down", "mp3_64"):
        row = rows.loc[("change", change)]
        assert row["n_songs"] == 95 and row["baseline"] > 0.95
        assert "1 song could not be changed (missing_file)" in row["sentence"]
    apart = rows.loc[("apart", "noise")]
    assert apart["verdict"].endswith("Quiet: by level") and apart["baseline"] > 0.95
    recall = store.read(PROBES).where("kind = 'apart' AND metric = 'recall'").toPandas().set_index("genre_id")
    assert recall.loc["quiet", "difference_high"] < 0 < recall.loc["tone", "value"]
    assert recall.loc["tone", "value"] > 0.95 and recall.loc["quiet", "value"] < 0.8
    for one, other in (("x", "y"), ("y", "x")):
        row = rows.loc[("transfer", f"{one} to {other}")]
        assert row["n_songs"] == 48 and row["verdict"].startswith("transfers") and "48 songs of" in row["sentence"]
    assert rows.loc[("alone", "loudness")]["verdict"] == "tells most"

    versions = [store.version(table) for table in (PROBES, CHANGED_FEATURES)]
    assert probe.run(store, config).read == 0
    assert [store.version(table) for table in (PROBES, CHANGED_FEATURES)] == versions

    other = config.model_copy(update={"probe": config.probe.model_copy(update={"seed": 8})})
    probe.run(store, other)
    assert store.version(CHANGED_FEATURES) == versions[1]  # the sample is all songs, and each was extracted before
    assert set(whole(store)["seed"]) == {8}
