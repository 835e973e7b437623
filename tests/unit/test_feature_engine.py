"""The engine against the reference: equal to the bit, so that both write the same tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from genreatlas.audio.engine import ENGINE
from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets
from genreatlas.audio.reference import LIBROSA
from genreatlas.audio.sliding_median import sliding_median, sliding_median_plain

RATE = 22050


def spectrum(n, signals, seed):
    """Magnitudes with many ties and zeros, as quiet music has them."""
    rng = np.random.default_rng(seed)
    values = np.abs(rng.standard_normal((n, signals))).astype(np.float32)
    values[rng.random((n, signals)) < 0.2] = 0
    return np.round(values, 1) if seed % 2 else values


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 80),
    signals=st.sampled_from([1, 5, 31, 32, 33, 70]),
    size=st.sampled_from([1, 3, 17, 31]),
    seed=st.integers(0, 9),
)
def test_the_sliding_median_is_scipys_to_the_bit(n, signals, size, seed):
    values = spectrum(n, signals, seed)
    found = sliding_median(values, size)
    np.testing.assert_array_equal(found, sliding_median_plain(values, size))
    if n != 2:  # scipy 1.17 miscounts the reflections of two values
        np.testing.assert_array_equal(found, median_filter(values, size=(size, 1), mode="reflect"))


def test_the_layout_in_memory_does_not_matter():
    values = np.asfortranarray(spectrum(50, 40, 1))
    np.testing.assert_array_equal(sliding_median(values, 31), sliding_median_plain(values, 31))
    np.testing.assert_array_equal(sliding_median(values.T, 31), sliding_median_plain(values.T, 31))


def test_an_even_window_has_no_median_of_its_own():
    with pytest.raises(ValueError, match="size must be odd"):
        sliding_median(spectrum(10, 2, 0), 30)


def signals():
    time = np.arange(3 * RATE) / RATE
    rng = np.random.default_rng(4)
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (196.0, 246.9, 293.7)) * 0.1
    beat = np.exp(-25 * (time % 0.4)) * rng.standard_normal(time.size) * 0.3
    gap = np.where((time > 1) & (time < 2), 0.0, chord + beat)
    return {
        "music": chord + beat,
        "a silent second": gap,
        "silence": np.zeros(time.size),
        "full-scale square": np.sign(np.sin(2 * np.pi * 100 * time)),
        "one click": np.eye(1, time.size, RATE)[0],
        "half a second": (chord + beat)[: RATE // 2],
        "denormal": 1e-42 * rng.standard_normal(time.size),
    }


@pytest.mark.parametrize("name", signals())
def test_the_engine_computes_what_librosa_computes_to_the_bit(name):
    samples = signals()[name].astype(np.float32)
    sets = [FEATURE_SETS[key] for key in ("mfcc12_frames", "summary9", "gtzan57")]
    expected, found = (compute_sets(sets, samples, graph) for graph in (LIBROSA, ENGINE))
    for key, values in expected.items():
        np.testing.assert_array_equal(found[key], values)


@pytest.mark.parametrize("name", signals())
def test_harmonic_and_percussive_waves_are_librosas_to_the_bit(name):
    samples = signals()[name].astype(np.float32)
    given = {"samples": samples, "sample_rate": RATE}
    expected, found = (graph.compute(["harmonic", "percussive"], **given) for graph in (LIBROSA, ENGINE))
    np.testing.assert_array_equal(found["harmonic"], expected["harmonic"])
    np.testing.assert_array_equal(found["percussive"], expected["percussive"])
