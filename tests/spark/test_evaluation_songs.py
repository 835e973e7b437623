"""Clips added up to songs, and features swapped between clips."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from genreatlas.evaluation.average_precisions import average_precision_rows
from genreatlas.evaluation.importances import FRAMES_A_CLIP, Block, shuffled_clips, told_apart
from genreatlas.evaluation.song_scores import Families, clip_rows, outcome_rows, row_confusions, song_predictions
from genreatlas.metrics import average_precision
from genreatlas.models.confidence import Confidence
from genreatlas.models.types import PREDICTED

SONGS = "song_id string, group_id string, part string, genres array<string>"
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
        spark.createDataFrame(songs, SONGS),
        model_id="m",
        classes=CLASSES,
        score_kind="probability",
        multi=False,
    )


def test_a_song_is_the_mean_of_its_clips_and_the_vote_of_their_rows(predictions):
    rows = [row.asDict() for row in predictions.orderBy("song_id").collect()]
    same = {"model_id": "m", "part": "test", "score_kind": "probability", "set_size": None,
            "in_set": None, "higher": None, "equal": None, "family_scores": None}  # fmt: skip
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


def test_confidence_calibrates_the_mean_and_gives_sets(spark):
    straight = np.array([[0.0, 1.0], [0.0, 1.0]])
    sure = Confidence(np.array([0.5, 1.0, 2.0]), straight, np.array([0.3, 0.3, 0.7]), 0.9, 100, 50, 1e-6)
    clips = [("p", "c1", 1, [0.6, 0.3, 0.1], [1, 0, 0]), ("p", "c2", 1, [0.4, 0.3, 0.3], [1, 0, 0]),
             ("q", "c3", 1, [0.2, 0.3, 0.5], [0, 0, 1])]  # fmt: skip
    songs = [("p", "g1", "test", ["rock"]), ("q", "g2", "test", ["jazz"])]
    found = song_predictions(
        spark.createDataFrame(clips, PREDICTED),
        spark.createDataFrame(songs, SONGS),
        model_id="m", classes=CLASSES, score_kind="probability", multi=False, confidence=sure,
    )  # fmt: skip
    rows = {row.song_id: row for row in found.collect()}
    means = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    for song, expected in zip("pq", sure.probabilities(means), strict=True):
        assert [rows[song].scores[genre] for genre in CLASSES] == pytest.approx(expected.tolist(), abs=1e-12)
        assert rows[song].confidence == max(rows[song].scores.values())
    # p: blues .41, then jazz .32 with .41 ahead of it (over .3), rock with .74 ahead (over .7)
    # q: rock .66, then jazz with .66 ahead of it
    assert [(rows[song].predicted, rows[song].set_size, rows[song].in_set) for song in "pq"] == [
        ("blues", 1, False), ("rock", 1, False)
    ]  # fmt: skip
    wide = Confidence(sure.sharpness, straight, np.array([0.3, 0.7, 0.8]), 0.9, 100, 50, 1e-6)
    answers = clip_rows(spark.createDataFrame(clips, PREDICTED).withColumn("clip_id_", F.col("clip_id")), "m", CLASSES,
                        "probability", wide, 2)  # fmt: skip
    sets = {row.item_id: (row.genre_set, row.set_size, row.abstains) for row in answers.collect()}
    assert sets["clip:c3"] == (["rock", "jazz"], 2, False)
    assert sets["clip:c1"] == (["blues", "jazz"], 2, False)
    assert sets["clip:c2"] == (None, 3, True), "three genres are no answer where two are the most"


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


@pytest.mark.parametrize("kept", [15, 4])
def test_average_precisions_are_those_of_the_scores_that_are_kept(spark, monkeypatch, kept):
    # Spark: the places of songs within a genre are counted by windows over its tables.
    monkeypatch.setattr("genreatlas.evaluation.average_precisions.TOP", kept)
    rng = np.random.default_rng(3)
    names = [f"g{genre:02}" for genre in range(15)]
    truth = rng.integers(0, 14, 80)
    scores = np.round(rng.random((80, 15)) + 0.5 * np.eye(15)[truth], 1)
    scores += 1e-6 * np.arange(15)  # equal within a genre, not within a song
    songs, kept_scores = [], np.full(scores.shape, -1.0)
    for song, (mine, genre) in enumerate(zip(scores, truth, strict=True)):
        highest = np.argsort(-mine, kind="stable")[:kept]
        kept_scores[song, highest] = mine[highest]
        stored = {*highest.tolist(), int(genre)}
        higher = int((mine > mine[genre]).sum()) if kept < 15 else None
        songs.append(
            (f"s{song:02}", [names[genre]], {names[place]: float(mine[place]) for place in sorted(stored)}, higher)
        )
    rows = spark.createDataFrame(songs, "song_id string, genres array<string>, scores map<string,double>, higher int")
    outcomes = pd.DataFrame({"song_id": [song[0] for song in songs], "truth": [names[one] for one in truth]})
    found = average_precision_rows(rows, outcomes.assign(group_id=outcomes["truth"]), names, 64)
    hits = truth[:, None] == np.arange(15)
    each = [average_precision(kept_scores[:, k], hits[:, k]) for k in np.unique(truth)]
    mine = found[found["metric"] == "average_precision"]
    assert mine["genre_id"].tolist() == [names[k] for k in np.unique(truth)]
    np.testing.assert_allclose(mine["value"], each, atol=1e-12)
    overall = found[found["genre_id"] == "*"].set_index("metric")
    assert overall.loc["macro_average_precision", "value"] == pytest.approx(np.mean(each))
    assert overall.loc["macro_average_precision", "n_absent"] == 15 - len(each) > 0
    pooled = average_precision(kept_scores.ravel(), hits.ravel())
    assert overall.loc["micro_average_precision", "value"] == pytest.approx(pooled, abs=1e-12)
    assert (kept < 15) == any(len(song[2]) > kept for song in songs)


def test_scores_are_summed_over_families_and_the_highest_family_is_known(spark):
    families = Families.of(("a1", "a2", "b"), {"a1": "a", "a2": "a"})
    assert families == Families(("a", "b"), (0, 0, 1)) and Families.of(("a", "b"), {}) is None
    clips = spark.createDataFrame([("s", "c", 1, [0.3, 0.25, 0.45], [0, 0, 1])], PREDICTED)
    songs = spark.createDataFrame([("s", "g", "test", ["a1"])], SONGS)
    rows = song_predictions(
        clips, songs, model_id="m", classes=("a1", "a2", "b"), score_kind="probability", multi=False, families=families
    )
    assert rows.collect()[0].family_scores == {"a": 0.55, "b": 0.45}
    outcome = outcome_rows(rows).collect()[0]
    assert (outcome.predicted, outcome.predicted_family) == ("b", "a")
