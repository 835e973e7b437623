"""Feature sets that a pretrained network makes: its embedding as a vector, its tags as a summary.

Both come from one run over the clip's patches, which the node ``embedded`` of the graph holds. Nothing is known of a
network but what its entry in ``[[extract.embeddings]]`` says, so the sets are registered when a configuration is read
(:func:`genreatlas.audio.feature_sets.adopt_embeddings`) and travel to the workers with each request.
"""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from genreatlas.audio.graph import REFERENCE_GRAPH
from genreatlas.audio.onnx_files import open_network
from genreatlas.audio.patches import cut, log_mel
from genreatlas.audio.sets.definition import Feature, FeatureSet
from genreatlas.config import EmbeddingEntry
from genreatlas.errors import ClipError, ConfigError, Reason
from genreatlas.ids import stable_id

Floats = npt.NDArray[np.float32]

#: Part of every version. Raise it whenever a value may change: of the spectrogram, of the patches, or of a statistic.
RELEASE = "1"
#: What says nothing of the values.
_OUTSIDE = {"name", "file", "licence", "taught"}
_STATISTICS: dict[str, Callable[..., object]] = {"mean": np.mean, "std": np.std}
_WORDS = {"mean": "mean", "std": "standard deviation"}


@dataclass(frozen=True)
class EmbeddingSet(FeatureSet):
    """A set whose values come out of a network; see :class:`FeatureSet`."""

    entry: EmbeddingEntry = field(kw_only=True)
    of_tags: bool = field(default=False, kw_only=True)

    @property
    def needs(self) -> tuple[str, ...]:
        """The one node that runs networks."""
        return ("embedded",)

    def compute(self, nodes: Mapping[str, Any]) -> npt.NDArray[np.floating]:
        """Statistics over the patches, (n_features,) float64."""
        embedding, tags = nodes["embedded"](self.entry)
        if self.of_tags:
            return np.asarray(np.mean(tags, axis=0, dtype=np.float64))
        statistics = (_STATISTICS[name] for name in self.entry.statistics)
        return np.concatenate([one(embedding, axis=0, dtype=np.float64) for one in statistics])


def version_of(entry: EmbeddingEntry) -> str:
    """Version of the sets of a network: a hash of its file and of all that is done before and after it."""
    facts = entry.model_dump(mode="json", exclude=_OUTSIDE)
    return stable_id("embedding", RELEASE, json.dumps(facts, sort_keys=True), length=12)


def sets_of(entry: EmbeddingEntry) -> tuple[EmbeddingSet, ...]:
    """The sets that a network makes: its embedding, and its tags where it has some."""
    version = version_of(entry)
    told = f" It was taught {entry.taught}." if entry.taught else ""
    dimensions = tuple(
        Feature(f"e{k}_{name}", "", f"Dimension {k} of the embedding, {_WORDS[name]} over patches.", node="embedded")
        for name in entry.statistics
        for k in range(entry.dimensions)
    )
    comment = f"Embedding of the network {entry.sha256[:12]} ({entry.licence}) over patches of a log-mel spectrogram."
    sets = [
        EmbeddingSet(
            entry.name, version, "vector", entry.sample_rate, None, dimensions, f"{comment}{told}", entry=entry
        )
    ]
    if entry.tags:
        columns = tuple(
            Feature(column, "0..1", f"Probability of the tag {tag!r}, mean over patches.", node="embedded")
            for column, tag in zip(entry.tag_columns, entry.tags, strict=True)
        )
        comment = f"Tags of the network {entry.sha256[:12]} ({entry.licence})."
        sets.append(
            EmbeddingSet(
                entry.tags_name,
                version,
                "summary",
                entry.sample_rate,
                None,
                columns,
                f"{comment}{told}",
                entry=entry,
                of_tags=True,
            )
        )
    return tuple(sets)


@REFERENCE_GRAPH.feature
def embedded(samples: Floats) -> Callable[[EmbeddingEntry], tuple[Floats, Floats]]:
    """Function that runs a network over the clip's patches, each network once: embedding and tags, a row a patch."""
    return functools.lru_cache(maxsize=None)(functools.partial(run_network, samples))


def run_network(samples: Floats, entry: EmbeddingEntry) -> tuple[Floats, Floats]:
    """Run a network over every patch of a clip.

    Parameters
    ----------
    samples : (n,) mono float32, at the entry's rate.

    Returns
    -------
    Embedding (n_patches, dimensions) and tags (n_patches, n_tags), float32.

    Raises
    ------
    ClipError : ``environment_fault``: the network is not there, is another one, or does not fit its entry.
    ImportError : onnxruntime is not installed.
    """
    outputs = [entry.output, *([entry.tags_output] if entry.tags else [])]
    widths = [entry.dimensions, *([len(entry.tags)] if entry.tags else [])]
    found: list[list[Floats]] = [[] for _ in outputs]
    try:
        network = open_network(entry.file, entry.sha256)
        for patch in cut(log_mel(samples, entry), entry):
            # one by one: a batch of ten took as long, and ten times the memory
            values = network.run(outputs, _as_input(patch, entry))
            for rows, value, name, width in zip(found, values, outputs, widths, strict=True):
                if value.shape != (1, width):
                    raise ConfigError(f"its output {name} is {value.shape} for one patch, not (1, {width})")
                rows.append(value)
    except ConfigError as error:
        raise ClipError(Reason.ENVIRONMENT_FAULT, f"embedding {entry.name}: {error}") from None
    stacked = [np.concatenate(rows) for rows in found]
    return stacked[0], stacked[1] if entry.tags else np.empty((len(stacked[0]), 0), dtype=np.float32)


def _as_input(patch: Floats, entry: EmbeddingEntry) -> Floats:
    """A patch (time, mels) with the axes of the network's input."""
    values = patch if entry.axes.index("time") < entry.axes.index("mels") else patch.T
    lengths = {"batch": 1, "one": 1, "time": patch.shape[0], "mels": patch.shape[1]}
    return np.ascontiguousarray(values.reshape([lengths[axis] for axis in entry.axes]))


def warm_up(entry: EmbeddingEntry) -> None:
    """Import what a network needs, and open none: this is done before a worker forks its helper."""
    import onnxruntime  # noqa: F401

    log_mel(np.zeros(entry.sample_rate, dtype=np.float32), entry)
