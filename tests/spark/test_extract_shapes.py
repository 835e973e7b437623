"""Sets of every shape in Delta tables: bytes, arrays and frames come back as the worker computed them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from pyspark.sql import functions as F
from test_extract_features import RATE, clip, configured

from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.audio.layouts import dequantise
from genreatlas.audio.worker import extract_clip
from genreatlas.config import load_config
from genreatlas.counts import Counts
from genreatlas.datasets.feature_tables import find_feature_table, model_columns
from genreatlas.steps import extract_features
from genreatlas.store import Store
from genreatlas.tables import CLIPS

#: Eight tables, one of them of 1,612 columns, take a minute to write.
pytestmark = pytest.mark.slow

SETS = ("windows", "mel128", "quality", "groove", "timbre_pitch", "rhythm_notes", "ssd_rp")


@pytest.fixture(scope="module")
def extracted(spark, tmp_path_factory):
    """A store with every shape of two clips, and what the worker computes of the first."""
    folder = tmp_path_factory.mktemp("shapes")
    config = configured(load_config([], [f'store.path="{folder / "tables"}"']), feature_sets=SETS)
    store = Store(spark, config.store, run_id="test-run")
    path: Path = folder / "song.wav"
    time = np.arange(8 * RATE) / RATE
    beat = np.exp(-40 * (time % 0.5)) * np.random.default_rng(0).standard_normal(time.size) * 0.3
    soundfile.write(path, beat + 0.1 * np.sin(2 * np.pi * 220 * time), RATE, subtype="FLOAT")
    store.upsert(CLIPS, [clip(path, "a", length_s=8.0), clip(path, "b", length_s=8.0)])
    assert extract_features.run(store, config) == Counts(read=2, written=2)
    sets = [FEATURE_SETS[name] for name in SETS]
    expected = {row.feature_set: row for row in extract_clip(str(path), 0.0, 8.0, config.clip, sets)}
    return store, config, expected


def row_of(store, name):
    rows = store.read(table_of(FEATURE_SETS[name])).orderBy("clip_id").collect()
    assert [row["clip_id"] for row in rows] == ["a", "b"]
    return rows[0]


def test_frames_of_windows_are_packed_with_their_hop(extracted):
    store, _, expected = extracted
    row = row_of(store, "windows")
    assert (row["n_frames"], row["width"], row["hop_s"]) == (15, 45, 0.5)
    np.testing.assert_array_equal(np.array(row["frames"], np.float32), expected["windows"].frames)


def test_a_quantised_spectrogram_comes_back_as_bytes_with_its_scale(extracted):
    store, _, expected = extracted
    row = row_of(store, "mel128")
    assert (bytes(row["frames"]), row["lowest"], row["step"]) == (
        expected["mel128"].quantised,
        *expected["mel128"].values,
    )
    assert dequantise(row["frames"], row["width"], row["lowest"], row["step"]).shape == (1 + 8 * RATE // 512, 128)


def test_quality_is_a_column_a_measure(extracted):
    store, _, expected = extracted
    row = row_of(store, "quality")
    names = [feature.name for feature in FEATURE_SETS["quality"].features]
    assert [row[name] for name in names] == expected["quality"].values.tolist()


def test_groove_has_its_beats_beside_its_numbers(extracted):
    store, _, expected = extracted
    row = row_of(store, "groove")
    features, arrays = FEATURE_SETS["groove"].features, FEATURE_SETS["groove"].arrays
    wanted = [None if np.isnan(value) else value for value in expected["groove"].values.tolist()]
    assert [row[feature.name] for feature in features] == wanted
    assert [row[array.name] for array in arrays] == [numbers.tolist() for numbers in expected["groove"].arrays]
    assert row["tempo_tracked"] == pytest.approx(120, rel=0.01)
    beats = store.read("features_groove").selectExpr("posexplode(tracked_beat_times)").where("pos = 1").collect()
    assert [beat["col"] for beat in beats] == [row["tracked_beat_times"][1]] * 2


@pytest.mark.parametrize("name", ["timbre_pitch", "rhythm_notes"])
def test_events_are_an_array_a_feature_with_null_where_undefined(extracted, name):
    store, _, expected = extracted
    row = row_of(store, name)
    assert row["n_events"] == expected[name].n_frames > 10
    for feature, numbers in zip(FEATURE_SETS[name].features, expected[name].arrays, strict=True):
        wanted = [None if np.isnan(value) else float(np.float32(value)) for value in numbers]
        assert row[feature.name] == wanted


def test_rhythm_patterns_are_sixteen_hundred_columns(extracted):
    store, _, expected = extracted
    row = row_of(store, "ssd_rp")
    assert row["rp_bark9_mod24"] == expected["ssd_rp"].values[168 + 8 * 60 + 23]
    assert len(row) == 4 + 168 + 1440


def test_running_again_adds_nothing(extracted):
    store, config, _ = extracted
    assert extract_features.run(store, config) == Counts()


@pytest.mark.parametrize(("name", "axis"), [("mel128", "quantised"), ("rhythm_notes", "events"), ("windows", "frames")])
def test_models_read_a_clip_of_every_layout_as_the_values_that_were_extracted(extracted, name, axis):
    store, _, expected = extracted
    table = find_feature_table(store, name)
    assert table.axis == axis
    _, columns = model_columns(table.rows(store), table.layout, table.columns)
    clips = table.rows(store).where("clip_id = 'a'").select(*columns, F.lit(3).alias("frame"))
    found = clips.select(F.expr(table.layout.row).alias("row"), F.expr(table.layout.n_rows).alias("n"), "n_frames")
    row, wanted = found.first(), table.layout.unpack(expected[name])
    values = [np.nan if value is None else value for value in row["row"]]
    assert np.array_equal(np.array(values, np.float32), wanted[3].astype(np.float32), equal_nan=True)
    assert row["n"] == row["n_frames"] == len(wanted)
