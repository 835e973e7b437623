"""Audio words (clusters of frames), and the shares of topics in the words of a clip.

Topics are fitted in Spark (:mod:`genreatlas.topics`). This module computes their shares in a clip, from the frames of a
table in a Spark task, or from a file without Spark.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import psi

from genreatlas.audio.sets.definition import Feature, FeatureSet

Array = NDArray[np.float64]

#: Output columns of :func:`count_batches` and of :func:`share_batches`.
COUNTS = "clip_id string, counts array<double>"
SHARES = "clip_id string, song_id string, shares array<double>"
_COUNTS = pa.schema([("clip_id", pa.string()), ("counts", pa.list_(pa.float64()))])
_SHARES = pa.schema([("clip_id", pa.string()), ("song_id", pa.string()), ("shares", pa.list_(pa.float64()))])

#: Stopping criteria for a clip's shares: mean change of the Dirichlet parameters, and maximum number of iterations.
_TOLERANCE, _MOST_ROUNDS = 1e-4, 300


@dataclass(frozen=True, eq=False)
class Words:
    """Clusters of frames.

    Attributes
    ----------
    mean, factor : (width,); frames are scaled to ``(values - mean) * factor`` before comparison with the centres.
    centres : (n_words, width), in scaled units.
    """

    mean: Array
    factor: Array
    centres: Array

    def nearest(self, frames: NDArray[Any]) -> NDArray[np.int64]:
        """Index of the nearest centre of each complete frame, the first of equally near ones.

        Parameters
        ----------
        frames : (n_frames, width); frames with NaN are dropped.
        """
        known = frames[np.isfinite(frames).all(axis=1)].astype(np.float64)
        scaled = (known - self.mean) * self.factor
        distance = (self.centres**2).sum(axis=1) - 2.0 * scaled @ self.centres.T
        return np.asarray(distance.argmin(axis=1))

    def counts(self, frames: NDArray[Any]) -> Array:
        """Number of occurrences of each word, (n_words,)."""
        return np.bincount(self.nearest(frames), minlength=len(self.centres)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class TopicModel:
    """Audio words and the topics fitted on them.

    Attributes
    ----------
    words : the audio words.
    alpha : (n_topics,) Dirichlet prior of a clip's topics.
    topic_words : (n_topics, n_words) parameters of the Dirichlet distribution of words in each topic.
    """

    words: Words
    alpha: Array
    topic_words: Array

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> "TopicModel":
        """Restore a model from its :attr:`arrays`."""
        words = Words(arrays["mean"], arrays["factor"], arrays["centres"])
        return cls(words, arrays["alpha"], arrays["topic_words"])

    @property
    def arrays(self) -> dict[str, Array]:
        """All arrays of the model by name, for storage."""
        words = self.words
        return {
            "mean": words.mean,
            "factor": words.factor,
            "centres": words.centres,
            "alpha": self.alpha,
            "topic_words": self.topic_words,
        }

    @property
    def probabilities(self) -> Array:
        """Mean probability of each word in each topic, (n_topics, n_words)."""
        return np.asarray(self.topic_words / self.topic_words.sum(axis=1, keepdims=True))

    @cached_property
    def _weights(self) -> Array:
        logarithms = psi(self.topic_words) - psi(self.topic_words.sum(axis=1, keepdims=True))
        return np.asarray(np.exp(logarithms))

    def shares(self, counts: Array) -> Array:
        """Shares of the topics in a clip, (n_topics,), sum 1; NaN for a clip without words.

        Variational inference of Hoffman et al. 2010 (algorithm 2, E step), initialised with equal shares so that the
        result is deterministic.

        Parameters
        ----------
        counts : (n_words,) number of occurrences of each word.
        """
        there = np.flatnonzero(counts)
        if not len(there):
            return np.full(len(self.alpha), np.nan)
        n, weights = counts[there], self._weights[:, there]
        gamma = self.alpha + n.sum() / len(self.alpha)
        for _ in range(_MOST_ROUNDS):
            before = gamma
            theta = np.exp(psi(gamma) - psi(gamma.sum()))
            gamma = self.alpha + theta * (weights @ (n / (theta @ weights + 1e-100)))
            if np.abs(gamma - before).mean() < _TOLERANCE:
                break
        return np.asarray(gamma / gamma.sum())


@dataclass(frozen=True)
class TopicSet(FeatureSet):
    """Shares of topics in the frames of another feature set; see :class:`FeatureSet`.

    Parameters
    ----------
    source : the feature set of the frames.
    model : words and topics."""

    source: FeatureSet = field(kw_only=True)
    model: TopicModel = field(kw_only=True)

    @property
    def needs(self) -> tuple[str, ...]:
        """Nodes required by the source set."""
        return self.source.needs

    def compute(self, nodes: Mapping[str, Any]) -> NDArray[np.floating]:
        """Shares, (n_topics,), computed from float32 frames as stored in tables."""
        frames = self.source.compute(nodes).astype(np.float32)
        return self.model.shares(self.model.words.counts(frames))


def topic_set(name: str, version: str, source: FeatureSet, model: TopicModel) -> TopicSet:
    """Return the feature set of topics fitted on the frames of ``source``."""
    return TopicSet(
        name, version, "summary", source.sample_rate, source.hop_length, topic_columns(len(model.alpha)),
        f"Shares of topics of audio words: clusters of the frames of {source.name}.", source=source, model=model,
    )  # fmt: skip


def topic_columns(n_topics: int) -> tuple[Feature, ...]:
    """Columns of a topic set."""
    return tuple(
        Feature(f"topic_{number}", "0..1", f"Share of topic {number} in the clip's words; NULL where it has none.")
        for number in range(1, n_topics + 1)
    )


def count_batches(words: Words, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Count the words of clips. Input columns: clip_id, width, frames. Output: :data:`COUNTS`."""
    for batch in batches:
        counts = [words.counts(frames) for frames in _frames(batch)]
        yield pa.RecordBatch.from_arrays([batch.column("clip_id"), _lists(counts)], schema=_COUNTS)


def share_batches(model: TopicModel, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Compute topic shares of clips. Input columns: clip_id, song_id, width, frames. Output: :data:`SHARES`."""
    for batch in batches:
        shares = [model.shares(model.words.counts(frames)) for frames in _frames(batch)]
        columns = [batch.column("clip_id"), batch.column("song_id"), _lists(shares)]
        yield pa.RecordBatch.from_arrays(columns, schema=_SHARES)


def _frames(batch: pa.RecordBatch) -> Iterator[NDArray[Any]]:
    """Yield the values (n_frames, width) of each clip, with NaN for NULL."""
    for frames, width in zip(batch.column("frames"), batch.column("width").to_pylist(), strict=True):
        values = frames.values.to_numpy(zero_copy_only=False) if frames.is_valid else np.zeros(0)
        yield np.asarray(values, np.float64).reshape(-1, width)


def _lists(rows: list[Array]) -> pa.Array:
    return pa.array([row.tolist() for row in rows], pa.list_(pa.float64()))
