"""Ages of genres and their evolution, on years and sounds with known answers."""

import numpy as np
import pytest
from test_atlas import family_world, ids, make_songs

from genreatlas.atlas import ages, genealogy
from genreatlas.atlas.drawing import chart, draw_tree
from genreatlas.atlas.profiles import Songs, build_profiles
from genreatlas.config import Config

SETTINGS = Config().map


def dated(years, genre=None, artist=None, recording=None) -> tuple[Songs, np.ndarray]:
    n = len(years)
    genre = np.zeros(n, dtype=int) if genre is None else genre
    return make_songs(np.zeros(n), genre, recording=recording, artist=artist), np.array(years, dtype=float)


def test_a_genre_is_born_before_a_tenth_of_its_recordings():
    songs, years = dated([*range(1960, 2060), np.nan, np.nan])
    found = ages.genre_ages(songs, years, 2, artist_share=1.0, least=20)
    assert (found.born[0], found.dated.tolist()) == (1969.0, [100, 0])
    # Order statistics of 100: the 5th (fewer than 5 below: .024) and the 17th (17 and more: .021).
    assert (found.low[0], found.high[0]) == (1964.0, 1976.0)
    assert np.isnan([found.born[1], found.low[1], found.high[1]]).all()


def test_few_dated_recordings_have_no_age_and_few_artists_no_lower_bound():
    songs, years = dated([*range(1980, 1999), np.nan])
    assert np.isnan(ages.genre_ages(songs, years, 1, 1.0, least=20).born[0])
    songs, years = dated(range(1980, 2010))
    found = ages.genre_ages(songs, years, 1, 1.0, least=20)
    assert found.born[0] == 1982.0 and np.isnan(found.low[0]) and found.high[0] == 1987.0
    # As many recordings as wanted say no more where two artists made them all.
    songs, years = dated([*range(1960, 2060)], artist=np.arange(100) % 2)
    found = ages.genre_ages(songs, years, 1, 1.0, least=20)
    assert found.born[0] == 1969.0 and np.isnan(found.low[0]) and found.high[0] == 2059.0


def test_a_recording_has_the_earliest_year_among_its_copies():
    # Thirty recordings of the seventies, each with a reissue whose year alone is known for some.
    years = [*[1971.0] * 15, *[np.nan] * 15, *[2013.0] * 30]
    songs, years = dated(years, recording=[*range(30), *range(30)])
    found = ages.genre_ages(songs, years, 1, 1.0, least=20)
    assert (found.born[0], found.dated[0]) == (1971.0, 30)
    only = ages.genre_ages(*dated([2013.0] * 30), 1, 1.0, least=20)
    assert only.born[0] == 2013.0  # nothing else is known


def test_intervals_hold_what_they_promise_also_with_artists_of_many_songs():
    random = np.random.default_rng(1)
    inside = trials = 0
    for _ in range(300):
        of = np.repeat(np.arange(60), random.integers(1, 6, 60))
        career = random.normal(1990, 10, 60)
        years = np.round(career[of] + random.normal(0, 3, len(of)))
        found = ages.genre_ages(*dated(years, artist=of), 1, 1.0, least=20)
        true = 1990 - 1.2816 * np.hypot(10, 3)
        low = -np.inf if np.isnan(found.low[0]) else found.low[0]
        inside += low - 0.5 <= true <= found.high[0] + 0.5
        trials += 1
    assert inside / trials >= 0.95


def test_age_is_weighed_but_an_old_child_keeps_its_parent():
    songs, said, of = family_world()
    years = np.where(np.isin(songs.genre, range(4)), 1960.0, 1990.0) + np.arange(len(songs.genre)) % 10
    reissued = songs.genre == 8  # an unnamed child all of whose songs are dated before its parent's
    assert said[8].startswith("unnamed")
    years[reissued] = 1930.0 + np.arange(reissued.sum())
    settings = SETTINGS.model_copy(update={"min_dated": 5})
    charted = chart(songs, ids(64), said, settings, years=years)
    assert charted.profile_id != chart(songs, ids(64), said, settings).profile_id
    tree = draw_tree(charted, songs, said, settings)
    first = tree.rank == 1
    unnamed = first & np.array([said[child].startswith("unnamed") for child in tree.child])
    assert (tree.parent[unnamed] == of[tree.child[unnamed]]).mean() > 0.9
    mine = first & (tree.child == 8)
    assert tree.parent[mine].tolist() == [of[8]] and tree.years_older[mine][0] < -20
    usual = first & (tree.child >= 4) & (tree.child != 8)
    assert np.median(tree.years_older[usual]) == pytest.approx(30, abs=6)
    undated = draw_tree(chart(songs, ids(64), said, settings), songs, said, settings)
    assert np.isnan(undated.years_older).all()


def test_the_logit_of_age_leans_toward_older_parents():
    random = np.random.default_rng(2)
    space = random.normal(size=(200, 3))
    born = np.where(np.arange(200) < 10, 1950.0, 1990.0)
    edges = np.array([(child, random.integers(10)) for child in range(20, 200)])
    born[10:20] = 2010.0  # as good as parents by everything else
    edges = np.concatenate([edges, [(child, 10 + child % 10) for child in range(20, 60)]])
    model = genealogy.PairModel(genealogy.Pairs(genealogy.Evidence(space, np.zeros(200), None, born)), edges, seed=1)
    logits = model.logits(np.arange(100, 200), np.arange(20))
    assert np.isfinite(logits).all() and logits[:, :10].mean() > logits[:, 10:].mean()


def moving_world() -> tuple[Songs, np.ndarray, np.ndarray]:
    """Thirty genres on a line; the tenth moves from the fifth's place to its own within four decades, others stay."""
    random = np.random.default_rng(3)
    rows = [(g, d, k) for g in range(30) for d in range(4) for k in range(12)]
    genre, decade = (np.array([row[k] for row in rows]) for k in (0, 1))
    centre = genre.astype(float)
    centre[genre == 10] = 5 + (decade[genre == 10] + 1) * 2.5
    values = np.stack([centre, genre * 7 % 30 / 2], axis=1) + random.normal(0, 0.4, (len(rows), 2))
    return make_songs(values, genre), 1970.0 + 10 * decade + random.integers(0, 10, len(rows)), genre


def test_a_genre_that_changes_moves_on_the_map_and_others_stay_within_chance():
    songs, years, _ = moving_world()
    profiles = build_profiles(songs, 30, 0.2)
    places = np.stack([np.arange(30.0), np.zeros(30)], axis=1)
    places[10, 0] = 11.25  # where its mean is
    found = ages.evolve(songs, years, profiles, np.arange(30), places, 0.2, least=5)
    assert found.decade[:4].tolist() == [1970, 1980, 1990, 2000] and len(found.genre) == 120
    assert (found.songs == 12).all()
    mine = found.genre == 10
    assert np.isnan(found.distance[mine][0]) and (found.distance[mine][1:] > 3 * found.by_chance[mine][1:]).all()
    assert np.all(np.diff(found.places[mine, 0]) > 1.5)
    assert found.places[mine, 0] == pytest.approx([7.5, 10, 12.5, 15], abs=1.2)
    others = ~mine & np.isfinite(found.distance)
    assert np.median(found.distance[others] / found.by_chance[others]) < 1.2
    assert np.abs(found.places[~mine, 0] - places[found.genre[~mine], 0]).max() < 1.0


def test_a_decade_of_few_artists_is_not_told_from_chance_by_its_many_songs():
    random = np.random.default_rng(6)
    ratios = []
    for by_artist in (True, False):
        rows = [(g, d, a, k) for g in range(30) for d in range(4) for a in range(4) for k in range(10)]
        genre, decade, artist = (np.array([row[k] for row in rows]) for k in range(3))
        artist = (genre * 4 + decade) * 4 + artist
        manner = random.normal(0, 1.0, (artist.max() + 1, 2))[artist]
        own = random.normal(0, 0.5, manner.shape)
        values = np.stack([genre, genre * 7 % 30], axis=1) + (manner + own if by_artist else 2 * own)
        songs = make_songs(values, genre, artist=artist)
        years = 1970.0 + 10 * decade
        profiles = build_profiles(songs, 30, 0.5)
        found = ages.evolve(songs, years, profiles, np.arange(30), np.zeros((30, 2)), 0.5, least=5)
        ratios.append(np.nanmedian(found.distance / found.by_chance))
    assert ratios == pytest.approx([1.0, 1.0], abs=0.35)  # nothing changes but who is heard
    alone = make_songs(np.stack([genre, genre * 7 % 30], axis=1) * 1.0, genre, artist=genre)
    found = ages.evolve(alone, years, build_profiles(alone, 30, 0.5), np.arange(30), np.zeros((30, 2)), 0.5, least=5)
    assert np.isnan(found.by_chance).all() and np.isfinite(found.distance).any() and (found.places == 0).all()


def test_decades_need_songs_and_undated_songs_belong_to_none():
    songs, years, genre = moving_world()
    years[(genre == 3) & (years < 1980)] = np.nan
    first = np.flatnonzero((genre == 4) & (years < 1980))
    years[first[4:]] = np.nan  # four are left
    found = ages.evolve(songs, years, build_profiles(songs, 30, 0.2), np.arange(1, 30), np.zeros((29, 2)), 0.2, least=5)
    assert not (found.genre == 0).any()
    for one in (3, 4):
        assert found.decade[found.genre == one].tolist() == [1980, 1990, 2000]
    empty = ages.evolve(songs, np.full(len(genre), np.nan), build_profiles(songs, 30, 0.2), np.arange(30),
                        np.zeros((30, 2)), 0.2, least=5)  # fmt: skip
    assert len(empty.genre) == 0
