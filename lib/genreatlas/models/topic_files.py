"""Topics in the folder of a model whose features are topic shares, so that it scores files without a store."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genreatlas.audio.audio_words import TopicModel, TopicSet, topic_set
from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.errors import ModelError

TOPICS, ARRAYS = "topics.json", "topics.npz"


def write_topics(folder: Path, sets: Sequence[TopicSet]) -> None:
    """Write the topic sets that a model's features are computed with into its folder; no file if there are none."""
    if not sets:
        return
    told = [
        {"feature_set": one.name, "set_version": one.version, "source_set": one.source.name,
         "source_version": one.source.version}
        for one in sets
    ]  # fmt: skip
    arrays = {f"{one.name}.{name}": array for one in sets for name, array in one.model.arrays.items()}
    with (folder / ARRAYS).open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    (folder / TOPICS).write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")


def topics_of(folder: Path) -> tuple[TopicSet, ...]:
    """Read the topic sets in a model's folder; empty if it was trained on other features.

    Raises
    ------
    ModelError : they cannot be read, or this release has another version of the frames they were fitted on.
    """
    file = folder / TOPICS
    if not file.exists():
        return ()
    found = []
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            for one in json.loads(file.read_text(encoding="utf-8")):
                name, source = one["feature_set"], FEATURE_SETS.get(one["source_set"])
                if source is None or source.version != one["source_version"]:
                    raise ModelError(
                        f"{folder.name}: its {name} were fitted on {one['source_set']} version "
                        f"{one['source_version']}, which this release computes differently. Run fit_topics and train "
                        "again, or use the release that trained it."
                    )
                mine = {key.removeprefix(f"{name}."): arrays[key] for key in arrays.files if key.startswith(f"{name}.")}
                model = TopicModel.of(mine)
                found.append(topic_set(name, one["set_version"], source, model))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file}: not the topics of a model of this version of Genre Atlas: {error}") from None
    return tuple(found)
