"""Do the pairs of grooves differ in the order of hits, and in nothing that a histogram counts?"""

import json
from collections import Counter
from dataclasses import replace

import pytest

from genreatlas.config import SandboxSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox import GENRES, PAIRED, plan_library, truth_folder, write_library
from genreatlas.sandbox.artists import make_artist, make_borrower
from genreatlas.sandbox.composing import compose
from genreatlas.sandbox.groove_pairs import PAIRS, RUNS, TURNS
from genreatlas.sandbox.library_plan import plan_artist

pairs = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].metre.name} {pair[0].tempo}")


def hits(groove) -> list[frozenset[tuple[str, str]]]:
    """What is hit at each step of the pattern, as (drum, force)."""
    length = len(groove.drums["kick"])
    played = {piece: pattern * (length // len(pattern)) for piece, pattern in groove.drums.items()}
    return [
        frozenset((piece, pattern[step]) for piece, pattern in played.items() if pattern[step] != ".")
        for step in range(length)
    ]


def notes(groove) -> list[tuple]:
    """Drums as (steps since the hit before, drum, force, step of the bar), around the pattern once."""
    steps = hits(groove)
    places = [place for place, step in enumerate(steps) if step]
    found = []
    for n, place in enumerate(places):
        pause = (place - places[n - 1]) % len(steps)
        found += [(pause, piece, force, place % groove.metre.bar) for piece, force in sorted(steps[place])]
    return found


@pairs
def test_two_grooves_of_a_pair_have_equal_tempi_parts_and_histograms_of_hits(pair):
    turns, runs = pair
    assert replace(turns, drums={}) == replace(runs, drums={})
    assert (turns.bass, turns.comp, turns.tempo) == (runs.bass, runs.comp, runs.tempo)
    assert Counter(notes(turns)) == Counter(notes(runs))
    assert [bool(step) for step in hits(turns)] == [bool(step) for step in hits(runs)]


@pairs
def test_their_order_differs_wherever_the_pattern_begins(pair):
    turns, runs = map(hits, pair)
    assert all(turns[n:] + turns[:n] != runs for n in range(len(turns)))

    def changes(groove):
        """How often the drum on the beat is another than the one before."""
        drums = [piece for _, piece, _, _ in notes(groove) if piece in ("kick", "snare")]
        return sum(a != b for a, b in zip(drums, [*drums[1:], drums[0]], strict=True))

    assert changes(pair[0]) >= 6 and changes(pair[1]) <= 0.6 * changes(pair[0])


@pairs
def test_two_songs_that_differ_in_the_groove_of_a_pair_have_the_same_notes_in_another_order(pair):
    artist = make_artist(7, PAIRED[TURNS], 0)
    scores = []
    for groove in pair:
        score = compose(replace(artist, grooves=(groove,), live=0.0), 7, 0, 30.0)
        clock, metre = score.clock, groove.metre
        end = clock.time(clock.bars // 2 * 2 - 2, 0)  # whole patterns, well before the clip's end
        found, before = [], 0.0
        for note in (one for one in score.notes if one.time < min(end, 25.0)):
            beat = int((clock.beats <= note.time + 1e-6).sum()) - 1
            phase = (note.time - clock.beats[beat]) / (clock.beats[beat + 1] - clock.beats[beat])
            sound = note.piece or (note.role, note.pitch)
            found.append((round(note.time - before, 4), sound, round(phase, 3), beat % metre.beats))
            before = note.time
        scores.append((score, found))
    (turns, first), (runs, second) = scores
    assert turns.tempo == runs.tempo and turns.chords == runs.chords and turns.clock.beats.tolist() == (
        runs.clock.beats.tolist()
    )  # fmt: skip
    assert [one for one in turns.notes if one.pitch is not None] == [one for one in runs.notes if one.pitch is not None]
    counted = Counter(one[1:] for one in first), Counter(one[1:] for one in second)
    unlike = sum(((counted[0] - counted[1]) + (counted[1] - counted[0])).values())
    assert unlike <= 4, "no more than the pattern that the clip cuts"
    assert [one[0] for one in first] == [one[0] for one in second]
    assert first != second


def test_artists_borrow_the_sound_of_all_genres_in_turn_whatever_they_play():
    wanted = list(GENRES.values())
    for name in (TURNS, RUNS, "waltz"):
        section = SandboxSection(sounds="exchanged")
        artists = [plan_artist(section, name, number) for number in range(9)]
        genre = PAIRED.get(name) or GENRES[name]
        assert [one.genre.sound for one in artists] == [wanted[number % 8].sound for number in range(9)]
        assert [one.genre.harmony for one in artists] == [wanted[number % 8].harmony for number in range(9)]
        assert all(set(one.grooves) <= set(genre.grooves) for one in artists)
    assert plan_artist(SandboxSection(), "waltz", 3) == make_artist(7, GENRES["waltz"], 3)
    assert plan_artist(SandboxSection(), RUNS, 3) == make_borrower(7, PAIRED[RUNS], 3)


def test_pairs_are_composed_where_they_are_named_and_no_song_is_of_both(tmp_path):
    section = SandboxSection(
        path=tmp_path / "library", seconds=2.0, artists_per_genre=2, songs_per_artist=1, genres=(TURNS, RUNS),
        broken_files=False,
    )  # fmt: skip
    files = plan_library(section)
    assert [file.genres for file in files] == [(TURNS,), (TURNS,), (RUNS,), (RUNS,)]
    assert len({file.artist for file in files}) == 4 and all(file.artist.startswith("Young ") for file in files)
    assert write_library(section, workers=1) == 4
    assert write_library(section, workers=1) == 0
    with pytest.raises(ConfigError, match="sounds = 'own', not 'exchanged'"):
        write_library(section.model_copy(update={"sounds": "exchanged"}))


def test_a_library_of_before_sounds_could_be_exchanged_is_still_known(tmp_path):
    section = SandboxSection(
        path=tmp_path / "library", seconds=2.0, artists_per_genre=1, songs_per_artist=1, genres=("folk",),
        broken_files=False,
    )  # fmt: skip
    write_library(section, workers=1)
    world = truth_folder(section.path) / "world.json"
    known = json.loads(world.read_text())
    del known["sounds"]
    world.write_text(json.dumps(known))
    assert write_library(section, workers=1) == 0
