"""What no table may hold, NaN or infinity, does not come out of the strangest sounds; every registered set is tried."""

import functools

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.audio.uris import path_to_uri
from genreatlas.audio.worker import ExtractRequest, extract_batches
from genreatlas.config import ClipSection

RATE = 44_100
TIME = np.arange(3 * RATE) / RATE
#: Has features that noise lacks, or three seconds: swing, bars, patterns of six seconds.
NEEDS_MORE = {"groove", "ssd_rp"}


def click() -> np.ndarray:
    samples = np.zeros(TIME.size)
    samples[RATE] = 1.0
    return samples


def music() -> np.ndarray:
    beat = np.exp(-30 * (TIME % 0.25)) * np.random.default_rng(1).standard_normal(TIME.size) * 0.3
    return 0.2 * np.sin(2 * np.pi * 330 * TIME) + beat


SOUNDS = {
    "silence": np.zeros(TIME.size),
    "DC": np.full(TIME.size, 0.5),
    "DC at full scale": np.ones(TIME.size),
    "a single click": click(),
    "a click in the last sample": np.roll(click(), TIME.size - 1 - RATE),
    "a full-scale square wave": np.sign(np.sin(2 * np.pi * 440 * TIME) + 1e-9),
    "a full-scale square wave at 1 Hz": np.sign(np.sin(2 * np.pi * TIME) + 1e-9),
    "the highest frequency": np.tile([1.0, -1.0], TIME.size // 2),
    "white noise at full scale": np.random.default_rng(2).uniform(-1, 1, TIME.size),
    "one step of 24 bits": np.tile([2.0**-23, 0.0], TIME.size // 2),
    "sound after silence": np.concatenate([np.zeros(2 * RATE), music()[:RATE]]),
    "40 times full scale": 40 * music(),
    "half a second of sound": music()[: RATE // 2],
    "a fifth of a second of sound": music()[: RATE // 5],
    "ten milliseconds of sound": music()[: RATE // 100],
}


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """Rows by sound, each extracted once for all sets."""
    folder = tmp_path_factory.mktemp("extremes")

    @functools.cache
    def rows_of(sound: str) -> list[dict]:
        path = folder / f"{sound}.wav"
        soundfile.write(path, SOUNDS[sound], RATE, subtype="FLOAT")
        copy = {"uri": path_to_uri(path), "bytes": path.stat().st_size, "modified_ns": path.stat().st_mtime_ns}
        rows = [
            {
                "audio_id": name,
                "sha256": "",
                "start_s": 0.0,
                "length_s": SOUNDS[sound].size / RATE,
                "feature_sets": [name],
                "copies": [copy | {"clip_id": "", "song_id": "", "path": ""}],
            }
            for name in FEATURE_SETS
        ]
        (batch,) = extract_batches(ExtractRequest(ClipSection()), iter([pa.RecordBatch.from_pylist(rows)]))
        return batch.to_pylist()

    return rows_of


@pytest.mark.parametrize("name", FEATURE_SETS)
@pytest.mark.parametrize("sound", SOUNDS)
def test_every_number_is_finite_or_null(extracted, sound, name):
    (row,) = [row for row in extracted(sound) if row["audio_id"] == name]
    assert (row["feature_set"], row["reason"], row["detail"]) == (name, None, None)
    for numbers in (row["values"], row["frames"], *(row["arrays"] or ())):
        known = np.array([number for number in numbers or () if number is not None])
        assert np.isfinite(known).all()


def test_less_than_ten_milliseconds_is_too_short_for_any_set(extracted, monkeypatch):
    monkeypatch.setitem(SOUNDS, "one sample", np.array([0.5]))
    assert {row["reason"] for row in extracted("one sample")} == {"too_short"}


@pytest.mark.parametrize("name", sorted(FEATURE_SETS.keys() - NEEDS_MORE))
def test_noise_leaves_nothing_undefined(extracted, name):
    (row,) = [row for row in extracted("white noise at full scale") if row["audio_id"] == name]
    undefined = [i for i, number in enumerate(row["values"] or ()) if number is None]
    assert [FEATURE_SETS[name].features[i].name for i in undefined] == []
