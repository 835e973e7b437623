"""A model file from somebody else is refused before it can run code, and a damaged one before it ends the process."""

import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.preprocessing import FunctionTransformer

from frozen_store import RESOURCE
from genreatlas.errors import ModelError
from genreatlas.models import meta
from genreatlas.models.engines.scikit_learn import skops_checks
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import (
    ESTIMATORS,
    SCALERS,
    SklearnModel,
    fit_pipeline,
    loads,
    make_pipeline,
)
from genreatlas.models.engines.spark_ml.stored_pipelines import check_pipeline

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = np.arange(60) % 3


def fitted(name: str, multi: bool = False, **params) -> SklearnModel:
    estimator = ESTIMATORS[name]
    known = estimator.factory().get_params()
    small = {key: 2 for key in ("n_estimators", "max_iter") if key in known and name != "linear_svc"}
    params = {"max_iter": 50} | params if name == "logistic_regression" else small | params
    pipeline = make_pipeline(estimator, params, 7, multi)
    fit_pipeline(pipeline, X.copy, np.eye(3, dtype=bool)[Y] if multi else Y, None)
    return SklearnModel(pipeline, 3, multi)


@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_is_loaded_with_every_scaler_and_scores_as_before(name, multi):
    for scaler in SCALERS:
        model = fitted(name, multi, scaler=scaler)
        np.testing.assert_array_equal(loads(model.dumps()).scores(X), model.scores(X))


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "cosine"])
def test_neighbours_are_loaded_with_every_usual_metric(metric):
    model = fitted("knn", metric=metric)
    np.testing.assert_array_equal(loads(model.dumps()).scores(X), model.scores(X))


def rewritten(model: SklearnModel, change) -> bytes:
    """The model's file, after `change(name, array)` was applied to each of its arrays."""
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model.dumps())) as old, zipfile.ZipFile(found, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".npy"):
                array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False).copy()
                array = change(name, array)
                content = io.BytesIO()
                np.lib.format.write_array(content, array)
                content = content.getvalue()
            new.writestr(name, content)
    return found.getvalue()


def set_field(field: str, value: int):
    def change(name, array):
        if array.dtype.names and field in array.dtype.names:
            array[field][0] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("random_forest", "left_child", 10**9),
        ("random_forest", "right_child", 0),
        ("extra_trees", "feature", 4),
        ("extra_trees", "feature", -5),
        ("ada_boost", "left_child", -7),
        ("hist_gradient_boosting", "left", 2**31),
        ("hist_gradient_boosting", "right", 0),
        ("hist_gradient_boosting", "feature_idx", 10**12),
        ("hist_gradient_boosting", "is_categorical", 1),
        ("knn", "idx_end", 10**9),
        ("knn", "idx_start", -1),
        ("knn", "is_leaf", 0),
    ],
)
def test_an_index_past_its_array_is_refused_before_anything_is_scored(name, field, value):
    with pytest.raises(ModelError, match="damaged"):
        loads(rewritten(fitted(name), set_field(field, value)))


def test_neighbours_whose_order_repeats_a_row_are_refused():
    def change(name, array):
        if array.dtype == np.int64 and array.shape == (60,) and len(np.unique(array)) == 60:
            array[0] = 10**9
        return array

    with pytest.raises(ModelError, match="damaged"):
        loads(rewritten(fitted("knn"), change))


def test_a_support_vector_machine_with_more_vectors_than_it_has_is_refused():
    def change(name, array):
        return array + 50 if array.dtype == np.int32 and array.shape == (3,) else array

    with pytest.raises(ModelError, match="damaged"):
        loads(rewritten(fitted("svc"), change))


def test_a_tree_that_declares_more_outputs_than_it_has_class_counts_is_refused_before_it_is_made():
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(fitted("random_forest").dumps())) as old, zipfile.ZipFile(found, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                for node in skops_checks._nodes(schema):
                    if node["__class__"] == "Tree":
                        node["__reduce__"]["args"]["content"][2] |= {"content": "1000000"}
                content = json.dumps(schema).encode()
            new.writestr(name, content)
    with pytest.raises(ModelError, match="outputs"):
        loads(found.getvalue())


@pytest.mark.parametrize("part", [FunctionTransformer(np.exp), slice, np.load, {"a": complex(1, 2)}, b"bytes"])
def test_what_training_never_writes_is_refused_although_skops_trusts_it(part):
    try:
        content = skops.io.dumps({"pipeline": part, "n_classes": 3, "multi": False})
    except Exception:
        pytest.skip("skops cannot write it either")
    with pytest.raises(ModelError, match="not"):
        loads(content)


@pytest.mark.parametrize(("version", "refused"), [("99.0.1", True), ("1.0.2", False)])
def test_a_file_of_a_later_scikit_learn_is_refused_and_of_an_earlier_one_is_not(monkeypatch, version, refused):
    monkeypatch.setattr("sklearn.base.__version__", version)  # what estimators write of themselves
    content = fitted("logistic_regression").dumps()
    monkeypatch.undo()
    if not refused:
        with pytest.warns(InconsistentVersionWarning):
            loads(content)
        return
    with pytest.raises(ModelError, match=r"was written by scikit-learn 99\.0\.1, and this is .* Use scikit-learn 99"):
        loads(content)


def test_bytes_that_are_no_archive_are_refused_in_one_line():
    with pytest.raises(ModelError, match="cannot be read as skops"):
        loads(b"PK\x03\x04 nothing")


def write_stage(folder, class_name, uid="Pipeline_1", stages=()):
    (folder / "metadata").mkdir(parents=True)
    fields = {"class": class_name, "uid": uid, "paramMap": {"stageUids": list(stages)}}
    (folder / "metadata" / "part-00000").write_text(json.dumps(fields), encoding="utf-8")
    (folder / "metadata" / "_SUCCESS").touch()


def test_a_pipeline_of_the_classes_that_training_writes_passes(tmp_path):
    write_stage(tmp_path, "org.apache.spark.ml.PipelineModel", stages=["ImputerModel_2"])
    write_stage(tmp_path / "stages" / "0_ImputerModel_2", "org.apache.spark.ml.feature.ImputerModel", "ImputerModel_2")
    check_pipeline(tmp_path)


@pytest.mark.parametrize(
    "stage",
    [
        "os.system",
        "pyspark.ml.feature.SQLTransformer",
        "org.apache.spark.ml.feature.SQLTransformer",
        "evil.Stage",
        None,
    ],
)
def test_a_pipeline_that_names_another_class_is_not_loaded(tmp_path, stage):
    write_stage(tmp_path, "org.apache.spark.ml.PipelineModel", stages=["a"])
    write_stage(tmp_path / "stages" / "0_a", stage, "a")
    with pytest.raises(ModelError, match="does not write"):
        check_pipeline(tmp_path)


def test_a_stage_id_that_is_a_path_is_refused(tmp_path):
    write_stage(tmp_path, "org.apache.spark.ml.PipelineModel", stages=["a/../../../elsewhere"])
    with pytest.raises(ModelError, match="path"):
        check_pipeline(tmp_path)


def test_a_stage_that_is_a_link_out_of_the_folder_is_refused(tmp_path):
    write_stage(tmp_path / "elsewhere", "org.apache.spark.ml.feature.ImputerModel")
    write_stage(tmp_path / "model", "org.apache.spark.ml.PipelineModel")
    (tmp_path / "model" / "metadata" / "part-00001").symlink_to(tmp_path / "elsewhere" / "metadata" / "part-00000")
    with pytest.raises(ModelError, match="outside"):
        check_pipeline(tmp_path / "model")


def test_a_folder_without_metadata_is_no_pipeline(tmp_path):
    with pytest.raises(ModelError, match="no metadata"):
        check_pipeline(tmp_path)


@pytest.mark.parametrize("model_id", ["../elsewhere", "/etc", "a/b", ""])
def test_a_model_that_claims_to_lie_elsewhere_is_refused(tmp_path, model_id):
    fields = dict.fromkeys(field.name for field in dataclasses.fields(meta.Meta))
    (tmp_path / meta.META).write_text(json.dumps(fields | {"model_id": model_id, "format": "skops", "axis": "summary"}))
    with pytest.raises(ModelError, match="model_id"):
        meta.read(tmp_path)


def test_every_pipeline_of_the_frozen_store_is_of_classes_that_training_writes():
    pipelines = sorted((RESOURCE / "models").glob("*/pipeline"))
    assert len(pipelines) > 5
    for pipeline in pipelines:
        check_pipeline(pipeline)
