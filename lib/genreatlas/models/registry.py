"""Model files: one folder per model, with the classifier and everything else that scoring needs."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyspark.sql import Row

from genreatlas.audio.audio_words import TopicSet
from genreatlas.config import Config
from genreatlas.datasets.dataset import Fixed, build_dataset
from genreatlas.datasets.library import Library
from genreatlas.datasets.types import Dataset
from genreatlas.errors import ModelError
from genreatlas.models import meta as meta_file
from genreatlas.models.engines import file_name, reader_of
from genreatlas.models.engines.protocol import Fitted, StoredModel
from genreatlas.models.meta import META, Meta
from genreatlas.models.network_files import bring_along
from genreatlas.models.topic_files import write_topics
from genreatlas.store import Reader

__all__ = ["META", "Meta"]

ModelRow = Mapping[str, Any] | Row


def save(config: Config, meta: Meta, model: Fitted, topics: Sequence[TopicSet] = ()) -> Path:
    """Write a model's folder atomically: it is renamed to its final name when complete.

    Parameters
    ----------
    topics : topic sets among the features that the model was trained on.

    Returns
    -------
    Path of the folder.
    """
    folder = config.models.path.absolute() / meta.model_id
    partly = folder.with_name(f".{meta.model_id}.part")
    for leftover in (partly, folder):
        shutil.rmtree(leftover, ignore_errors=True)
    partly.mkdir(parents=True)
    model.save(partly / file_name(meta.format))
    bring_along(folder.parent, partly, meta.feature_set)
    write_topics(partly, topics)
    (partly / META).write_text(json.dumps(asdict(meta), indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")
    partly.rename(folder)
    return folder


def exists(config: Config, model_id: str) -> bool:
    """Whether the model's folder exists."""
    return (config.models.path.absolute() / model_id / META).exists()


def read_meta(row: ModelRow, config: Config) -> Meta:
    """Read the metadata of a model.

    Raises
    ------
    ModelError : its ``meta.json`` is missing or is not of this version.
    """
    return meta_file.read(config.models.path.absolute() / row["model_id"])


def load(row: ModelRow, config: Config) -> StoredModel:
    """Load a model of the table ``models``.

    Parameters
    ----------
    row : a row of the table ``models``; only ``model_id`` is used.
    config : ``models.path`` is the folder of the models.

    Raises
    ------
    ModelError : files are missing or cannot be read.
    """
    meta = read_meta(row, config)
    engine = reader_of(meta.format)
    file = config.models.path.absolute() / meta.model_id / engine.formats[meta.format]
    if not file.exists():
        raise ModelError(f"{file}: no such file. Run train_models again.")
    return engine.load(meta, file)


def dataset_of(store: Reader, config: Config, row: ModelRow, library: Library) -> Dataset:
    """Data set for a model: songs with its features and its genres, in all parts of the split.

    Classes, one-hot columns, feature version, preprocessing and the ``[train]`` rules are the model's own. The limits
    on the number of songs per genre do not apply.

    Parameters
    ----------
    library : from :func:`genreatlas.datasets.library.read_library`.

    Raises
    ------
    ModelError : the store has no features computed with the model's preprocessing.
    """
    meta = read_meta(row, config)
    config = config.model_copy(update={"train": meta.train_section()})
    songs_of = None
    if meta.songs_of[0] != meta.feature_set:
        name, version, preprocessing = meta.songs_of
        fixed = Fixed(version, preprocessing, meta.classes, ())
        songs_of = build_dataset(store, config, library, name, fixed=fixed)
    fixed = Fixed(meta.set_version, meta.preprocessing_id, meta.classes, meta.features)
    dataset = build_dataset(store, config, library, meta.feature_set, songs_of, fixed)
    if dataset.songs.empty:
        raise ModelError(
            f"model {meta.model_id}: no song has features of {meta.feature_set} version {meta.set_version} with the "
            f"preprocessing {meta.preprocessing_id} that it was trained on. Extract features with it, or train again."
        )
    return dataset
