"""Fit words and topics with Spark ML, on samples that fit one task.

Sums of floats depend on their order, and so on the partitioning. Therefore the sampled frames, and the words of the
sampled clips, are each sorted in a single partition: results are identical to the last digit on any number of cores.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from pyspark.ml.clustering import LDA, KMeans
from pyspark.ml.feature import StandardScaler
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.audio.audio_words import COUNTS, TopicModel, Words, count_batches
from genreatlas.config.topics import TopicsSection
from genreatlas.errors import EnvironmentFaultError, InputError
from genreatlas.store import Store
from genreatlas.watching import watched

#: Staging tables of the samples.
STAGED = _FRAMES, _WORDS = ("fit_topics_frames", "fit_topics_words")

#: Resolution of the sampling rate. Frames are sampled by a hash of clip and frame number.
_PARTS = 1_000_000

#: Minimum number of clips per mini-batch, if there are as many.
_LEAST_BATCH = 512

#: Learning offset of online LDA: larger values reduce the weight of early mini-batches. Spark's default of 1024 is
#: meant for thousands of mini-batches.
_OFFSET = 8.0


def fit_model(store: Store, clips: DataFrame, n_frames: int, section: TopicsSection) -> tuple[TopicModel, int]:
    """Fit words and topics.

    Parameters
    ----------
    clips : clip_id, n_frames, width, frames of the clips to fit on.
    n_frames : total number of frames of these clips.
    section : ``[topics]``.

    Returns
    -------
    model : fitted words and topics.
    n : number of frames that words were fitted on.

    Raises
    ------
    InputError : there are fewer complete frames than words.
    EnvironmentFaultError : the Spark Connect server cannot fit these models.
    """
    frames = store.stage(sample_frames(clips, section, n_frames), _FRAMES, "all")
    with _spark_ml():
        words, n = _fit_words(frames.frame, section)
    frames.drop()
    counted = clips.select("clip_id", "width", "frames").mapInArrow(watched(partial(count_batches, words)), COUNTS)
    documents = store.stage(counted, _WORDS, "all")
    with _spark_ml():
        model = to_model(words, fit_lda(documents.frame, section)[1])
    documents.drop()
    return model, n


def sample_frames(clips: DataFrame, section: TopicsSection, n_frames: int) -> DataFrame:
    """Sample about ``section.sample_frames`` frames by a hash: clip_id, frame (number), values array<double>."""
    parts = min(_PARTS, -(-section.sample_frames * _PARTS // max(n_frames, 1)))
    chosen = (
        f"filter(sequence(0, n_frames - 1), i -> pmod(xxhash64({int(section.seed)}, clip_id, i), {_PARTS}) < {parts})"
    )
    rows = clips.where("n_frames > 0").select("clip_id", "width", "frames", F.explode(F.expr(chosen)).alias("frame"))
    values = F.expr("cast(slice(frames, frame * width + 1, width) AS array<double>)")
    rows = rows.select("clip_id", "frame", values.alias("values"))
    return rows.where("forall(values, v -> v IS NOT NULL AND NOT isnan(v))")


def _fit_words(frames: DataFrame, section: TopicsSection) -> tuple[Words, int]:
    rows = frames.repartition(1).sortWithinPartitions("clip_id", "frame")
    rows = rows.select(array_to_vector(F.col("values")).alias("values"))
    n = frames.count()
    if n < section.words:
        raise InputError(
            f"{section.feature_set}: {n} frames of training songs can be used, and topics.words = {section.words}. "
            "Lower topics.words, or add songs."
        )
    scaler = StandardScaler(inputCol="values", outputCol="scaled", withMean=True, withStd=True).fit(rows)
    means = KMeans(featuresCol="scaled", k=section.words, seed=section.seed, maxIter=40, initSteps=5)
    centres = np.array([np.asarray(one) for one in means.fit(scaler.transform(rows)).clusterCenters()])
    spread = np.asarray(scaler.std.toArray(), np.float64)
    factor = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    return Words(np.asarray(scaler.mean.toArray(), np.float64), factor, centres), n


def fit_lda(documents: DataFrame, section: TopicsSection) -> tuple[DataFrame, Any]:
    """Fit LDA several times with different seeds, and return the model with the highest likelihood.

    On synthetic clips with three topics, one of fifteen starts ended with a topic that mixes two others, at a much
    lower likelihood.

    Parameters
    ----------
    documents : clip_id, counts.
    section : ``[topics]``.

    Returns
    -------
    rows : clip_id and counts as a vector, the input of the fit.
    model : fitted model of Spark ML.
    """
    rows = documents.repartition(1).sortWithinPartitions("clip_id")
    rows = rows.select("clip_id", array_to_vector(F.col("counts")).alias("counts"))
    share = min(1.0, max(0.05, _LEAST_BATCH / max(documents.count(), 1)))
    found: list[tuple[float, Any]] = []
    for start in range(section.starts):
        lda = LDA(
            featuresCol="counts", k=section.topics, seed=section.seed + start, optimizer="online",
            maxIter=section.iterations, subsamplingRate=share, learningOffset=_OFFSET, optimizeDocConcentration=True,
        )  # fmt: skip
        model = lda.fit(rows)
        found.append((model.logLikelihood(rows), model))
    return rows, max(found, key=lambda one: one[0])[1]


def to_model(words: Words, fitted: Any) -> TopicModel:
    """Convert a model of Spark ML to arrays; columns of its topics matrix are Dirichlet parameters of words."""
    topics = np.ascontiguousarray(fitted.topicsMatrix().toArray().T, np.float64)
    return TopicModel(words, np.asarray(fitted.estimatedDocConcentration().toArray(), np.float64), topics)


@contextmanager
def _spark_ml() -> Iterator[None]:
    """Raise a one-line error if a Spark Connect server does not support a model of Spark ML."""
    try:
        yield
    except Exception as error:
        text = str(error)
        if "CONNECT_ML" not in text and "MlUnsupported" not in text:
            raise
        raise EnvironmentFaultError(
            f"fit_topics: this Spark Connect server cannot fit StandardScaler, KMeans and LDA of Spark ML "
            f"({text.splitlines()[0][:200]}). Use a server of Spark 4.2, or a session without Connect."
        ) from error
