import numpy as np
import pandas as pd
import pytest
from splits_library import NOTHING_PLACED, library, parts, song, split

from genreatlas.config import SplitsSection
from genreatlas.errors import ConfigError, SplitError, SplitLeakError
from genreatlas.ids import stable_id
from genreatlas.splits import assign, check_leaks, current, featured_share, grouping, song_links, unknown_artist_share


def ensemble(n_artists=30, songs_each=2, genre="rock", prefix=""):
    return [
        song(f"{prefix}s{artist:03d}{number}", genre, artist=f"{prefix}a{artist:03d}")
        for artist in range(n_artists)
        for number in range(songs_each)
    ]


def test_whole_rows_of_one_artist_a_copy_and_a_song_alone():
    rows = split(
        [song("s3"), song("s2", artist="x"), song("s1", artist="x"), song("s4", audio="f"), song("s5", audio="f")]
    )
    rows = rows.drop(columns=["part", "fold"])
    group = {name: stable_id("group", name) for name in ("s1", "s3", "s4")}
    expected = pd.DataFrame(
        {
            "song_id": ["s1", "s2", "s3", "s4", "s5"],
            "group_id": [group["s1"], group["s1"], group["s3"], group["s4"], group["s4"]],
            "grouped_by": ["artist", "artist", "song", "recording", "recording"],
            "reason": None,
            "split_version": 1,
        }
    )
    pd.testing.assert_frame_equal(rows, expected, check_dtype=False)


def test_a_song_under_five_genres_lies_in_one_split():
    rows = split([*ensemble(), song("z", "rock pop jazz folk blues", artist="z")])
    assert (rows["song_id"] == "z").sum() == 1


def test_identical_bytes_under_two_names_are_one_group():
    rows = split([*ensemble(), song("one", artist="p", audio="ff"), song("two", artist="q", audio="ff")])
    pair = rows[rows["song_id"].isin(["one", "two"])]
    assert pair["group_id"].nunique() == pair["part"].nunique() == 1


def test_identical_sound_in_files_with_different_tags_is_one_group():
    songs = pd.DataFrame({"song_id": ["one", "two", "three"]})
    clips = pd.DataFrame({"song_id": songs.song_id, "sha256": ["f1", "f2", "f3"], "audio_id": ["a", "a", "b"]})
    keys = song_links(songs, clips=clips).groupby("song_id")["key"].agg(set).to_dict()
    assert keys == {"one": {"f1", "a"}, "two": {"f2", "a"}, "three": {"f3", "b"}}


def test_guests_never_join_groups():
    rows = split([song("s1", artist="a", guests=["c"]), song("s2", artist="b", guests=["c"]), song("s3", artist="c")])
    assert rows["group_id"].nunique() == 3


def test_junk_in_the_isrc_field_joins_nothing():
    rows = split([song(f"s{i}", isrc=isrc) for i, isrc in enumerate(["0", "0", "", "unknown", "unknown", None])])
    assert rows["group_id"].nunique() == 6
    rows = split([song("s1", isrc="USRC17607839"), song("s2", isrc="us-rc1-76-07839")])
    assert rows["group_id"].nunique() == 1


def test_parts_and_folds_hold_their_shares_of_a_large_and_of_a_small_genre():
    songs = [*ensemble(200, 1, "rock"), *ensemble(20, 1, "jazz", prefix="j")]
    rows = split(songs).merge(
        pd.DataFrame([(s["song_id"], s["genres"][0]) for s in songs], columns=["song_id", "genre"])
    )
    counts = rows.groupby(["genre", "part"]).size().to_dict()
    assert counts == {
        ("rock", "train"): 140, ("rock", "test"): 40, ("rock", "promotion"): 20,
        ("jazz", "train"): 14, ("jazz", "test"): 4, ("jazz", "promotion"): 2,
    }  # fmt: skip
    folds = rows[rows["part"] == "train"].groupby(["genre", "fold"]).size()
    assert set(folds["rock"]) == {28} and set(folds["jazz"]) == {2, 3}


def test_a_genre_with_as_many_groups_as_parts_is_in_every_part_with_the_largest_group_in_train():
    sizes = {"a": 12, "b": 1, "c": 1}
    songs = [song(f"{artist}{i}", "jazz", artist=artist) for artist, size in sizes.items() for i in range(size)]
    rows = split(songs, min_songs=1)
    assert {rows.loc[rows["song_id"].str.startswith(a), "part"].unique().item() for a in "abc"} == {
        "train", "promotion", "test",
    }  # fmt: skip
    assert (rows["part"] == "train").sum() == 12


def test_without_a_promotion_share_there_is_no_promotion_part():
    assert set(split(ensemble(), promotion=0.0)["part"]) == {"train", "test"}


def test_another_seed_gives_another_split():
    songs = ensemble()
    assert parts(split(songs, seed=1)) != parts(split(songs, seed=2))
    assert parts(split(songs, seed=1)) == parts(split(songs, seed=1))


def test_songs_without_a_genre_wait():
    rows = split([*ensemble(), song("unlabelled", "", artist="a000")])
    assert "unlabelled" not in parts(rows)


def test_a_later_song_joins_the_group_that_is_placed():
    before = split(ensemble())
    after = split([*ensemble(), song("late", artist="a007")], before)
    mate = after[after["song_id"] == "s0070"].iloc[0]
    late = after[after["song_id"] == "late"].iloc[0]
    assert late[["group_id", "part"]].tolist() == mate[["group_id", "part"]].tolist()
    assert (pd.isna(late["fold"]) and pd.isna(mate["fold"])) or late["fold"] == mate["fold"]
    assert late["split_version"] == 2 and mate["split_version"] == 1


def one_artist_in(rows, part, skip=0):
    """Artist of some song in a part."""
    return "a" + sorted(rows.loc[rows["part"] == part, "song_id"])[skip * 2][1:4]


def test_a_song_that_would_join_groups_of_different_parts_is_excluded_and_moves_nothing():
    songs = ensemble()
    before = split(songs)
    trained, tested = one_artist_in(before, "train"), one_artist_in(before, "test")
    songs = [dict(s, isrc="USRC17607839") if s["song_id"] == f"s{tested[1:]}0" else s for s in songs]
    bridge = song("bridge", artist=trained, isrc="USRC17607839")
    mate = song("mate", artist=trained)
    after = split([*songs, bridge, mate], before)
    row = after[after["song_id"] == "bridge"].iloc[0]
    assert (row["part"], row["reason"], pd.isna(row["fold"])) == ("excluded", "bridges_groups", True)
    assert parts(after)["mate"] == "train"
    assert {key: parts(after)[key] for key in parts(before)} == parts(before)
    later = split([*songs, bridge, mate, song("later", artist=trained)], after)
    assert parts(later)["later"] == "train"


def test_a_chain_of_new_songs_between_two_parts_gives_up_only_its_far_end():
    songs = ensemble()
    before = split(songs)
    trained, tested = one_artist_in(before, "train"), one_artist_in(before, "test")
    marks = {f"s{trained[1:]}0": "USRC10000001", f"s{tested[1:]}0": "USRC10000002"}
    songs = [dict(s, isrc=marks.get(s["song_id"])) for s in songs]
    chain = [song("n1", artist="new", isrc="USRC10000001"), song("n2", artist="new", isrc="USRC10000002"),
             song("n3", artist="new")]  # fmt: skip
    after = parts(split([*songs, *chain], before))
    assert [after[name] for name in ("n1", "n2", "n3")] == ["train", "excluded", "train"]


def test_copies_that_were_placed_apart_are_withdrawn_outside_train_in_a_newer_version():
    songs = ensemble()
    before = split(songs)
    pair = [f"s{one_artist_in(before, part)[1:]}0" for part in ("train", "test")]
    songs = [dict(s, audio="same") if s["song_id"] in pair else s for s in songs]
    made = assign(library(songs), before, SplitsSection())
    assert made.withdrawn == 1 and made.pending == 0
    assert made.rows[["song_id", "part", "reason"]].to_numpy().tolist() == [[pair[1], "excluded", "bridges_groups"]]
    rows = current(pd.concat([before, made.rows.assign(split_version=2)]))
    with pytest.raises(SplitLeakError, match="audio same"):
        check_leaks(before, library(songs).links)
    check_leaks(rows, library(songs).links)
    assert current(pd.concat([before, made.rows.assign(split_version=2)]), version=1).equals(before)


def test_a_group_in_two_parts_or_folds_raises_and_is_named():
    rows = pd.DataFrame(
        {"song_id": ["a", "b"], "group_id": "g77", "part": ["train", "test"], "fold": [0, None], "reason": None}
    )
    with pytest.raises(SplitLeakError, match="group g77 in test, train fold 0"):
        check_leaks(rows)
    with pytest.raises(SplitLeakError, match="g77"):
        check_leaks(rows.assign(part="train", fold=[0, 1]))
    check_leaks(rows.assign(part=["train", "excluded"]))


def test_a_group_above_the_largest_share_stops_and_is_named_from_1000_songs_on():
    crowd = [song(f"v{i}", artist="Someone") for i in range(50)]
    split([*ensemble(400), *crowd])
    with pytest.raises(SplitError, match=r"\(Someone\) holds 50 of 1050 songs, 4\.8%"):
        split([*ensemble(500), *crowd])
    split([*ensemble(500), *crowd], max_group_share=0.05)


def test_a_split_by_album_where_every_genre_is_one_album_is_refused():
    songs = [song(f"{genre}{i}", genre, album=f"Best of {genre}") for genre in ("metal", "ambient") for i in range(12)]
    with pytest.raises(SplitError, match=r"ambient \(1 of 12 songs\); metal \(1 of 12 songs\)"):
        split(songs, min_songs=10, group_by="album")
    split(songs, min_songs=13, group_by="album")
    split(songs, min_songs=10, group_by="song")


def test_albums_are_not_divided_and_figures_say_so():
    songs = [song(f"s{i:03d}", artist=f"a{i % 7}", album=f"Album {i // 4}") for i in range(80)]
    rows = split(songs, group_by="album")
    assert rows.groupby(np.arange(80) // 4)["part"].nunique().max() == 1
    assert grouping(rows) == "album-grouped"


def test_declared_parts_are_kept_and_train_gets_folds():
    songs = [song(f"s{i:02d}", declared=["train", "test"][i % 2]) for i in range(20)]
    rows = split(songs)
    assert parts(rows) == {s["song_id"]: s["declared_split"] for s in songs}
    assert rows.loc[rows["part"] == "train", "fold"].value_counts().to_dict() == dict.fromkeys(range(5), 2)
    assert rows.loc[rows["part"] == "test", "fold"].isna().all()


def test_songs_that_a_filtered_list_leaves_out_are_excluded():
    rows = split([song("a", declared="train"), song("b", declared="test"), song("c")])
    assert rows.loc[rows["song_id"] == "c", ["part", "reason"]].to_numpy().tolist() == [["excluded", "not_declared"]]


def test_songs_train_where_only_the_other_parts_are_listed():
    assert parts(split([song("a"), song("b", declared="test"), song("c")])) == {"a": "train", "b": "test", "c": "train"}


def test_a_source_without_parts_is_divided_by_shares_beside_one_with_parts():
    declared = [song(f"d{i}", declared="train", source="listed") for i in range(50)]
    rows = split([*declared, *ensemble(100, 1)])
    free = rows[~rows["song_id"].str.startswith("d")]
    assert free["part"].value_counts().to_dict() == {"train": 70, "test": 20, "promotion": 10}


def test_a_declared_split_that_leaks_is_refused_unless_told_otherwise_and_flagged():
    songs = [song("a", artist="Nina", declared="train"), song("b", artist="Nina", declared="test"),
             song("c", artist="Otis", declared="train"), song("d", artist="Etta", declared="test")]  # fmt: skip
    with pytest.raises(SplitLeakError, match=r"artist nina \(Nina\): 2 songs, song a in train, song b in test"):
        split(songs)
    rows = split(songs, allow_declared_leak=True)
    assert parts(rows) == {"a": "train", "b": "test", "c": "train", "d": "test"}
    assert rows.set_index("song_id")["reason"].dropna().to_dict() == {"a": "declared_leak", "b": "declared_leak"}
    assert grouping(rows) == "leaky"
    links = library(songs).links
    with pytest.raises(SplitLeakError):
        check_leaks(rows, links)
    check_leaks(rows, links, allow_declared=True)
    assert grouping(split(songs, declared="ignore")) == "artist-safe"


def test_a_declared_song_that_contradicts_its_placed_group_is_refused():
    before = split([song("a", artist="Nina", declared="train"), song("d", artist="Etta", declared="test")])
    with pytest.raises(SplitLeakError, match="Nina"):
        split([song("a", artist="Nina", declared="train"), song("b", artist="Nina", declared="test")], before)


def test_grouping_says_what_figures_mean():
    assert grouping(split(ensemble())) == "artist-safe"
    assert grouping(split([song("a"), song("b", artist="x")])) == "song-grouped"
    assert unknown_artist_share(split([song("a"), song("b", artist="x")])) == 0.5
    assert grouping(split([*ensemble(1000, 1), song("nameless")], max_group_share=1)) == "artist-safe"
    assert grouping(split(ensemble(), group_by="song")) == "song-grouped"


def test_the_share_of_test_songs_with_a_training_artist_as_guest_or_partner():
    rows = pd.DataFrame({"song_id": list("abcdef"), "part": ["train", "test", "test", "test", "test", "test"]})
    songs = pd.DataFrame(
        {
            "song_id": list("abcdef"),
            "artist": ["Xenia feat. Yves", "Yves (ft. XENIA)", "Zoe; Yves", "Wim", "Zoe", "Zoe & Xenia"],
            "title": [None, None, None, "Tune (feat. Otis & Xenia)", "Tune", None],
        }
    )
    assert featured_share(rows, songs) == pytest.approx(3 / 5)
    assert featured_share(rows[:1], songs) is None


def test_fewer_folds_or_another_grouping_under_the_same_name_is_refused():
    before = split(ensemble())
    with pytest.raises(
        ConfigError, match=r'5\. Assigned rows of a split never change. Choose another name.*"default-2"'
    ):
        split([*ensemble(), song("late")], before, folds=3)
    with pytest.raises(ConfigError, match="grouped by artist"):
        split([*ensemble(), song("late")], before, group_by="song")


def test_nothing_new_makes_no_rows():
    made = assign(library(ensemble()), split(ensemble()), SplitsSection())
    assert (len(made.rows), made.pending, made.withdrawn) == (0, 0, 0)
    empty = assign(library([]), NOTHING_PLACED, SplitsSection())
    assert (len(empty.rows), empty.pending) == (0, 0)


def test_links_of_an_album_fall_back_to_the_artist():
    songs = pd.DataFrame(
        {"song_id": ["a", "b"], "album": ["Kind  of Blue", None], "album_artist": ["Miles Davis", None]}
    )
    song_artists = pd.DataFrame({"song_id": ["a", "b"], "position": 0, "artist_id": ["m", "m"]})
    links = song_links(songs, song_artists, group_by="album")
    assert links.to_numpy().tolist() == [["a", "album", "kindofblue\nmilesdavis"], ["b", "artist", "m"]]
