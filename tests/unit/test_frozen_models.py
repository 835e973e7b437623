"""Model folders of November 2026, read without Spark: they open, and say of every clip what they said then."""

import json
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable

import genreatlas
from frozen_store import EXPECTED, RESOURCE
from genreatlas.config import ClipSection, TrainSection, former
from genreatlas.models import meta
from genreatlas.models.engines import reader_of
from genreatlas.models.engines.task_answers import predict_batch
from genreatlas.tables import TABLES

MODELS = RESOURCE / "models"
#: Models in one file. What the technical baseline reads is made by Spark.
IN_A_FILE = [
    model_id
    for model_id, one in EXPECTED["models"].items()
    if one["format"] != "spark-ml" and "technical" not in one["candidate"]
]


@cache
def table(name):
    return DeltaTable(str(RESOURCE / "tables" / name)).to_pandas()


def batch(about):
    """The clips that a model was asked about, as it is given them."""
    clips = sorted(EXPECTED["models"][about.model_id]["scores"])
    rows = table(f"{'frames' if about.axis == 'frames' else 'features'}_{about.feature_set}")
    rows = rows[rows.set_version == about.set_version].set_index("clip_id").loc[clips].reset_index()
    columns = {"song_id": pa.array(rows.song_id.tolist()), "clip_id": pa.array(clips)}
    if about.axis == "frames":
        return pa.RecordBatch.from_pydict(
            columns
            | {
                "frames": pa.array([np.asarray(one, "f4") for one in rows.frames], pa.list_(pa.float32())),
                "width": pa.array(rows.width.tolist(), pa.int32()),
            }
        )
    values = np.stack([_column(rows, feature) for feature in about.features], axis=1).astype("f4")
    return pa.RecordBatch.from_pydict(columns | {"features": pa.array(list(values), pa.list_(pa.float32()))})


def _column(rows, feature):
    name, _, value = feature.partition("=")
    return rows[feature] if not value else (rows[name].astype(int).astype(str) == value).astype(float)


@pytest.mark.parametrize("model_id", IN_A_FILE, ids=lambda one: EXPECTED["models"][one]["candidate"].replace(" ", "-"))
def test_a_stored_model_says_of_every_clip_what_it_said_when_it_was_stored(model_id):
    about, expected = meta.read(MODELS / model_id), EXPECTED["models"][model_id]
    assert list(about.classes) == expected["classes"]
    reader = reader_of(about.format)
    model = reader.open(MODELS / model_id / reader.formats[about.format])
    said = predict_batch(model, batch(about)).to_pylist()
    assert {row["clip_id"]: row["n_rows"] for row in said} == {k: v[0] for k, v in expected["scores"].items()}
    for row in said:
        _, sums, votes = expected["scores"][row["clip_id"]]
        # Scores of single precision: their last digit depends on the instructions that the processor has.
        np.testing.assert_allclose(row["score_sum"], sums, rtol=1e-6, atol=1e-9)
        assert row["votes"] == votes


def test_every_kind_of_model_is_among_them():
    kinds = {one["candidate"].split(" on ")[0] for one in EXPECTED["models"].values()}
    for engine, names in {
        "spark": "logistic_regression random_forest gbt linear_svc multilayer_perceptron decision_tree naive_bayes",
        "sklearn": "linear_svc svc random_forest hist_gradient_boosting logistic_regression ada_boost knn extra_trees",
        "baseline": "random majority stratified technical loudness",
    }.items():
        assert {f"{engine} {name}" for name in names.split()} <= kinds
    assert {one["format"] for one in EXPECTED["models"].values()} == {"spark-ml", "skops", "json"}


@pytest.mark.parametrize("model_id", EXPECTED["models"])
def test_the_sections_that_a_model_was_trained_with_are_read_key_by_key(model_id):
    about = meta.read(MODELS / model_id)
    for stored, read, section in (
        (about.train, about.train_section(), TrainSection),
        (about.clip, about.clip_section(), ClipSection),
    ):
        for key in stored.keys() & section.model_fields.keys() - former.OF_THE_CONTEST:
            wanted = tuple(stored[key]) if isinstance(stored[key], list) else stored[key]
            assert getattr(read, key) == wanted


def test_a_file_of_music_is_told_as_it_was_told_then():
    said = genreatlas.predict(RESOURCE / "new_music" / EXPECTED["file"]["name"], MODELS, EXPECTED["champion"])
    assert said.probabilities == pytest.approx(EXPECTED["file"]["probabilities"], rel=1e-6)
    assert (
        genreatlas.predict(RESOURCE / "new_music" / EXPECTED["file"]["name"], MODELS).model_id == EXPECTED["champion"]
    )


def test_the_mlflow_model_of_then_is_served():
    mlflow = pytest.importorskip("mlflow")
    import pandas as pd

    served = mlflow.pyfunc.load_model(str(RESOURCE / "mlflow_model"))
    audio = (RESOURCE / "new_music" / EXPECTED["file"]["name"]).read_bytes()
    answer = served.predict(pd.DataFrame({"audio": [audio]})).iloc[0]
    wanted = EXPECTED["file"]["probabilities"]
    assert {genre: answer[genre] for genre in wanted} == pytest.approx(wanted, rel=1e-6)


def test_another_reader_of_delta_finds_the_rows_of_every_table():
    described = {one.name: one for one in TABLES}
    for name, count in EXPECTED["rows"].items():
        rows = DeltaTable(str(RESOURCE / "tables" / name)).to_pyarrow_dataset()
        assert rows.count_rows() == count, name
        if name in described:
            assert set(rows.schema.names) <= set(described[name].column_names), f"{name}: a stored column is gone"


def test_every_view_is_made_over_it_in_duckdb():
    duckdb = pytest.importorskip("duckdb")
    from genreatlas.sql.duck import register_views

    connection = duckdb.connect()
    planned = register_views(connection, RESOURCE / "tables")
    assert len(planned.views) > 20
    for view in planned.views:
        connection.execute(f'SELECT * FROM "{view.name}" LIMIT 5').fetchall()
    found = connection.execute("SELECT count(*) FROM leaderboard").fetchone()
    assert found[0] > 0


def test_nothing_in_it_names_the_machine_that_it_was_made_on():
    for file in sorted((RESOURCE / "tables").glob("*/_delta_log/*.json")):
        for line in file.read_text(encoding="utf-8").splitlines():
            json.loads(line)
            assert "/work" not in line and "/home" not in line and "/root" not in line
