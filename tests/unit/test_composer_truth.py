"""Does the truth that the composer writes agree with what can be heard?"""

import io
from dataclasses import replace
from itertools import pairwise

import librosa
import numpy as np
import pytest
import soundfile

from genreatlas.config import SandboxSection
from genreatlas.sandbox.artists import make_artist
from genreatlas.sandbox.composed_genres import ACCORDION, GENRES, GUITAR, ORGAN, SQUARE, VIBES
from genreatlas.sandbox.composed_library import compose_file, truth
from genreatlas.sandbox.composing import compose
from genreatlas.sandbox.files import encode
from genreatlas.sandbox.instruments import RATE, render_note
from genreatlas.sandbox.library_plan import plan_library
from genreatlas.sandbox.mixing import render
from genreatlas.sandbox.style import MODES, PITCH_CLASSES, Chord, Key, near, voicing

SECONDS = 9.0


@pytest.fixture(scope="module")
def songs():
    """One song a genre, decoded from its MP3, with its truth: genre = (mono samples, truth)."""
    heard = {}
    for name, genre in GENRES.items():
        score = compose(make_artist(7, genre, 1), 7, 0, SECONDS)
        decoded, _ = soundfile.read(io.BytesIO(encode(render(score, SECONDS), {})))
        heard[name] = (decoded.mean(axis=1), truth(score, SECONDS))
    return heard


def test_a_click_comes_back_from_mp3_at_its_own_sample():
    places = [1, 4410, 44100, 100000, 130000]
    clicks = np.zeros((3 * RATE, 2), dtype=np.float32)
    clicks[places] = 0.8
    decoded, rate = soundfile.read(io.BytesIO(encode(clicks, {"TIT2": "click", "TCON": ["a", "b"]})))
    assert (rate, decoded.shape) == (RATE, clicks.shape)
    for place in places:
        window = slice(max(place - 1000, 0), place + 1000)
        # 2 ms are 88 samples; the encoder's delay would be 1105.
        assert abs(int(np.abs(decoded[window, 0]).argmax()) + window.start - place) <= 2


@pytest.mark.parametrize("genre", ["house", "techno", "hip hop", "rock"])
def test_energy_rises_at_the_onsets_of_the_drums(songs, genre):
    sound, true = songs[genre]
    envelope = np.convolve(sound**2, np.ones(220) / 220, "full")[: len(sound)]  # looks back 5 ms
    drums = [
        t
        for t, voice in zip(true["onsets"]["time"], true["onsets"]["voice"], strict=True)
        if voice in ("kick", "snare")
    ]
    rises = []
    for time in drums:
        start = round(time * RATE)
        if 882 < start < len(sound) - RATE:
            rises.append(envelope[start : start + 882].max() / (envelope[start - 44] + 1e-9))
    assert len(rises) > 8
    assert np.median(rises) > 2.0
    assert np.mean(np.array(rises) > 1.2) > 0.9


def test_the_first_sound_of_a_song_is_its_first_onset(songs):
    for genre in ("house", "waltz", "folk", "swing"):
        sound, true = songs[genre]
        first = true["onsets"]["time"][0]
        loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())[0] / RATE
        # An attack may take a while to be loud; before the onset there is only hiss and the encoder's pre-echo.
        assert -0.013 < loud - first < 0.06, genre


@pytest.mark.parametrize("genre", ["house", "techno", "rock", "waltz"])
def test_the_tempo_is_the_one_that_autocorrelation_finds(songs, genre):
    sound, true = songs[genre]
    hop = 441
    strength = librosa.onset.onset_strength(y=sound.astype(np.float32), sr=RATE, hop_length=hop)
    strength = strength - strength.mean()
    match = np.correlate(strength, strength, "full")[len(strength) - 1 :]

    def at(beats_a_minute: float) -> float:
        return float(match[round(60.0 / beats_a_minute * RATE / hop)])

    beside = [at(true["tempo"] * factor) for factor in (0.83, 0.9, 1.1, 1.17)]
    assert at(true["tempo"]) > 1.5 * max(beside)


@pytest.mark.parametrize("genre", ["waltz", "folk", "swing", "ambient"])
def test_chroma_lies_in_the_key(songs, genre):
    sound, true = songs[genre]
    chroma = librosa.feature.chroma_stft(y=sound.astype(np.float32), sr=RATE, n_fft=8192, tuning=0.0).mean(axis=1)
    tonic = PITCH_CLASSES.index(true["key"]["tonic"])
    inside = [(tonic + step) % 12 for step in MODES[true["key"]["mode"]]]
    outside = [pitch for pitch in range(12) if pitch not in inside]
    assert chroma[inside].mean() > 1.4 * chroma[outside].mean()


def test_chords_and_beats_cover_the_song_in_order(songs):
    for _, true in songs.values():
        beats, chords = true["beats"], true["chords"]
        assert true["downbeats"] == beats[:: true["beats_per_bar"]]
        assert chords[0]["start"] == beats[0]
        assert all(one["end"] == other["start"] for one, other in pairwise(chords))
        assert chords[-1]["end"] == SECONDS
        gaps = np.diff(beats)
        assert np.allclose(gaps, 60.0 / true["tempo"], rtol=0.06)


def test_swung_steps_divide_the_beat_by_the_ratio(songs):
    _, true = songs["swing"]
    ratio = true["swing"]["ratio"]
    assert ratio >= 1.5
    beats = np.array(true["beats"])
    places = []
    for time, band in zip(true["onsets"]["time"], true["onsets"]["band"], strict=True):
        beat = np.searchsorted(beats, time) - 1
        if band == "high" and 0 <= beat < len(beats) - 1:
            places.append((time - beats[beat]) / (beats[beat + 1] - beats[beat]))
    off_beats = [place for place in places if 0.35 < place < 0.85]
    assert len(off_beats) > 3
    assert abs(np.median(off_beats) - ratio / (1 + ratio)) < 0.03


def test_genres_differ_in_metre_tempo_drums_and_swing():
    files = [f for f in plan_library(SandboxSection(broken_files=False)) if len(f.genres) == 1]
    truths = {name: [] for name in GENRES}
    for file in files:
        truths[file.genres[0]].append(truth(compose_file(SandboxSection(seconds=10.0), file), 10.0))

    def share(genre: str, condition) -> float:
        return float(np.mean([condition(true) for true in truths[genre]]))

    assert share("waltz", lambda t: t["metre"] == "3/4") == 1.0
    assert share("folk", lambda t: t["metre"] == "6/8") > 0.1
    assert share("swing", lambda t: t["swing"]["ratio"] >= 1.5 and t["swing"]["unit"] == "eighth") == 1.0
    assert share("house", lambda t: t["swing"]["ratio"] < 1.35) == 1.0
    assert share("techno", lambda t: 120 < t["tempo"] < 140) == 1.0
    assert share("hip hop", lambda t: 75 < t["tempo"] < 101) == 1.0
    per_second = {name: np.mean([len(t["onsets"]["time"]) for t in truths[name]]) / 10 for name in GENRES}
    assert max(per_second, key=per_second.get) in ("house", "techno", "rock")
    assert min(per_second, key=per_second.get) == "ambient"


def test_an_artist_keeps_to_a_tempo_range_and_to_two_keys():
    artist = make_artist(7, GENRES["techno"], 2)
    scores = [compose(artist, 7, number, 4.0) for number in range(12)]
    assert len({score.key for score in scores}) == 2
    by_groove = {groove.bass: [s.tempo for s in scores if s.clock.groove == groove] for groove in artist.grooves}
    widths = [groove.tempo[1] - groove.tempo[0] for groove in artist.grooves]
    for tempi, width in zip(by_groove.values(), widths, strict=True):
        assert max(tempi) - min(tempi) <= 0.25 * width


@pytest.mark.parametrize("voice", [GUITAR, ORGAN, VIBES, SQUARE, ACCORDION], ids=lambda voice: voice.name)
@pytest.mark.parametrize("pitch", [45, 69, 81])
def test_an_instrument_plays_in_tune(voice, pitch):
    # Without chorus and vibrato, which beat against the pitch that is measured.
    sound = render_note(replace(voice, detune=0.0, vibrato=0.0), pitch, RATE)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    frequencies = np.fft.rfftfreq(1 << 19, 1 / RATE)
    expected = 440.0 * 2 ** ((pitch - 69) / 12)
    near_it = (frequencies > expected * 0.95) & (frequencies < expected * 1.05)
    found = frequencies[near_it][spectrum[near_it].argmax()]
    assert abs(1200 * np.log2(found / expected)) < 5  # cents


def test_chords_are_named_and_voiced_near_each_other():
    assert (Key(3, "minor").name, Chord(9, "min7").name) == ("Eb:minor", "A:min7")
    assert voicing(Chord(0, "maj"), 60) == (55, 60, 64)
    assert [near(11, 60), near(0, 60), near(5, 60)] == [59, 60, 65]
