"""Experiments on confounds: who answers a song, what a paired difference is worth, and what verdicts say."""

import numpy as np
import pytest

from genreatlas.errors import InputError
from genreatlas.evaluation.confounds import (
    Columns,
    HeldOutModels,
    IntervalSettings,
    Songs,
    artist_folds,
    largest_classes,
    majority_answers,
    paired_difference,
    pick_songs,
)
from genreatlas.evaluation.probe_comparisons import Levelled, apart_rows, change_rows, transfer_rows
from genreatlas.evaluation.probe_experiments import usable
from genreatlas.evaluation.probe_results import Probed, alone_rows, artist_rows, music_rows

QUICK = IntervalSettings(n_samples=200)
PROBED = Probed("default", 1, "artist-safe", "summary9", "2", "p", 7, QUICK)


def songs_of(n: int, n_classes: int = 3, per_group: int = 1, folds: int = 3) -> Songs:
    """Songs of classes in turn; a group is of one class and one fold."""
    group = np.arange(n) // n_classes // per_group * n_classes + np.arange(n) % n_classes
    names = tuple("abcdefghij"[:n_classes])
    ids = np.array([f"song{place:04d}" for place in range(n)])
    return Songs(ids, np.arange(n) % n_classes, group // n_classes % folds, group.astype(str), names, names)


def one_row(values: np.ndarray) -> Columns:
    return Columns(values.reshape(len(values), -1).astype(np.float32), np.arange(len(values)))


def test_a_song_is_answered_by_the_model_that_was_fitted_without_its_fold():
    songs = songs_of(60, n_classes=2, folds=2)
    # In fold 1 the value means the opposite: whoever saw the own fold would be right, whoever did not is never right.
    values = np.where(songs.fold == 0, songs.target, 1 - songs.target) + np.linspace(0, 0.1, 60)
    for estimator in ("linear", "forest"):
        answers = HeldOutModels(songs, one_row(values), estimator, seed=1).answers(songs, one_row(values))
        assert (answers != songs.target).all()


def test_a_song_counts_once_however_many_rows_it_has():
    songs = songs_of(30)
    song = np.repeat(np.arange(30), 3)
    clear = np.eye(3)[songs.target][song] * 4.0
    clear[::3] = np.eye(3)[(songs.target[song[::3]] + 1) % 3]  # a third of the rows say the next class, less clearly
    columns = Columns(clear.astype(np.float32), song)
    answers = HeldOutModels(songs, columns, "linear", seed=1).answers(songs, columns)
    assert answers.tolist() == songs.target.tolist()
    lacking = Columns(columns.values[3:], columns.song[3:])
    assert HeldOutModels(songs, columns, "linear", seed=1).answers(songs, lacking)[0] == -1


def test_a_fold_without_which_one_genre_is_left_is_refused():
    songs = songs_of(12, n_classes=2)
    alone = Songs(songs.ids, songs.target, songs.target, songs.group, songs.classes, songs.names)
    with pytest.raises(InputError, match="without fold 0 fewer than two of 2"):
        HeldOutModels(alone, one_row(np.zeros(12)), "linear", seed=1)


def test_a_difference_is_paired_and_its_interval_leaves_0_out_where_every_artist_lost():
    group = np.repeat(np.arange(40), 5)
    before = np.ones(200, dtype=bool)
    after = np.arange(200) % 5 > 0  # one song of each artist is lost
    found = paired_difference(after, before, group, QUICK)
    assert found.value == pytest.approx(-0.2)
    assert found.low <= -0.2 <= found.high < 0
    some = np.where(group < 20, after, before)
    found = paired_difference(some, before, group, QUICK)
    assert found.method == "bootstrap over groups" and found.low < -0.1 < found.high < 0


def test_where_nothing_changed_the_interval_has_a_width_all_the_same():
    hits = np.arange(120) % 3 > 0
    found = paired_difference(hits, hits, np.arange(120), QUICK)
    assert found.value == 0.0 and found.low < 0.0 < found.high
    assert found.method == "effective songs" and found.low > -0.06 and found.high < 0.06
    assert np.isnan(paired_difference(hits[:4], hits[:4], np.arange(4), QUICK).low)
    assert np.isnan(paired_difference(hits[:0], hits[:0], np.arange(0), QUICK).value)


def test_intervals_of_differences_hold_the_truth_with_artists_that_are_alike():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        lost = np.repeat(rng.beta(1, 9, 50), 4)  # a tenth of all songs, more of some artists than of others
        after = rng.random(200) >= lost
        found = paired_difference(after, np.ones(200), np.repeat(np.arange(50), 4), QUICK)
        held += found.low <= -0.1 <= found.high
    assert held >= 180


def test_songs_are_picked_evenly_and_the_same_ones_again_in_any_company():
    songs = songs_of(300)
    picked = pick_songs(songs, 90, seed=7)
    assert len(picked) == 90 and (np.diff(picked) > 0).all()
    assert np.bincount(songs.target[picked] * 3 + songs.fold[picked]).tolist() == [10] * 9
    assert set(pick_songs(songs, 45, seed=7)) <= set(picked)
    assert set(pick_songs(songs, 90, seed=8)) != set(picked)
    assert pick_songs(songs, 1000, seed=7).tolist() == list(range(300))


def test_the_largest_genres_are_kept_and_numbered_anew():
    songs = songs_of(30)
    fewer = songs.some(np.flatnonzero((songs.target > 0) | (np.arange(30) < 9)))
    kept = largest_classes(fewer, 2)
    assert kept.classes == ("b", "c") and set(kept.target) == {0, 1} and len(kept) == 20


def test_rows_of_some_songs_are_numbered_anew():
    columns = Columns(np.arange(8, dtype=np.float32)[:, None], np.array([0, 0, 1, 2, 2, 3, 4, 4]))
    some = columns.of(np.array([1, 2, 4]))
    assert some.values[:, 0].tolist() == [2, 3, 4, 6, 7] and some.song.tolist() == [0, 1, 1, 2, 2]


def test_songs_of_which_something_is_not_known_are_left_out_and_so_are_genres_with_too_few():
    songs = songs_of(60)
    known = np.flatnonzero((songs.target != 2) | (np.arange(60) < 9))
    mine, columns = usable(songs, Columns(np.zeros((len(known), 1), np.float32), known))
    assert mine.classes == ("a", "b") and len(mine) == 40 and columns.song.tolist() == list(range(40))
    with pytest.raises(InputError, match="fewer than two genres have 50 songs"):
        usable(songs, one_row(np.zeros(60)), least=50)


def test_artists_are_told_from_the_other_half_of_their_songs():
    songs = songs_of(60, per_group=4)
    artists = dict(zip(songs.ids.tolist(), songs.group.tolist(), strict=True))
    found = artist_folds(songs, artists, fewest=4, most=10, seed=7)
    assert len(found.classes) == 10 and len(found) == 40
    for artist in range(10):
        assert np.bincount(found.fold[found.target == artist]).tolist() == [2, 2]
    assert artist_folds(songs, artists, fewest=5, most=10, seed=7) is None
    assert artist_folds(songs, {}, fewest=1, most=10, seed=7) is None


def rows_of(name: str, values: np.ndarray, songs: Songs, n_all: int = 0) -> dict:
    columns = one_row(values)
    answers = HeldOutModels(songs, columns, "forest", seed=1).answers(songs, columns)
    music = songs.target  # a set that is always right
    rows = alone_rows(PROBED, name, songs, answers, majority_answers(songs), music, n_all or len(songs))
    return {(row["metric"], row["genre_id"]): row for row in rows}


def test_a_confound_that_follows_from_the_genre_tells_most_and_noise_tells_nothing():
    songs = songs_of(180, per_group=2)
    rng = np.random.default_rng(2)
    rows = rows_of("loudness", -10.0 * songs.target + rng.normal(0, 1, 180), songs)
    whole = rows["accuracy", "*"]
    assert whole["verdict"] == "tells most" and whole["value"] > 0.95
    assert whole["difference_low"] > 0.5 and whole["baseline"] == pytest.approx(1 / 3, abs=0.05)
    assert whole["n_songs"] == 180 and whole["n_artists"] == 90 and whole["n_genres"] == 3
    assert "how much of that is music is not known" in whole["sentence"]
    assert {genre for metric, genre in rows if metric == "recall"} == {"a", "b", "c"}

    noise = rows_of("loudness", rng.normal(0, 1, 180), songs, n_all=200)["accuracy", "*"]
    assert noise["verdict"] == "not shown" and "was not shown" in noise["sentence"]
    assert noise["sentence"].endswith("It is not known of 20 songs, which are left out here.")


def test_a_split_that_is_not_artist_safe_is_not_said_to_be():
    songs = songs_of(60)
    for grouping, said in (
        ("artist-safe", "songs of artists that were not trained on"),
        ("song-grouped", "songs that"),
    ):
        probed = Probed("default", 1, grouping, "summary9", "2", "p", 7, QUICK)
        sentence = music_rows(probed, songs, songs.target, majority_answers(songs))[0]["sentence"]
        assert said in sentence and ("artists" in sentence) == (grouping == "artist-safe")


def test_without_enough_artists_nothing_is_said_to_be_shown():
    songs = songs_of(12)
    few = Songs(songs.ids, songs.target, songs.fold, np.repeat(["x", "y", "z"], 4), songs.classes, songs.names)
    row = music_rows(PROBED, few, few.target, majority_answers(few))[0]
    assert row["value"] == 1.0 and row["low"] is None and row["verdict"] == "not shown"
    assert "too few groups for an interval" in row["sentence"]


def test_artists_are_compared_with_guessing_among_those_of_the_right_genre():
    songs = songs_of(120, n_classes=6, per_group=20)  # six artists, two of each of three genres
    genre = songs.target // 2
    rng = np.random.default_rng(1)
    by_genre = 2 * genre + rng.integers(0, 2, 120)  # knows the genre, and guesses the artist
    row = artist_rows(PROBED, songs, by_genre, genre, 150)[0]
    assert row["baseline"] == 0.5 and row["verdict"] == "not shown"
    assert "30 songs are by artists with too few songs" in row["sentence"]
    assert artist_rows(PROBED, songs, songs.target, genre, 120)[0]["verdict"] == "tells"


def test_the_id_of_an_experiment_follows_from_songs_features_model_and_seed():
    songs = songs_of(60)
    majority = majority_answers(songs)
    first = music_rows(PROBED, songs, songs.target, majority)
    again = music_rows(PROBED, songs, songs.target, majority)
    assert first == again
    other = Probed("default", 1, "artist-safe", "summary9", "2", "p", 8, QUICK)
    assert music_rows(other, songs, songs.target, majority)[0]["probe_id"] != first[0]["probe_id"]


def test_a_change_that_costs_more_than_it_may_is_said_to_lose_and_one_that_costs_nothing_holds():
    songs = songs_of(600)
    wrong = np.where(np.arange(600) % 20 == 0, (songs.target + 1) % 3, songs.target)
    row = change_rows(PROBED, "gain_up", "a gain of 6 dB", songs, songs.target, wrong, 0.02, ())[0]
    assert (row["verdict"], row["value"], row["baseline"]) == ("loses", 0.95, 1.0)
    assert row["difference"] == pytest.approx(-0.05) and row["difference_high"] < -0.02
    assert "5.0 points less" in row["sentence"] and "95.0 % of the predictions are unchanged." in row["sentence"]
    assert "This exceeds the tolerated loss of 2 points. " in row["sentence"]

    same = change_rows(
        PROBED, "gain_up", "a gain of 6 dB", songs, wrong, wrong, 0.02, ("the audio of 3 songs is gone",)
    )
    assert same[0]["verdict"] == "holds" and same[0]["sentence"].endswith("The audio of 3 songs is gone.")
    few = songs.some(np.arange(60))
    row = change_rows(PROBED, "gain_up", "a gain of 6 dB", few, few.target, few.target, 0.02, ())[0]
    assert row["verdict"] == "may lose" and row["difference"] == 0.0 and row["difference_low"] < -0.02


LEVELS = Levelled("with every clip brought to -23 LUFS", (-10.0, -12.0, -30.0), quiet=2)


def apart_of(without: np.ndarray, plain: np.ndarray | None = None, songs: Songs | None = None) -> tuple[dict, dict]:
    """The row over all genres, and that of the quiet genre's recall."""
    songs = songs or songs_of(600)
    plain = songs.target if plain is None else plain
    answers = (plain, without, songs.target, majority_answers(songs))
    rows = apart_rows(PROBED, "test", songs, answers, LEVELS, 0.02)
    return rows[0], next(row for row in rows if (row["metric"], row["genre_id"]) == ("recall", "c"))


def test_a_quiet_genre_that_is_recognised_at_any_level_is_not_told_by_its_level():
    songs = songs_of(1500)
    whole, quiet = apart_of(songs.target, songs=songs)
    assert whole["verdict"] == "told apart; c: not by level" and quiet["difference"] == 0.0
    assert "c (median level -30.0, the next genre's -12.0)" in whole["sentence"]
    assert "and not by its level." in whole["sentence"]


def test_a_quiet_genre_that_is_lost_without_its_level_is_told_by_it():
    songs = songs_of(600)
    rng = np.random.default_rng(1)
    lost = np.where(songs.target == 0, 0, rng.integers(1, 3, 600))  # b and c are guessed
    whole, quiet = apart_of(lost)
    assert whole["verdict"] == "told apart with level; c: by level"
    assert "this was not shown for b, c." in whole["sentence"]
    assert "level, b (5" in whole["sentence"] or "level, b (4" in whole["sentence"]
    assert quiet["baseline"] == 1.0 and quiet["value"] == pytest.approx(0.5, abs=0.08)
    assert quiet["difference_high"] < -0.4 and quiet["n_songs"] == 200
    partly = np.where((songs.target == 2) & (np.arange(600) // 3 % 5 == 0), 1, songs.target)
    assert apart_of(partly)[0]["verdict"] == "told apart; c: partly by level"


def test_a_genre_that_is_always_named_is_not_told_although_its_recall_is_1():
    songs = songs_of(600)
    always = np.full(600, 2)
    whole, quiet = apart_of(always, always)
    assert quiet["value"] == 1.0 and whole["verdict"] == "not shown; c: not shown"
    told = apart_of(always, songs.target)[0]
    assert told["verdict"] == "told apart with level; c: not shown without level"


def test_a_model_of_another_collection_is_compared_with_one_of_the_songs_own():
    songs = songs_of(300)
    worse = np.where(np.arange(300) % 4 == 0, (songs.target + 1) % 3, songs.target)
    guess = majority_answers(songs)
    row = transfer_rows(PROBED, ("x", "y"), songs, (worse, songs.target, guess), (500, 300))[0]
    assert (row["name"], row["verdict"], row["value"], row["baseline"]) == (
        "x to y",
        "transfers, with a loss",
        0.75,
        1.0,
    )
    assert row["sentence"].startswith(
        "Trained on 500 songs of x, summary9 predicts the right one of 3 genres for 75.0 %"
    )
    assert transfer_rows(PROBED, ("x", "y"), songs, (worse, worse, guess), (1, 1))[0]["verdict"] == "transfers"
    nothing = transfer_rows(PROBED, ("x", "y"), songs, (guess, songs.target, guess), (1, 1))[0]
    assert nothing["verdict"] == "not shown"
