"""Tables of thousands of columns: importances of some features, one column swapped at a time, and no row twice."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql.types import DoubleType, StringType, StructField, StructType
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from genreatlas.errors import StoreError
from genreatlas.evaluation.importances import Block, between_genres, judged_rows, most_weighty, sampled_songs
from genreatlas.models.engines.judged_rows import JudgedRows
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import Estimator, SklearnModel, make_pipeline
from genreatlas.models.engines.task_answers import permuted, permuted_batches, song_means
from genreatlas.report.queries import MOST_FEATURES, drawn_features
from genreatlas.store import row_checks, statements
from genreatlas.tables import Column, summary_table

WIDE = summary_table("wide", "Test.", [Column(f"c{place}", "double", "") for place in range(300)])


def judged(n_songs=12, rows_each=3, width=6):
    """Rows of songs with a gap, and two shuffles."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n_songs * rows_each, width)).astype(np.float32)
    X[::7, 2] = np.nan
    donor = np.stack([rng.permutation(len(X)) for _ in range(2)])
    return JudgedRows(X, np.repeat(np.arange(n_songs), rows_each), donor)


def fitted(estimator, rows):
    y = np.arange(len(rows.X)) % 3
    pipeline = make_pipeline(Estimator(lambda: estimator), {}, seed=1, multi=False)
    return SklearnModel(pipeline.fit(rows.X, y), 3, False)


@pytest.mark.parametrize("estimator", [LogisticRegression(), RandomForestClassifier(10, random_state=1)])
def test_a_column_swapped_in_place_gives_what_a_changed_copy_of_all_rows_gives(estimator):
    rows = judged()
    model, before = fitted(estimator, rows), rows.X.copy()
    blocks = [(-1, ()), (0, (2,)), (1, (0, 5))]
    found = {(block, repeat): means for block, repeat, means in permuted(model, rows, blocks)}
    assert sorted(found) == [(-1, 0), (0, 0), (0, 1), (1, 0), (1, 1)]
    np.testing.assert_array_equal(rows.X, before)
    for number, columns in blocks[1:]:
        for repeat, donor in enumerate(rows.donor):
            changed = before.copy()
            changed[:, list(columns)] = before[donor][:, list(columns)]
            expected = song_means(model, JudgedRows(changed, rows.song, rows.donor))
            np.testing.assert_array_equal(found[number, repeat], expected)
    scores = model.scores(before).reshape(12, 3, 3).mean(axis=1)
    np.testing.assert_allclose(found[-1, 0], scores)


def test_a_task_answers_for_its_blocks_with_the_class_of_each_song(tmp_path, monkeypatch):
    rows = judged()
    model = fitted(LogisticRegression(), rows)
    (tmp_path / "model.skops").write_bytes(model.dumps())
    rows.save(tmp_path / "rows.npz")
    monkeypatch.setattr("genreatlas.models.engines.task_answers.locate", lambda name, _: str(tmp_path / name))
    tasks = [[(-1, ())], [(0, (1,))]]
    ids = iter([pa.RecordBatch.from_pydict({"id": [1]})])
    found = [
        row
        for batch in permuted_batches("sklearn", "model.skops", "rows.npz", tasks, False, ids)
        for row in batch.to_pylist()
    ]
    assert [(row["block"], row["repeat"]) for row in found] == [(0, 0), (0, 1)]
    best = next(permuted(model, rows, tasks[1]))[2].argmax(axis=1)
    assert np.frombuffer(found[0]["answers"], np.int32).tolist() == best.tolist()


def test_of_many_features_those_that_weigh_most_are_looked_at_in_their_order():
    blocks = [Block("a", (0,)), Block("key", (1, 2)), Block("b", (3,)), Block("c", (4,))]
    weights = np.array([0.5, 0.4, 0.4, 0.1, 0.5])
    assert [block.feature for block in most_weighty(blocks, weights, 2)] == ["a", "key"]
    assert most_weighty(blocks, weights, 9) == blocks


def test_a_column_is_weighed_by_the_share_of_its_variance_between_genres():
    truth = np.repeat(np.eye(2, dtype=bool), 50, axis=0)
    rng = np.random.default_rng(2)
    X = np.column_stack([truth[:, 0], rng.normal(size=100), np.full(100, 3.0), np.where(truth[:, 0], 1, np.nan)])
    X[3, 0] = np.nan
    told, noise, constant, half = between_genres(X.astype(np.float32), truth)
    assert told == pytest.approx(1.0) and noise < 0.2 and (constant, half) == (0.0, 0.0)


def test_wide_rows_are_predicted_for_fewer_songs():
    songs = [f"song{k}" for k in range(3000)]
    assert len(sampled_songs(songs, 1000, seed=1)) == 500
    assert len(sampled_songs(songs, 1000, seed=1, width=6373)) == 313
    assert len(sampled_songs(songs, 10_000, seed=1, width=6373)) == 50


def test_the_report_draws_a_bounded_number_of_features_and_those_that_models_name():
    names = [f"f{place}" for place in range(6373)]
    named = pd.DataFrame({"other": ["f6000", "gone", "f17"], "value": [0.3, 0.2, 0.1]})
    drawn = drawn_features(names, named)
    assert len(drawn) == MOST_FEATURES and {"f6000", "f17"} < set(drawn) and drawn == sorted(drawn, key=names.index)
    assert drawn_features(names[:200], named) == names[:200]


def test_columns_of_a_wide_table_are_compared_as_one_and_handed_over_as_columns():
    columns = WIDE.column_names
    text = statements.differences(WIDE, "new", columns, False, statements.Known("old", True))
    assert text.count("<=>") == 1 and "struct(t.`song_id`" in text
    kinds = {"string": StringType(), "double": DoubleType()}
    schema = StructType([StructField(column.name, kinds[column.type]) for column in WIDE.columns])
    rows = pd.DataFrame({"clip_id": ["a"], "song_id": ["s"], "c3": [np.nan], "c4": [0.5]})
    given = row_checks.arrow(WIDE, rows, schema)
    assert given.column_names == list(columns) and given.num_rows == 1
    assert (given["c3"][0].as_py(), given["c4"][0].as_py(), given["c5"][0].as_py()) == (None, 0.5, None)
    with pytest.raises(StoreError, match="no such columns: tempo"):
        row_checks.arrow(WIDE, rows.assign(tempo=1.0), schema)
    assert row_checks.arrow(WIDE, [{"clip_id": "a"}], schema) is None


class Clips:
    """As much of a frame as is asked for its rows."""

    def __init__(self, table):
        self.table = table

    def select(self, *_):
        return self

    def toArrow(self):
        return self.table


def test_judged_rows_stand_by_song_and_take_values_from_a_permutation_of_clips():
    features = pa.array([[1.0, None], [2.0, 5.0], [3.0, 6.0]], pa.list_(pa.float32()))
    table = pa.table({"song_id": ["b", "a", "a"], "clip_id": ["c1", "c3", "c2"], "features": features})
    found = judged_rows(Clips(table), "summary", 2, 3, seed=1)
    assert found.songs == ["a", "b"] and found.judged.song.tolist() == [0, 0, 1]
    assert found.judged.X[:, 0].tolist() == [3.0, 2.0, 1.0] and np.isnan(found.judged.X[2, 1])
    clips = ["c2", "c3", "c1"]
    for repeat, part in found.donors.groupby("repeat"):
        donor = part.set_index("clip_id")["donor_id"]
        assert [clips[place] for place in found.judged.donor[repeat]] == [donor[clip] for clip in clips]
