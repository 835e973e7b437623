"""The engine against the reference, node by node and set by set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from genreatlas.audio.engine import FAST_GRAPH, REFERENCE_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets
from genreatlas.audio.kernels.separation import WINDOW, sliding_median, sliding_median_plain

RATE = 22050


def spectrum(n, signals, seed):
    """Magnitudes with many ties and zeros, as quiet music has them."""
    rng = np.random.default_rng(seed)
    values = np.abs(rng.standard_normal((n, signals))).astype(np.float32)
    values[rng.random((n, signals)) < 0.2] = 0
    return np.round(values, 1) if seed % 2 else values


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 80), signals=st.sampled_from([1, 5, 63, 64, 65, 130]), seed=st.integers(0, 9))
def test_the_sliding_median_is_scipys_to_the_bit(n, signals, seed):
    values = spectrum(n, signals, seed)
    found = sliding_median(values)
    np.testing.assert_array_equal(found, sliding_median_plain(values))
    if n not in (2, 3):  # scipy 1.17 miscounts the reflections of so few values, and differently each time
        np.testing.assert_array_equal(found, median_filter(values, size=(WINDOW, 1), mode="reflect"))


def test_the_layout_in_memory_does_not_matter():
    values = np.asfortranarray(spectrum(50, 40, 1))
    np.testing.assert_array_equal(sliding_median(values), sliding_median_plain(values))
    np.testing.assert_array_equal(sliding_median(values.T), sliding_median_plain(values.T))


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
        "very quiet": 1e-9 * (chord + beat),
    }


SETS = ("mfcc12_frames", "summary9", "gtzan57", "fma518_22k", "fma518_44k")  # the last at twice the rate
#: What librosa and the engine compute from the same rounded spectrum differs by rounding alone.
FRAMES = (
    "magnitude", "spectral_centroid", "spectral_bandwidth", "spectral_rolloff", "spectral_contrast", "nominal_contrast",
    "spectral_flatness", "rms_spectral", "rms", "zero_crossing_rate", "mel_power", "mel_db", "mfcc", "chroma_stft",
    "nominal_chroma", "cqt", "chroma_cqt", "chroma_cens", "tonnetz", "onset_envelope", "harmonic", "percussive",
)  # fmt: skip


def both(names, samples, rate=RATE):
    given = {"samples": samples.astype(np.float32), "sample_rate": rate}
    return (graph.compute(names, **given) for graph in (REFERENCE_GRAPH, FAST_GRAPH))


def columns(samples, graph):
    """Values of all sets; samples are taken to be at each set's rate."""
    *sets, other = (FEATURE_SETS[key] for key in SETS)
    return compute_sets(sets, samples, graph) | compute_sets([other], samples, graph)


@pytest.mark.parametrize("rate", [22_050, 44_100])
@pytest.mark.parametrize("name", sorted(signals().keys() - {"one click"}))  # its contrast is 0 dB but for rounding
def test_frames_are_librosas_within_a_hundred_thousandth_of_their_range(name, rate):
    expected, found = both(FRAMES, signals()[name], rate)
    for node in FRAMES:
        assert found[node].shape == expected[node].shape, node
        np.testing.assert_array_equal(np.isnan(found[node]), np.isnan(expected[node]), err_msg=node)
        heard = ~np.isnan(expected[node])
        span = np.ptp(expected[node][heard]) if heard.any() else 0.0
        deviation = np.abs(found[node] - expected[node])[heard].max(initial=0)
        assert deviation <= 1e-5 * (span or 1.0), node  # what does not move has no range


@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_tuning_and_tempo_are_librosas_exactly(rate):
    names = ("tuning", "nominal_tuning", "magnitude_tuning", "tempo")
    expected, found = both(names, signals()["music"], rate)
    assert found == expected


@pytest.mark.parametrize("name", signals())
def test_the_engine_leaves_undefined_what_librosa_does(name):
    samples = signals()[name].astype(np.float32)
    expected, found = (columns(samples, graph) for graph in (REFERENCE_GRAPH, FAST_GRAPH))
    for key in SETS:
        np.testing.assert_array_equal(np.isnan(found[key]), np.isnan(expected[key]), err_msg=key)


@pytest.mark.parametrize("name", sorted(signals().keys() - {"one click"}))  # its contrast is 0 dB but for rounding
def test_every_column_is_librosas_within_a_ten_thousandth(name):
    samples = signals()[name].astype(np.float32)
    expected, found = (columns(samples, graph) for graph in (REFERENCE_GRAPH, FAST_GRAPH))
    for key, values in expected.items():
        deviation = np.abs(found[key] - values) / np.maximum(1.0, np.abs(values))
        assert np.nanmax(deviation, initial=0.0) <= 1e-4, key


def test_only_the_phases_that_somebody_needs_are_kept():
    given = {"samples": signals()["music"].astype(np.float32), "sample_rate": RATE}
    assert FAST_GRAPH.compute(["spectrum", "mfcc"], **given)["spectrum"].parts is None
    assert FAST_GRAPH.compute(["spectrum", "percussive"], **given)["spectrum"].parts is not None


def test_a_signal_too_short_to_be_halved_is_refused_as_librosa_refuses_it():
    with pytest.raises(ValueError, match="too few for another octave"):
        FAST_GRAPH.compute(["cqt"], samples=np.ones(40, np.float32), sample_rate=RATE)
