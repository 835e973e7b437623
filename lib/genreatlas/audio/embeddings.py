"""Feature sets computed by a pretrained network: its embedding as a vector, its tags as a summary.

Both are computed in one run over the clip's patches, in the node ``embedded`` of the graph. A network is described by
its entry in ``[[extract.embeddings]]``, so its sets are registered when a configuration is read
(:func:`genreatlas.audio.feature_sets.adopt_embeddings`) and sent to the workers with each request.
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

#: Part of every version. Increase it when values of the spectrogram, the patches or a statistic may change.
RELEASE = "1"
#: Fields of an entry that do not affect the values.
_OUTSIDE = {"name", "file", "licence", "taught"}
_STATISTICS: dict[str, Callable[..., object]] = {"mean": np.mean, "std": np.std}
_WORDS = {"mean": "mean", "std": "standard deviation"}


@dataclass(frozen=True)
class EmbeddingSet(FeatureSet):
    """A feature set computed by a network; see :class:`FeatureSet`.

    Parameters
    ----------
    entry : configuration of the network.
    of_tags : the set has the network's tags instead of its embedding."""

    entry: EmbeddingEntry = field(kw_only=True)
    of_tags: bool = field(default=False, kw_only=True)

    @property
    def needs(self) -> tuple[str, ...]:
        """The node that runs networks."""
        return ("embedded",)

    def compute(self, nodes: Mapping[str, Any]) -> npt.NDArray[np.floating]:
        """Statistics over the patches, (n_features,) float64."""
        embedding, tags = nodes["embedded"](self.entry)
        if self.of_tags:
            return np.asarray(np.mean(tags, axis=0, dtype=np.float64))
        statistics = (_STATISTICS[name] for name in self.entry.statistics)
        return np.concatenate([one(embedding, axis=0, dtype=np.float64) for one in statistics])


def version_of(entry: EmbeddingEntry) -> str:
    """Version of a network's sets: a hash of its file and of all preprocessing and postprocessing settings."""
    facts = entry.model_dump(mode="json", exclude=_OUTSIDE)
    return stable_id("embedding", RELEASE, json.dumps(facts, sort_keys=True), length=12)


def sets_of(entry: EmbeddingEntry) -> tuple[EmbeddingSet, ...]:
    """Feature sets of a network: its embedding, and its tags if the entry lists any."""
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
    """Function that runs a network over the clip's patches, cached by network; see :func:`run_network`."""
    return functools.lru_cache(maxsize=None)(functools.partial(run_network, samples))


def run_network(samples: Floats, entry: EmbeddingEntry) -> tuple[Floats, Floats]:
    """Run a network over every patch of a clip.

    Parameters
    ----------
    samples : (n,) mono float32, at the entry's rate.
    entry : configuration of the network.

    Returns
    -------
    Embedding (n_patches, dimensions) and tags (n_patches, n_tags), float32.

    Raises
    ------
    ClipError : ``environment_fault``: the file is missing, has another hash, or does not match its entry.
    ImportError : onnxruntime is not installed.
    """
    outputs = [entry.output, *([entry.tags_output] if entry.tags else [])]
    widths = [entry.dimensions, *([len(entry.tags)] if entry.tags else [])]
    found: list[list[Floats]] = [[] for _ in outputs]
    try:
        network = open_network(entry.file, entry.sha256)
        for patch in cut(log_mel(samples, entry), entry):
            # one by one: a batch of ten takes as long and ten times the memory
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
    """Reshape a patch (time, mels) to the axes of the network's input."""
    values = patch if entry.axes.index("time") < entry.axes.index("mels") else patch.T
    lengths = {"batch": 1, "one": 1, "time": patch.shape[0], "mels": patch.shape[1]}
    return np.ascontiguousarray(values.reshape([lengths[axis] for axis in entry.axes]))


def warm_up(entry: EmbeddingEntry) -> None:
    """Import the dependencies of a network without opening it, before a worker forks its helper."""
    import onnxruntime  # noqa: F401

    log_mel(np.zeros(entry.sample_rate, dtype=np.float32), entry)
