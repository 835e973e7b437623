"""Feature sets of topics: stored topic models, and the check that they were fitted on training songs only."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from genreatlas.audio.audio_words import TopicModel, TopicSet, topic_set
from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.config.joined import members_of
from genreatlas.datasets.feature_tables import FeatureTable
from genreatlas.datasets.library import Library
from genreatlas.errors import SplitLeakError
from genreatlas.store import Reader
from genreatlas.tables import TOPIC_MODELS


def require_fitted_apart(store: Reader, table: FeatureTable, library: Library) -> None:
    """Check that topics were fitted only on songs of the split's training part.

    Raises
    ------
    SplitLeakError : topics were fitted on another split, or on songs that are now in another part of this split.
    """
    if not store.exists(TOPIC_MODELS):
        return
    fits = store.read(TOPIC_MODELS).select("feature_set", "set_version", "split", "songs")
    for one in table.members or (table,):
        mine = fits.where((fits.feature_set == one.feature_set) & (fits.set_version == one.set_version)).collect()
        for fit in mine:
            about = f"{one.feature_set}: version {one.set_version} was fitted on the training part of the split"
            remedy = f"Run fit_topics with splits.name = {library.split!r}"
            if fit["split"] != library.split:
                raise SplitLeakError(
                    f"{about} {fit['split']!r}, which may contain songs that {library.split!r} evaluates on. {remedy}."
                )
            part = library.songs.set_index("song_id")["part"]
            known = part[part.index.isin(fit["songs"])]
            if len(seen := known[known != "train"]):
                raise SplitLeakError(
                    f"{about} {fit['split']!r} at that time. {len(seen)} of these songs, such as {seen.index[0]}, are "
                    f"now in its part {seen.iloc[0]}. {remedy}, and train again."
                )


def topic_model(row: Mapping[str, Any]) -> TopicModel:
    """The topic model stored in a row of ``topic_models``."""
    shapes = {
        "mean": (-1,),
        "factor": (-1,),
        "centres": (-1, len(row["features"])),
        "alpha": (-1,),
        "topic_words": (row["n_topics"], row["n_words"]),
    }
    return TopicModel.of({name: np.array(row[name], np.float64).reshape(shape) for name, shape in shapes.items()})


def read_topic_sets(store: Reader, feature_set: str, set_version: str) -> tuple[TopicSet, ...]:
    """Topic sets in a feature set or in joined sets that can be computed from audio.

    Topics of imported frames cannot be computed from audio and are left out.
    """
    if not store.exists(TOPIC_MODELS):
        return ()
    found = []
    for name, version in zip(members_of(feature_set), members_of(set_version), strict=True):
        fits = store.read(TOPIC_MODELS)
        for row in fits.where((fits.feature_set == name) & (fits.set_version == version)).collect():
            source = FEATURE_SETS.get(row["source_set"])
            if source is not None and source.version == row["source_version"]:
                found.append(topic_set(name, version, source, topic_model(row.asDict())))
    return tuple(found)
