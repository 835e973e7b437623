"""Clips added up to songs, and features swapped between clips."""

import pytest

from genreatlas.evaluation.importances import FRAMES_A_CLIP, Block, shuffled_clips, told_apart
from genreatlas.evaluation.song_scores import outcome_rows, row_confusions, song_predictions
from genreatlas.models.types import PREDICTED

CLASSES = ("blues", "jazz", "rock")


@pytest.fixture
def predictions(spark):
    clips = [
        # two clips of one song: the mean says blues (the first of two equal ones), the vote says rock
        ("p", "clip 2", 2, [1.0, 0.0, 1.0], [0, 0, 2]),
        ("p", "clip 1", 2, [1.0, 1.0, 1.0], [1, 1, 0]),
        # votes tie between jazz and rock: the mean score decides
        ("q", "clip 3", 2, [0.0, 1.25, 0.75], [0, 1, 1]),
        ("r", "clip 4", 1, [0.0, 0.25, 0.75], [0, 0, 1]),
    ]
    songs = [("p", "g1", "test", ["rock"]), ("q", "g1", "test", ["jazz"]), ("r", "g2", "test", ["jazz"])]
    return song_predictions(
        spark.createDataFrame(clips, PREDICTED),
        spark.createDataFrame(songs, "song_id string, group_id string, part string, genres array<string>"),
        model_id="m",
        classes=CLASSES,
        score_kind="probability",
        multi=False,
    )


def test_a_song_is_the_mean_of_its_clips_and_the_vote_of_their_rows(predictions):
    rows = [row.asDict() for row in predictions.orderBy("song_id").collect()]
    same = {"model_id": "m", "part": "test", "score_kind": "probability"}
    assert rows == [
        same | {"song_id": "p", "group_id": "g1", "genres": ["rock"], "predicted": "blues", "predicted_by_vote": "rock",
                "confidence": 0.5, "scores": {"blues": 0.5, "jazz": 0.25, "rock": 0.5}, "n_rows": 4,
                "n_rows_correct": 2, "votes": {"blues": 1, "jazz": 1, "rock": 2}},
        same | {"song_id": "q", "group_id": "g1", "genres": ["jazz"], "predicted": "jazz", "predicted_by_vote": "jazz",
                "confidence": 0.625, "scores": {"blues": 0.0, "jazz": 0.625, "rock": 0.375}, "n_rows": 2,
                "n_rows_correct": 1, "votes": {"jazz": 1, "rock": 1}},
        same | {"song_id": "r", "group_id": "g2", "genres": ["jazz"], "predicted": "rock", "predicted_by_vote": "rock",
                "confidence": 0.75, "scores": {"blues": 0.0, "jazz": 0.25, "rock": 0.75}, "n_rows": 1,
                "n_rows_correct": 0, "votes": None},
    ]  # fmt: skip


def test_figures_get_the_rank_of_the_true_genre_and_the_rows_of_songs_that_have_several(predictions):
    outcomes = outcome_rows(predictions).orderBy("song_id").collect()
    found = [(r.song_id, r.truth, r.predicted, r.score, r.n_greater, r.n_equal) for r in outcomes]
    assert found == [
        ("p", "rock", "blues", 0.5, 0, 2),
        ("q", "jazz", "jazz", 0.625, 0, 1),
        ("r", "jazz", "rock", 0.25, 1, 1),
    ]
    rows = row_confusions(predictions).select("song_id", "truth", "predicted", "rows").collect()
    assert sorted(map(tuple, rows)) == [
        ("p", "rock", "blues", 1), ("p", "rock", "jazz", 1), ("p", "rock", "rock", 2),
        ("q", "jazz", "jazz", 1), ("q", "jazz", "rock", 1),
    ]  # fmt: skip


def test_a_swapped_feature_comes_from_the_donor_and_all_others_stay(spark):
    clips = spark.createDataFrame(
        [("s/1", "a", [1.0, 2.0, 3.0]), ("s/2", "b", [10.0, None, 30.0])],
        "song_id string, clip_id string, features array<float>",
    )
    donors = spark.createDataFrame(
        [("a", 0, "b"), ("b", 0, "a"), ("a", 1, "a"), ("b", 1, "b")], "clip_id string, repeat int, donor_id string"
    )
    every = shuffled_clips(clips, donors, [Block("tempo", (0,)), Block("key", (1, 2))], "summary")
    rows = {(r.block, r.repeat, r.song_id): r.features for r in told_apart(every).collect()}
    assert rows == {
        (-1, 0, "s/1"): [1.0, 2.0, 3.0], (-1, 0, "s/2"): [10.0, None, 30.0],
        (0, 0, "s/1"): [10.0, 2.0, 3.0], (0, 0, "s/2"): [1.0, None, 30.0],
        (1, 0, "s/1"): [1.0, None, 30.0], (1, 0, "s/2"): [10.0, 2.0, 3.0],
        (0, 1, "s/1"): [1.0, 2.0, 3.0], (0, 1, "s/2"): [10.0, None, 30.0],
        (1, 1, "s/1"): [1.0, 2.0, 3.0], (1, 1, "s/2"): [10.0, None, 30.0],
    }  # fmt: skip
    assert every.select("clip_id").distinct().count() == 10


def test_frames_are_thinned_and_swapped_in_their_order_from_the_start_again_where_the_donor_is_short(spark):
    n = 2 * FRAMES_A_CLIP
    long = [float(v) for frame in range(n) for v in (frame, -frame)]
    clips = spark.createDataFrame(
        [("s", "long", long, 2), ("t", "short", [1000.0, -1000.0, 2000.0, -2000.0], 2)],
        "song_id string, clip_id string, frames array<float>, width int",
    )
    donors = spark.createDataFrame(
        [("long", 0, "short"), ("short", 0, "long")], "clip_id string, repeat int, donor_id string"
    )
    every = told_apart(shuffled_clips(clips, donors, [Block("c0", (0,))], "frames"))
    rows = {(r.block, r.song_id): r.frames for r in every.collect()}
    assert rows[-1, "s"] == [float(v) for frame in range(0, n, 2) for v in (frame, -frame)]
    assert rows[0, "s"] == [v for k in range(FRAMES_A_CLIP) for v in ((1000.0, 2000.0)[k % 2], -2.0 * k)]
    assert rows[0, "t"] == [0.0, -1000.0, 2.0, -2000.0]
