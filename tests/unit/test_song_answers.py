"""What a worker keeps of the songs that it scores: the highest scores, and the true genre's score and rank."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from genreatlas.models.confidence import Confidence
from genreatlas.models.engines import task_answers
from genreatlas.models.engines.file_models import RowModel
from genreatlas.models.engines.task_answers import answer_batches, predict_batch


class Fixed(RowModel):
    """A model of 150 genres whose scores hang on the two columns that it reads; many of them are equal."""

    format, multi, score_kind, n_classes, n_features = "fixed", False, "probability", 150, 2

    def scores(self, X):
        genre = np.arange(self.n_classes)
        return np.round(np.cos(X[:, :1] * genre + X[:, 1:]), 2)


@pytest.fixture(scope="module")
def clips():
    """Songs of one to four clips, standing together, each with its genre."""
    rng = np.random.default_rng(4)
    counts = rng.integers(1, 5, 60)
    song = np.repeat(np.arange(60), counts)
    return pa.RecordBatch.from_pydict(
        {
            "song_id": [f"s{one:02}" for one in song],
            "clip_id": [f"c{one:03}" for one in range(len(song))],
            "truth": pa.array(rng.integers(0, 150, 60)[song], pa.int32()),
            "features": pa.array(rng.normal(size=(len(song), 2)).tolist(), pa.list_(pa.float32())),
        }
    )


def answered(monkeypatch, clips, cuts, block_bytes, confidence=None, families=None):
    monkeypatch.setattr(task_answers, "load_once", lambda *_: Fixed())
    monkeypatch.setattr(task_answers, "BLOCK_BYTES", block_bytes)
    bounds = [0, *cuts, clips.num_rows]
    parts = [clips.slice(start, end - start) for start, end in pairwise(bounds)]
    batches = list(answer_batches("fixed", "model", "/", confidence, 100, 40, families, iter(parts)))
    return batches, [row for batch in batches for row in batch.to_pylist()]


def test_songs_are_answered_as_if_all_their_scores_were_there(monkeypatch, clips):
    _, rows = answered(monkeypatch, clips, [7, 8, 50], 10**9)
    said = predict_batch(Fixed(), clips)
    songs = np.array(clips["song_id"].to_pylist())
    sums, votes = (np.array(said[name].to_pylist()) for name in ("score_sum", "votes"))
    assert [row["song_id"] for row in rows] == list(dict.fromkeys(songs))
    beyond = 0
    for row in rows:
        mine = songs == row["song_id"]
        means, voted = sums[mine].sum(axis=0) / mine.sum(), votes[mine].sum(axis=0)
        truth = clips["truth"].to_pylist()[int(np.flatnonzero(mine)[0])]
        assert row["n_rows"] == mine.sum() and row["best"] == np.argmax(means)
        assert row["best_by_vote"] == np.argmax(np.where(voted == voted.max(), means, -np.inf))
        assert row["n_rows_correct"] == voted[truth]
        assert (row["higher"], row["equal"]) == ((means > means[truth]).sum(), (means == means[truth]).sum())
        highest = np.argsort(-means, kind="stable")[:100].tolist()
        beyond += truth not in highest
        assert row["places"] == highest + [truth] * (truth not in highest)
        assert row["scores"] == means[row["places"]].tolist()
        chosen = {} if mine.sum() == 1 else {place: int(voted[place]) for place in np.flatnonzero(voted)}
        assert dict(zip(row["vote_places"], row["votes"], strict=True)) == chosen
    assert beyond > 3


@pytest.mark.parametrize("cuts", [[], [1], [3, 4, 5, 6], list(range(1, 120))])
@pytest.mark.parametrize("block_bytes", [1, 16 * 150 * 10, 10**9])
def test_answers_do_not_depend_on_how_clips_come_in(monkeypatch, clips, cuts, block_bytes):
    batches, rows = answered(monkeypatch, clips, cuts, block_bytes)
    assert rows == answered(monkeypatch, clips, [], 10**9)[1]
    if block_bytes == 16 * 150 * 10:
        assert max(sum(row["n_rows"] for row in batch.to_pylist()) for batch in batches) <= 10


def test_scores_are_calibrated_and_sets_made_where_they_are(monkeypatch, clips):
    rng = np.random.default_rng(9)
    confidence = Confidence(
        np.full(150, 0.8), np.array([[0.0, 0.01, 0.5, 1.0], [0.0, 0.02, 0.4, 0.9]]), rng.uniform(0.2, 0.9, 150), 0.9,
        100, 20, 1e-3,
    )  # fmt: skip
    plain = answered(monkeypatch, clips, [30], 10**9)[1]
    said = predict_batch(Fixed(), clips)
    songs, sums = np.array(clips["song_id"].to_pylist()), np.array(said["score_sum"].to_pylist())
    sizes = []
    for row, before in zip(answered(monkeypatch, clips, [30], 10**9, confidence)[1], plain, strict=True):
        mine = songs == row["song_id"]
        means = confidence.probabilities(sums[mine].sum(axis=0, keepdims=True) / mine.sum())
        (inside,) = confidence.sets(means)
        truth = clips["truth"].to_pylist()[int(np.flatnonzero(mine)[0])]
        assert row["set_places"] == (inside.tolist() if len(inside) <= 40 else []) and row["set_size"] == len(inside)
        sizes.append(len(inside))
        assert row["in_set"] == (truth in inside)
        assert row["scores"] == means[0][row["places"]].tolist()
        assert (row["best"], row["best_by_vote"]) == (before["best"], before["best_by_vote"])
        assert (before["set_size"], before["in_set"], before["set_places"]) == (None, None, None)
    assert min(sizes) <= 40 < max(sizes)


def test_no_clips_are_no_songs(monkeypatch, clips):
    assert answered(monkeypatch, clips.slice(0, 0), [], 10**9)[1] == []


def test_songs_whose_genre_is_not_known_have_their_highest_scores_alone(monkeypatch, clips):
    unknown = clips.set_column(2, "truth", pa.nulls(clips.num_rows, pa.int32()))
    known, rows = answered(monkeypatch, clips, [], 10**9)[1], answered(monkeypatch, unknown, [9], 10**9)[1]
    assert {(row["higher"], row["equal"], row["n_rows_correct"]) for row in rows} == {(None, None, None)}
    assert [row["places"] for row in rows] == [row["places"][:100] for row in known]
    assert [row["scores"] for row in rows] == [row["scores"][:100] for row in known]


@pytest.mark.parametrize("n_families", [7, 120])
def test_probabilities_are_summed_over_families_exactly_although_not_all_are_kept(monkeypatch, clips, n_families):
    family = [genre % n_families for genre in range(150)]
    said = predict_batch(Fixed(), clips)
    songs, sums = np.array(clips["song_id"].to_pylist()), np.array(said["score_sum"].to_pylist())
    kept = min(n_families, 100)
    beyond = 0
    for row in answered(monkeypatch, clips, [11], 10**9, families=family)[1]:
        mine = songs == row["song_id"]
        means = sums[mine].sum(axis=0) / mine.sum()
        whole = np.array([means[number::n_families].sum() for number in range(n_families)])
        truth = family[clips["truth"].to_pylist()[int(np.flatnonzero(mine)[0])]]
        assert len(row["family_places"]) == kept + (truth not in row["family_places"][:kept])
        beyond += len(row["family_places"]) > kept
        np.testing.assert_allclose(row["family_scores"], whole[row["family_places"]], rtol=1e-9, atol=1e-12)
        assert truth in row["family_places"] and row["family_scores"][0] == pytest.approx(whole.max(), rel=1e-12)
    assert (beyond > 0) == (n_families > 100)
