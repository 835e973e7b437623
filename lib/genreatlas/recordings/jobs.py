"""Spark jobs of the fingerprint index, and the data that the step reads from the store."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.audio.feature_sets import get_feature_set, table_of
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.config import Config
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.vectors import read_vectors, song_means
from genreatlas.recordings.kinds import Facts
from genreatlas.recordings.tasks import (
    CANDIDATE,
    MATCH,
    PART,
    count_bucket,
    post_batches,
    share_slice,
    to_codes,
    verify_batches,
)
from genreatlas.recordings.verifying import Match
from genreatlas.store import Reader
from genreatlas.tables import CLIPS, LINKED_CLIPS, SONGS

#: Codes per task: with faster codes about 2 million postings of 15 bytes; sorting needs four times that memory.
SLICE_CODES = 1_500_000
#: With at most this number of new clips, their codes (2 MB) are sent to the tasks, which then post no other codes.
FEW_NEW = 1000
#: Number of songs to estimate the usual distance of timbres.
_SAMPLE = 2000


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of clips that were not replaced, in the current version and preprocessing.

    Attributes
    ----------
    frame : clip_id, song_id, key (hash of clip_id), codes, codes_faster, new (never compared before).
    clips, new, codes : number of clips, new clips and codes.
    """

    frame: DataFrame
    clips: int
    new: int
    codes: int


def read_fingerprints(store: Reader, config: Config) -> Fingerprints:
    """Read the fingerprints of clips that were not replaced, and mark those that were never compared."""
    wanted = get_feature_set("fingerprint")
    version, preprocessing = wanted.version, preprocessing_id(config.clip)
    rows = store.read(table_of(wanted)).where(
        (F.col("set_version") == version) & (F.col("preprocessing_id") == preprocessing) & (F.col("n_codes") > 0)
    )
    # Few clips were replaced, so this join is broadcast. A join with all active clips would shuffle all codes.
    replaced = store.read(CLIPS).where("replaced_by IS NOT NULL").select("clip_id")
    done = store.read(LINKED_CLIPS).where(
        (F.col("set_version") == version) & (F.col("preprocessing_id") == preprocessing)
    )
    done = done.select("clip_id", F.lit(False).alias("known"))
    frame = rows.join(replaced, "clip_id", "left_anti").join(done, "clip_id", "left")
    frame = frame.withColumn("new", F.coalesce("known", F.lit(True))).withColumn("key", F.xxhash64("clip_id"))
    counts = frame.agg(
        F.count(F.lit(1)).alias("clips"),
        F.coalesce(F.sum(F.col("new").cast("int")), F.lit(0)).alias("new"),
        F.coalesce(F.sum("n_codes"), F.lit(0)).alias("codes"),
    ).collect()[0]
    columns = ("clip_id", "song_id", "key", "codes", "codes_faster", "new")
    return Fingerprints(frame.select(*columns), counts["clips"], int(counts["new"]), int(counts["codes"]))


def find_candidates(fingerprints: Fingerprints) -> DataFrame:
    """Pairs of clips, at least one of them new, that share codes at one offset; rows of CANDIDATE."""
    slices, asked = max(2, -(-fingerprints.codes // SLICE_CODES)), None
    if fingerprints.new <= FEW_NEW < fingerprints.clips:
        slices = 2
        rows = fingerprints.frame.where("new").select("codes", "codes_faster").toArrow()
        asked = np.unique(np.concatenate([codes for column in rows.itercolumns() for codes in _codes(column)]))
    posted = fingerprints.frame.select("key", "new", "codes", "codes_faster").mapInArrow(
        partial(post_batches, slices, asked), PART
    )
    shared = posted.groupBy("part").applyInArrow(lambda slice_: share_slice(slices, slice_), PART)
    return shared.groupBy("part").applyInArrow(count_bucket, CANDIDATE)


def _codes(column: pa.ChunkedArray) -> list[npt.NDArray[np.uint32]]:
    return [codes for chunk in column.chunks for codes in to_codes(chunk)]


def verify_candidates(fingerprints: Fingerprints, candidates: DataFrame) -> DataFrame:
    """Candidates with matching fingerprints that are clips of two songs; rows of MATCH, the lower clip id first."""
    return _verify(_paired(fingerprints.frame, candidates, "key", ("low", "high")))


def verify_pairs(fingerprints: Fingerprints, pairs: list[tuple[str, str]]) -> DataFrame:
    """Like :func:`verify_candidates`, for pairs of clip ids of unknown speed."""
    rows = pd.DataFrame(pairs, columns=["clip_id", "other_clip_id"])
    frame = fingerprints.frame.sparkSession.createDataFrame(pa.Table.from_pandas(rows, preserve_index=False))
    frame = frame.select(
        F.col("clip_id").alias("low"),
        F.col("other_clip_id").alias("high"),
        F.lit(None).cast("int").alias("speed"),
        F.lit(None).cast("int").alias("shared"),
    )
    return _verify(_paired(fingerprints.frame, frame, "clip_id", ("low", "high")))


def _paired(frame: DataFrame, pairs: DataFrame, by: str, ends: tuple[str, str]) -> DataFrame:
    """Join the fingerprints of both clips of each pair; only fingerprints of clips in pairs are shuffled."""
    keys = pairs.select(F.explode(F.array(*ends)).alias(by)).distinct()
    held = frame.join(keys, by, "left_semi").select(
        F.col(by).alias("end"), "clip_id", "song_id", "codes", "codes_faster"
    )
    low, high = ends
    other = held.select(
        F.col("end").alias(high), *(F.col(name).alias(f"other_{name}") for name in held.columns if name != "end")
    )
    return pairs.join(held.withColumnRenamed("end", low), low).join(other, high)


def _verify(rows: DataFrame) -> DataFrame:
    columns = ("clip_id", "song_id", "codes", "codes_faster")
    others = [f"other_{name}" for name in columns]
    rows = rows.where("song_id <> other_song_id").select(*columns, *others, "speed", "shared")
    found = rows.mapInArrow(verify_batches, MATCH)
    # Order by clip id instead of key: swapping the clips inverts offset and speed.
    turned = F.col("clip_id") > F.col("other_clip_id")
    swapped = [
        F.when(turned, F.col(other)).otherwise(F.col(name)).alias(name)
        for one in ("clip_id", "song_id")
        for name, other in ((one, f"other_{one}"), (f"other_{one}", one))
    ]
    return found.select(
        *swapped,
        F.col("error"),
        F.col("others"),
        F.col("overlap_s"),
        F.when(turned, -F.col("offset_s")).otherwise(F.col("offset_s")).alias("offset_s"),
        F.when(turned, 1 / F.col("speed")).otherwise(F.col("speed")).alias("speed"),
        F.col("shared"),
        F.when(~F.isnan("next_error"), F.col("next_error")).alias("next_error"),
    )


def best_matches(rows: pd.DataFrame) -> dict[tuple[str, str], Match]:
    """Best match of each pair of songs among the matches of their clips, by song ids, the lower first.

    A long overlap is better than a short one, then a distinct match than others, then the one with the smaller error.
    """
    found: dict[tuple[str, str], Match] = {}
    for row in rows.to_dict("records"):
        match = Match(**{field.name: row[field.name] for field in fields(Match)})
        pair = (row["song_id"], row["other_song_id"])
        if pair[0] > pair[1]:
            pair = (pair[1], pair[0])
            match = replace(match, offset_s=-match.offset_s, speed=1.0 / match.speed)
        held = found.get(pair)
        if held is None or _quality(held) < _quality(match):
            found[pair] = match
    return found


def _quality(match: Match) -> tuple[bool, bool, float]:
    return match.is_long, match.is_distinct, -match.error


def read_facts(store: Reader, config: Config, song_ids: Iterable[str]) -> dict[str, Facts]:
    """Read metadata of songs. The duration is that of the recording, or else that of the longest file."""
    ids = store.spark.createDataFrame(pa.table({"song_id": pa.array(sorted(song_ids), pa.string())}))
    files = store.read(CLIPS).groupBy("song_id").agg(F.max("duration_s").alias("file_s"))
    songs = store.read(SONGS).join(ids, "song_id", "left_semi").join(files, "song_id", "left")
    duration = F.coalesce(F.col("duration_ms") / 1000, F.col("file_s")).alias("duration_s")
    rows = fetch(
        songs.select("song_id", "title", "artist", "isrc", duration), "song_id", config.store.max_commit_mb, 300
    )
    return {row.pop("song_id"): Facts(**row) for row in rows.to_pylist()}


def measure_timbres(store: Reader, config: Config, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Distance of two songs' timbres divided by the usual distance, for pairs of songs that have the feature set.

    Features are scaled by their spread in a sample of songs. The usual distance is the median over pairs of the sample.

    Raises
    ------
    ConfigError : the store has no such feature set.
    """
    pairs = list(pairs)
    name = config.recordings.timbre
    vectors = read_vectors(store, "recordings.timbre", name, (), "songs")
    width, max_mb = len(vectors.features), config.store.max_commit_mb
    ids = pa.table({"song_id": pa.array(sorted({song for pair in pairs for song in pair}), pa.string())})
    asked = vectors.frame.join(store.spark.createDataFrame(ids), "song_id", "left_semi")
    sample = vectors.frame.orderBy(F.xxhash64("song_id"), "clip_id").limit(_SAMPLE)
    (songs, values), (_, usual) = (
        song_means(fetch(frame, "song_id", max_mb, vectors.row_bytes), width) for frame in (asked, sample)
    )
    place = {song: row for row, song in enumerate(songs.tolist())}
    centre = np.nanmedian(usual, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(usual - centre), axis=0)
    kept = spread > 0
    if len(usual) < 3 or not kept.any():
        return {}
    scaled = np.clip((usual[:, kept] - centre[kept]) / spread[kept], -8, 8)
    # Rows are sorted by song id, which is a hash, so neighbouring rows are random pairs of songs.
    apart = float(np.nanmedian(np.sqrt(np.nanmean((scaled[1:] - scaled[:-1]) ** 2, axis=1))))
    found = {}
    for one, other in pairs:
        if one in place and other in place:
            difference = (values[place[one]][kept] - values[place[other]][kept]) / spread[kept]
            found[one, other] = float(np.sqrt(np.nanmean(difference**2))) / apart
    return {pair: distance for pair, distance in found.items() if np.isfinite(distance)}
