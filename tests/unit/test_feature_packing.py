"""Sets of every shape become rows: packed, bounded, and with NULL where a value is undefined."""

import io

import numpy as np
import pytest
import soundfile

from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.audio.layouts import VECTOR, dequantise, get_layout, pack_set, quantise
from genreatlas.audio.sets.definition import Feature, FeatureSet
from genreatlas.audio.worker import extract_clip
from genreatlas.config import ClipSection
from genreatlas.errors import ConfigError

RATE = 22050


def a_set(axis, *names, arrays=()):
    features = tuple(Feature(name, "", f"{name}.", node=name) for name in names)
    return FeatureSet(
        "one", "1", axis, RATE, 512, features, "A set.", tuple(Feature(name, node=name) for name in arrays)
    )


def wav(samples, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    file.seek(0)
    return file


def test_bytes_are_off_by_half_a_step_at_most():
    frames = np.random.default_rng(0).uniform(-80, 0, (50, 128))
    lowest, step, packed = quantise(frames)
    assert (lowest, step) == (frames.min(), pytest.approx(np.ptp(frames) / 255))
    assert len(packed) == frames.size
    np.testing.assert_allclose(dequantise(packed, 128, lowest, step), frames, atol=0.5001 * step)


def test_frames_that_are_all_equal_are_bytes_of_no_step():
    lowest, step, packed = quantise(np.full((3, 2), -100.0))
    assert (lowest, step, packed) == (-100.0, 0.0, bytes(6))
    np.testing.assert_array_equal(dequantise(packed, 2, lowest, step), np.full((3, 2), -100.0))


def test_what_is_not_finite_never_becomes_a_byte():
    with pytest.raises(ValueError, match="1 of 2 frame values are not finite"):
        quantise(np.array([[0.0], [np.nan]]))


def test_events_are_one_array_for_each_feature():
    row = pack_set(a_set("events", "time", "pitch"), {"one": np.array([[0.5, 3.0], [1.0, np.nan]])})
    assert (row.n_frames, row.values, row.frames) == (2, None, None)
    np.testing.assert_array_equal(row.arrays, [[0.5, 1.0], [3.0, np.nan]])


def test_a_clip_without_events_has_empty_arrays():
    row = pack_set(a_set("events", "time", "pitch"), {"one": np.empty((0, 2))})
    assert (row.n_frames, [array.tolist() for array in row.arrays]) == (0, [[], []])


def test_a_summary_carries_its_arrays_beside_its_values():
    row = pack_set(a_set("summary", "tempo", arrays=("beats",)), {"one": np.array([120.0]), "one.beats": np.arange(3)})
    assert (row.values.tolist(), [array.tolist() for array in row.arrays]) == ([120.0], [[0.0, 1.0, 2.0]])


@pytest.mark.parametrize(
    ("axis", "computed", "message"),
    [
        ("summary", {"one": np.array([np.inf])}, "one: infinite: tempo"),
        ("summary", {"one": np.array([1.0]), "one.beats": np.array([np.nan])}, "one: not finite: beats"),
        ("events", {"one": np.array([[0.0], [-np.inf]])}, "one: infinite: tempo"),
        ("frames", {"one": np.array([[np.nan]])}, "not finite"),
        ("vector", {"one": np.array([np.nan])}, "one: not finite: tempo"),
    ],
)
def test_a_value_that_no_table_may_hold_is_refused(axis, computed, message):
    arrays = ("beats",) if "one.beats" in computed else ()
    with pytest.raises(ValueError, match=message):
        pack_set(a_set(axis, "tempo", arrays=arrays), computed)


@pytest.mark.parametrize("axis", ["summary", "vector", "frames", "quantised", "events", "codes"])
def test_what_a_layout_packs_it_unpacks_to_rows(axis):
    names = [f"c{k}" for k in range(3)]
    one_row = axis in ("summary", "vector")
    values = np.array([0.0, 1.5, 255.0]) if one_row else np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 255.0]])
    packed = pack_set(a_set(axis, *names), {"one": values})
    np.testing.assert_array_equal(get_layout(axis).unpack(packed), np.atleast_2d(values))


def test_importances_of_a_vector_are_of_blocks_of_neighbouring_dimensions():
    names = [f"e{k}" for k in range(200)]
    blocks = VECTOR.blocks(names)
    assert blocks[0] == ("e0..e6", tuple(range(7))) and len(blocks) == 32
    assert [place for _, places in blocks for place in places] == list(range(200))
    assert VECTOR.blocks(["a", "b"]) == [("a", (0,)), ("b", (1,))]


def test_an_imported_vector_has_null_where_a_number_is_missing():
    assert VECTOR.filled(np.float32([[1.5, np.nan], [0, 2]])) == {"vector": [[1.5, None], [0.0, 2.0]]}
    with pytest.raises(ConfigError, match="sets of frames cannot be imported"):
        get_layout("frames").filled(np.zeros((1, 1), np.float32))


def test_an_unknown_layout_is_answered_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"no layout of feature sets is called 'vectors'. Did you mean vector\?"):
        get_layout("vectors")


def test_tables_of_every_shape_name_their_columns():
    assert table_of(a_set("events", "time")).name == "events_one"
    assert table_of(a_set("events", "time")).column("time").type == "array<float>"
    assert table_of(a_set("vector", "e0")).name == "vectors_one"
    assert table_of(a_set("vector", "e0")).column("vector").type == "array<float>"
    assert table_of(a_set("quantised", "mel1")).name == "frames_one"
    assert table_of(a_set("quantised", "mel1")).column("frames").type == "binary"
    assert table_of(a_set("summary", "tempo", arrays=("beats",))).column("beats").type == "array<double>"


def test_the_needs_of_a_set_include_its_arrays():
    assert a_set("summary", "tempo", arrays=("beats",)).needs == ("tempo", "beats")


TIME = np.arange(3 * RATE) / RATE
ODD = {
    "silence": np.zeros(TIME.size),
    "DC": np.full(TIME.size, 0.5),
    "one click": np.eye(1, TIME.size, RATE)[0],
    "full-scale square": np.sign(np.sin(2 * np.pi * 100 * TIME)),
    "a tone": 0.5 * np.sin(2 * np.pi * 440 * TIME),
    "denormal": np.full(TIME.size, 1e-42),
    "half a second": 0.5 * np.sin(2 * np.pi * 440 * TIME[: RATE // 2]),
    "a fiftieth": 0.5 * np.sin(2 * np.pi * 440 * TIME[: RATE // 50]),
    "noise": np.random.default_rng(0).uniform(-1, 1, TIME.size),
}


@pytest.mark.parametrize("name", ODD)
def test_no_set_ever_holds_nan_or_infinity(name):
    rows = extract_clip(wav(ODD[name]), 0.0, 3.0, ClipSection(), list(FEATURE_SETS.values()))
    for row in rows:
        feature_set = FEATURE_SETS[row.feature_set]
        assert row.set_version == feature_set.version
        if feature_set.axis == "summary":
            assert len(row.values) == len(feature_set.features)
        if feature_set.axis in ("frames", "quantised"):
            assert row.n_frames >= 1
            assert row.width == len(feature_set.features)
            packed = row.frames if feature_set.axis == "frames" else row.quantised
            assert len(packed) == row.n_frames * row.width
            assert feature_set.axis == "quantised" or np.isfinite(row.frames).all()
        if feature_set.axis in ("events", "codes"):
            assert {len(array) for array in row.arrays} == {row.n_frames}
        assert not np.isinf(np.concatenate([row.values if row.values is not None else [], *(row.arrays or [])])).any()
