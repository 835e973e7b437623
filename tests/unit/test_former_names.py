"""Model folders of older releases: keys and names that were changed since are read as they are called now."""

import json

import pandas as pd
import pytest

from conftest import make_config
from genreatlas.config import ClipSection, TrainSection, former
from genreatlas.errors import ModelError
from genreatlas.evaluation import leaderboard
from genreatlas.models import meta
from one_file_models import save_model

TRAIN = TrainSection().model_dump(mode="json")


def test_a_section_that_this_release_wrote_is_read_as_it_was_but_for_its_candidates():
    one = {"engine": "sklearn", "estimator": "svc"}
    section = TrainSection.model_validate({"min_songs": 3, "balance": "weights", "candidates": [one]})
    read = former.train_section(section.model_dump(mode="json"))
    assert read == section.model_copy(update={"candidates": ()})
    assert former.clip_section(ClipSection(position=3.5).model_dump(mode="json")) == ClipSection(position=3.5)


def test_candidates_of_an_engine_that_is_gone_are_no_matter_of_a_stored_model():
    stored = TRAIN | {"candidates": [{"engine": "flink", "estimator": "x", "of": 1}], "metric": "hinge"}
    assert former.train_section(stored) == TrainSection()


def test_a_key_that_was_renamed_or_removed_and_a_value_that_was_renamed_are_read_by_the_table(monkeypatch):
    monkeypatch.setitem(former.KEYS, "train", {"smallest_genre": "min_songs", "shuffle": None})
    monkeypatch.setitem(former.NAMES, "balance", {"reweigh": "weights"})
    stored = {key: value for key, value in TRAIN.items() if key != "min_songs"}
    read = former.train_section(stored | {"smallest_genre": 4, "shuffle": True, "balance": "reweigh"})
    assert read == TrainSection(min_songs=4, balance="weights")


def test_a_key_that_was_added_since_means_what_models_were_trained_as_before_it(monkeypatch):
    monkeypatch.setitem(former.BEFORE, "train", {"frames_per_song": 7})
    stored = {key: value for key, value in TRAIN.items() if key != "frames_per_song"}
    assert former.train_section(stored).frames_per_song == 7
    assert former.train_section(TRAIN).frames_per_song == TRAIN["frames_per_song"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tomorrow": 1}, r"m1: meta.json: \[train\] has tomorrow, which this release does not know"),
        ({"balance": "tomorrow's"}, r"m1: meta.json: \[train\] balance = \"tomorrow's\""),
    ],
)
def test_what_a_newer_release_wrote_is_named_with_what_to_do(tmp_path, change, said):
    written = save_model(make_config(tmp_path, "clip.seconds=2.0"), "m1", train=TRAIN | change)
    with pytest.raises(ModelError, match=said) as error:
        written.train_section()
    assert "train again" in str(error.value)


def test_names_in_a_models_folder_and_in_its_row_are_read_by_the_table(tmp_path, monkeypatch):
    config = make_config(tmp_path, "clip.seconds=2.0")
    save_model(config, "m1")
    path = config.models.path / "m1" / meta.META
    stored = json.loads(path.read_text()) | {"axis": "per_clip", "score_kind": "chance", "format": "tree"}
    path.write_text(json.dumps(stored))
    for kind, names in {
        "axis": {"per_clip": "summary"}, "score_kind": {"chance": "probability"}, "format": {"tree": "skops"},
        "engine": {"pool": "sklearn"},
    }.items():  # fmt: skip
        monkeypatch.setitem(former.NAMES, kind, names)
    read = meta.read(config.models.path / "m1")
    assert (read.axis, read.score_kind, read.format) == ("summary", "probability", "skops")
    row = {"model_id": "m1", "split": "default", "split_version": 1, "level": "genre", "labels": "drop",
           "engine": "pool", "estimator": "svc", "feature_set": "plain", "preprocessing_id": "p",
           "fitted_at": 1}  # fmt: skip
    found = leaderboard.current_models(pd.DataFrame([row]), split="default", level="genre", labels="drop")
    assert found.engine.tolist() == ["sklearn"]


def test_the_table_names_what_exists_now():
    sections = {"train": TrainSection, "clip": ClipSection}
    for name, section in sections.items():
        assert {now for now in former.KEYS[name].values() if now} <= set(section.model_fields)
        assert set(former.BEFORE[name]) <= set(section.model_fields)
        assert not set(former.KEYS[name]) & set(section.model_fields), "a former key is in use again"
