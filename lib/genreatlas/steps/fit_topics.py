"""Fit audio words and topics on training songs, and compute the shares of topics in all songs.

Frames of the feature set ``topics.feature_set`` are quantised to words (k-means), and topics are fitted to the words
(LDA). Both run in Spark ML on clips of the split's training part only. The shares of topics in every clip, of all
parts, form a feature set (topics20 with 20 topics). New training clips or other settings lead to a new version. For
other new clips, shares are computed with the existing fit.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.audio_words import SHARES, share_batches, topic_columns
from genreatlas.audio.layouts import SUMMARY
from genreatlas.config import Config
from genreatlas.config.joined import members_of
from genreatlas.counts import Counts
from genreatlas.datasets.feature_tables import FeatureTable, find_feature_table
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.library import Library, read_library
from genreatlas.datasets.topic_sets import topic_model
from genreatlas.errors import ConfigError, InputError
from genreatlas.ids import stable_id
from genreatlas.provenance import git_commit
from genreatlas.store import Snapshot, Store
from genreatlas.tables import FEATURE_SETS, MODELS, TOPIC_MODELS, TOPICS, Table
from genreatlas.topics.describing import describe
from genreatlas.topics.fitting import STAGED, fit_model
from genreatlas.watching import watched

READS = (
    "splits", "songs", "song_artists", "song_genres", "clips", "recording_links", "feature_sets", "frames_<set>",
    "models", "topic_models",
)  # fmt: skip
WRITES = ("topic_models", "topics", "features_<set>", "feature_sets")
SECTIONS = ("topics", "splits")
check = checks.fit_topics

STEP = "fit_topics"
#: Version of the fit. Increase it when results change for the same input, so that words and topics are fitted again.
VERSION = 1
#: Settings that do not affect the fit.
_NOT_FITTED = {"feature_set", "min_songs"}


def run(store: Store, config: Config) -> Counts:
    """Fit words and topics if there is no current fit, and write the shares of clips that have none. Counts are clips.

    Raises
    ------
    ConfigError : the store has no such feature set, or it has no frames.
    InputError : there is no split, or too few training clips have frames.
    SplitLeakError : a group of songs is in more than one part.
    EnvironmentFaultError : the Spark Connect server cannot fit these models.
    """
    for left in [chunk for name in (*STAGED, STEP) for chunk in store.staged(name)]:
        left.drop()  # left by a killed run; this run repeats its work
    section = config.topics
    snapshot = Snapshot(store)
    library = read_library(snapshot, config)
    source = find_feature_table(snapshot, section.feature_set)
    if not source.layout.makes_words:
        raise ConfigError(
            f"topics.feature_set: {section.feature_set} holds {source.axis}, and words are made of frames. Name a set "
            "of frames, such as mfcc12_frames."
        )
    rows = source.rows(snapshot).select("clip_id", "song_id", "n_frames", "width", "frames")
    row, notes = _fitted(store, config, library, source, rows, snapshot)
    versions = dict.fromkeys((row["set_version"], *_used_versions(snapshot, section.name)))
    read = written = 0
    for version in versions:
        fit = row if version == row["set_version"] else _row_of(store, section.name, version)
        if fit is None or (fit["source_version"], fit["preprocessing_id"]) != (
            source.set_version,
            source.preprocessing_id,
        ):
            continue  # fitted on another version of the frames, which new clips do not have
        found = _write_shares(store, section.name, fit, rows)
        read, written = read + found, written + found
    _describe_topics(store, config, library, row)
    _describe_set(store, section.name, row)
    return Counts(read=read, written=written, notes=notes)


def topic_table(name: str, n_topics: int) -> Table:
    """Definition of the feature table with the shares of topics."""
    columns = [column for column, _ in SUMMARY.columns(topic_columns(n_topics))]
    return SUMMARY.table(name, "Shares of topics of audio words.", columns, (STEP,))


def _fitted(
    store: Store, config: Config, library: Library, source: FeatureTable, rows: DataFrame, snapshot: Snapshot
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Row of the current fit, and notes for the summary. Fits again if clips or settings have changed."""
    section = config.topics
    train = library.songs[library.songs.part == "train"]
    training = _ids(store, train["song_id"])
    found = fetch(rows.join(training, "song_id", "left_semi").select("clip_id", "song_id", "n_frames"), "clip_id",
                  config.store.max_commit_mb)  # fmt: skip
    clips = found.to_pandas().sort_values("clip_id", ignore_index=True)
    clips = clips.iloc[_sampled(clips["clip_id"].tolist(), section.sample_clips, section.seed)]
    if len(clips) < section.topics:
        raise InputError(
            f"{section.feature_set}: {len(clips)} clips of training songs have frames, and topics.topics = "
            f"{section.topics}. Extract {section.feature_set} first, or lower topics.topics."
        )
    settings = section.model_dump(mode="json")
    fitted = {name: value for name, value in sorted(settings.items()) if name not in _NOT_FITTED}
    facts = (source.feature_set, source.set_version, source.preprocessing_id, library.split)
    made_from = stable_id(VERSION, *facts, json.dumps(fitted, sort_keys=True), *clips["clip_id"])
    last = store.read(TOPIC_MODELS).where(F.col("feature_set") == section.name)
    newest = [row.asDict() for row in last.orderBy(F.desc("sequence")).limit(1).collect()]
    if newest and newest[0]["made_from"] == made_from:
        return newest[0], ()
    chosen = rows.join(_ids(store, clips["clip_id"], "clip_id"), "clip_id", "left_semi")
    model, n_frames = fit_model(store, chosen.drop("song_id"), int(clips["n_frames"].sum()), section)
    sequence = newest[0]["sequence"] + 1 if newest else 1
    arrays = model.arrays
    content = stable_id(made_from, *(array.tobytes().hex() for array in arrays.values()), length=8)
    songs = sorted(set(clips["song_id"]))
    row: dict[str, Any] = {
        "feature_set": section.name,
        "set_version": f"{sequence}-{content}",
        "sequence": sequence,
        "made_from": made_from,
        "source_set": source.feature_set,
        "source_version": source.set_version,
        "preprocessing_id": source.preprocessing_id,
        "features": list(source.columns),
        "n_words": len(model.words.centres),
        "n_topics": len(model.alpha),
        **{name: array.ravel().tolist() for name, array in arrays.items()},
        "settings": json.dumps(settings, sort_keys=True),
        "split": library.split,
        "split_version": library.split_version,
        "songs": songs,
        "n_clips": len(clips),
        "n_frames": n_frames,
        "input_versions": snapshot.read_versions,
        "made_at": datetime.now(UTC),
        "git_commit": git_commit(),
        "run_id": store.run_id,
    }
    store.upsert(TOPIC_MODELS, [row], update=True)
    note = (
        f"{section.name} version {row['set_version']}: {row['n_words']} words from {n_frames:,} frames, and "
        f"{row['n_topics']} topics from {len(clips):,} clips of {len(songs):,} training songs"
    )
    return row, (note,)


def _sampled(clip_ids: Sequence[str], most: int, seed: int) -> list[int]:
    """Positions of at most ``most`` clips, in ascending order: those with the smallest hashes of seed and id."""
    if len(clip_ids) <= most:
        return list(range(len(clip_ids)))
    order = sorted(range(len(clip_ids)), key=lambda place: stable_id(seed, clip_ids[place]))
    return sorted(order[:most])


def _ids(store: Store, ids: pd.Series, name: str = "song_id") -> DataFrame:
    return store.spark.createDataFrame(pa.table({name: pa.array(ids.to_numpy(dtype=object), pa.string())}))


def _used_versions(snapshot: Snapshot, name: str) -> list[str]:
    """Versions of the set that stored models were trained on. Shares of new clips are written for these, too."""
    models = snapshot.read(MODELS).select("feature_set", "set_version").distinct().collect()
    pairs = (zip(members_of(m["feature_set"]), members_of(m["set_version"]), strict=True) for m in models)
    return sorted({version for each in pairs for member, version in each if member == name})


def _row_of(store: Store, name: str, version: str) -> dict[str, Any] | None:
    mine = (F.col("feature_set") == name) & (F.col("set_version") == version)
    rows = store.read(TOPIC_MODELS).where(mine).collect()
    return rows[0].asDict() if rows else None


def _write_shares(store: Store, name: str, row: dict[str, Any], rows: DataFrame) -> int:
    """Write the shares of clips that have none of this version; return the number of clips."""
    table = topic_table(name, row["n_topics"])
    mine = (F.col("set_version") == row["set_version"]) & (F.col("preprocessing_id") == row["preprocessing_id"])
    pending = rows.join(store.read(table).where(mine).select("clip_id"), "clip_id", "left_anti")
    if pending.isEmpty():
        return 0
    work = watched(partial(share_batches, topic_model(row)))
    staged = store.stage(pending.select("clip_id", "song_id", "width", "frames").mapInArrow(work, SHARES), STEP, name)
    # a clip without words has NaN shares, stored as NULL
    columns = [F.expr(f"nullif(shares[{n}], double('NaN'))").alias(f"topic_{n + 1}") for n in range(row["n_topics"])]
    version, made = F.lit(row["set_version"]), F.lit(row["preprocessing_id"])
    frame = staged.frame.select(
        "clip_id", version.alias("set_version"), made.alias("preprocessing_id"), "song_id", *columns
    )
    written = store.upsert(table, frame)
    staged.drop()
    return written


def _describe_topics(store: Store, config: Config, library: Library, row: dict[str, Any]) -> None:
    """Describe each topic by songs of the training part, and write the table ``topics``."""
    name, n_topics = row["feature_set"], row["n_topics"]
    table = FeatureTable(name, SUMMARY.table_name(name), row["set_version"], row["preprocessing_id"], SUMMARY.name, {})
    train = library.songs[library.songs.part == "train"][["song_id", "group_id"]]
    rows = table.rows(store).join(_ids(store, train["song_id"]), "song_id", "left_semi")
    values = F.array(*(F.col(f"topic_{number}") for number in range(1, n_topics + 1)))
    wanted = rows.where("topic_1 IS NOT NULL").select("song_id", "clip_id", values.alias("shares"))
    found = fetch(wanted, "clip_id", config.store.max_commit_mb, 100 + 8 * n_topics)
    found = found.sort_by([("song_id", "ascending"), ("clip_id", "ascending")])
    clips = np.array(found.column("shares").to_pylist(), dtype=np.float64).reshape(-1, n_topics)
    ids, first, number = np.unique(
        np.array(found.column("song_id").to_pylist(), dtype=str), return_index=True, return_counts=True
    )
    if not len(ids):
        return
    shares = np.add.reduceat(clips, first, axis=0) / number[:, None]
    songs = pd.DataFrame({"song_id": ids}).merge(train, on="song_id", how="left")
    described = describe(topic_model(row).probabilities, shares, songs, library.labels, config.topics.min_songs)
    keys = {"feature_set": name, "set_version": row["set_version"]}
    store.upsert(TOPICS, [keys | one for one in described], update=True)


def _describe_set(store: Store, name: str, row: dict[str, Any]) -> None:
    """Describe the feature set. Written last, so that a described set is complete."""
    described = [
        {
            "feature_set": name,
            "set_version": row["set_version"],
            "position": position,
            "feature": f"topic_{position + 1}",
            "kind": "numeric",
            "axis": SUMMARY.name,
            "unit": "0..1",
            "preprocessing_id": row["preprocessing_id"],
            "source": f"topics of {row['source_set']}",
        }
        for position in range(row["n_topics"])
    ]
    store.upsert(FEATURE_SETS, described, update=True)
