"""The key of chords whose key is known."""

import numpy as np
import pytest

from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets

RATE = 22050


def tonality(samples):
    feature_set = FEATURE_SETS["tonality"]
    values = compute_sets([feature_set], np.asarray(samples, np.float32), FAST_GRAPH)["tonality"]
    return dict(zip([f.name for f in feature_set.features], values.tolist(), strict=True))


def cadence(tonic, minor):
    """I, IV, V and I of a key (i, iv, V, i in minor) with a hi-hat over them, one second each."""
    third = 3 if minor else 4
    chords = [(0, third, 7), (5, 5 + third, 12), (7, 11, 14), (0, third, 7)]
    time = np.arange(RATE) / RATE
    parts = [
        sum(0.1 * np.sin(2 * np.pi * 440 * 2 ** ((tonic + note - 9) / 12) * time) for note in chord) for chord in chords
    ]
    hats = np.exp(-60 * (np.arange(4 * RATE) / RATE % 0.25)) * np.random.default_rng(0).standard_normal(4 * RATE)
    return np.concatenate(parts) + 0.02 * hats


@pytest.mark.parametrize(("tonic", "minor", "name"), [(0, 0, "c_major"), (9, 1, "a_minor"), (6, 0, "fs_major")])
def test_a_cadence_is_in_its_key(tonic, minor, name):
    values = tonality(cadence(tonic, minor))
    assert (values["key"], values["minor"]) == (tonic, minor)
    assert values["key_clarity"] > 0
    fits = {key: value for key, value in values.items() if key.startswith("fit_")}
    assert max(fits, key=fits.get) == f"fit_{name}"


def test_silence_is_in_no_key():
    assert all(np.isnan(value) for value in tonality(np.zeros(RATE)).values())
