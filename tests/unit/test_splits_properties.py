import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from splits_library import library, song, split

from genreatlas.splits import check_leaks

GENRES = ["rock", "pop", "jazz", "folk", "blues"]


@st.composite
def songs(draw, prefix="s", least=0, most=60):
    """A library in which artists, ISRCs and audio recur, so that chains of all kinds occur."""
    n = draw(st.integers(least, most))
    made = []
    for i in range(n):
        genres = draw(st.lists(st.sampled_from(GENRES), min_size=1, max_size=3, unique=True))
        artist = draw(st.one_of(st.none(), st.integers(0, 12).map("artist{}".format)))
        isrc = draw(st.one_of(st.none(), st.none(), st.integers(0, 8).map("USRC1000000{}".format)))
        audio = draw(st.one_of(st.none(), st.none(), st.integers(0, 8).map("audio{}".format)))
        made.append(song(f"{prefix}{i:03d}", " ".join(genres), artist=artist, isrc=isrc, audio=audio))
    return made


@given(songs())
@settings(max_examples=15, deadline=None)
def test_no_group_is_ever_divided(library_songs):
    rows = split(library_songs)
    check_leaks(rows, library(library_songs).links)
    assert sorted(rows["song_id"]) == sorted(s["song_id"] for s in library_songs)
    assert set(rows["part"]) <= {"train", "promotion", "test"}
    assert (rows["fold"].notna() == (rows["part"] == "train")).all()


@given(songs(), st.randoms())
@settings(max_examples=12, deadline=None)
def test_the_order_of_rows_makes_no_difference(library_songs, random):
    shuffled = random.sample(library_songs, len(library_songs))
    pd.testing.assert_frame_equal(split(library_songs), split(shuffled))


@given(songs(), songs(prefix="m"), songs(prefix="a", most=20))
@settings(max_examples=12, deadline=None)
def test_adding_songs_never_moves_any_and_never_leaks(first, second, third):
    before = split(first)
    middle = split([*second, *first], before)
    after = split([*first, *second, *third], middle)
    kept = after[after["song_id"].isin(before["song_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before, check_dtype=False)
    check_leaks(after, library([*first, *second, *third]).links)
    assert set(after.loc[after["part"] == "excluded", "reason"]) <= {"bridges_groups"}


@given(songs(least=5), st.data())
@settings(max_examples=15, deadline=None)
def test_links_found_later_only_exclude_and_leave_no_leak(library_songs, data):
    before = split(library_songs)
    tied = data.draw(st.sets(st.sampled_from([s["song_id"] for s in library_songs]), min_size=2))
    linked = [dict(s, isrc="GBAYE0000001") if s["song_id"] in tied else s for s in library_songs]
    after = split(linked, before)
    check_leaks(after, library(linked).links)
    changed = after[after["part"] != before["part"]]
    assert set(changed["part"]) <= {"excluded"}
    assert set(changed["song_id"]) <= tied


@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from(GENRES)), min_size=60, max_size=150),
    st.integers(0, 5),
)
@settings(max_examples=12, deadline=None)
def test_every_genre_has_its_share_of_every_part_within_a_group(artists, seed):
    library_songs = [
        song(f"s{a:03d}{i}", genre, artist=f"artist{a}") for a, (size, genre) in enumerate(artists) for i in range(size)
    ]
    rows = split(library_songs, seed=seed)
    rows["genre"] = rows["song_id"].map({s["song_id"]: s["genres"][0] for s in library_songs})
    for _, of_genre in rows.groupby("genre"):
        if of_genre["group_id"].nunique() < 6:
            continue
        for part, share in {"train": 0.7, "test": 0.2, "promotion": 0.1}.items():
            assert abs((of_genre["part"] == part).sum() - share * len(of_genre)) <= 4
        folds = of_genre["fold"].value_counts().reindex(range(5), fill_value=0)
        assert folds.max() - folds.min() <= 6


@given(songs(least=1), st.data())
@settings(max_examples=12, deadline=None)
def test_declared_parts_that_respect_groups_are_kept(library_songs, data):
    groups = split(library_songs).set_index("song_id")["group_id"]
    chosen = {g: data.draw(st.sampled_from(["train", "promotion", "test"])) for g in sorted(set(groups))}
    declared = [dict(s, declared_split=chosen[groups[s["song_id"]]]) for s in library_songs]
    rows = split(declared)
    assert rows["part"].tolist() == [chosen[groups[s]] for s in rows["song_id"]]
    check_leaks(rows, library(declared).links)


def test_numbers_of_genres_and_of_groups_may_be_large():
    random = np.random.default_rng(3)
    many = [song(f"s{i:05d}", f"g{random.integers(400)}", artist=f"a{random.integers(2000)}") for i in range(6000)]
    rows = split(many)
    shares = rows["part"].value_counts(normalize=True)
    assert abs(shares["train"] - 0.7) < 0.02 and abs(shares["test"] - 0.2) < 0.02
