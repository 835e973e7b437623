"""Fetch a clip for every song that lacks one, from the configured providers in order.

Commercial providers are disabled until `acknowledge_terms = true` is set: in [deezer] for deezer, in [spotify] for
spotify and every_noise. Failed songs are retried when their retry is due. If a provider's rate limit pauses requests,
its songs are left for a later run (exit code 3).
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.preprocess import window_rule
from genreatlas.audio.uris import FETCHED
from genreatlas.collecting.preview_fetch import FACTS, PreviewFetch
from genreatlas.collecting.preview_songs import write_songs
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import LimitReachedError, Reason
from genreatlas.extraction.attempts import forget
from genreatlas.extraction.fetched_audio import gone
from genreatlas.extraction.plan import ExtractionPlan
from genreatlas.fanout import FanOutCounts, fan_out
from genreatlas.ids import stable_id
from genreatlas.store import Reader, Staged, Store
from genreatlas.tables import CLIP_AUDIO, CLIPS, QUARANTINE, SONGS
from genreatlas.values import Row

STEP = "fetch_previews"
READS = ("songs", "clips", "clip_audio", "genres", "everynoise_artists", "fetch_attempts", "features_<set>")
WRITES = (
    "clips", "clip_audio", "fetch_attempts", "quarantine", "songs", "artists", "song_artists", "song_genres",
)  # fmt: skip
SECTIONS = ("fetch_previews", "sync", "deezer", "http", "fan_out", "clip")
check = checks.fetch_previews

#: Reasons that mean that the provider has no clip of the song. They count as skipped, not as failed.
_NOTHING_THERE = frozenset(
    {Reason.NO_PREVIEW, Reason.NOT_FOUND, Reason.VERSION_MISMATCH, Reason.LINK_EXPIRED, Reason.FORBIDDEN}
)
#: Reasons that concern the audio itself. They are written to quarantine.
_BAD_AUDIO = frozenset(
    {
        Reason.NOT_AUDIO, Reason.EMPTY_FILE, Reason.TOO_LARGE, Reason.NEEDS_AAC_DECODER, Reason.UNSUPPORTED_FORMAT,
        Reason.DECODE_FAILED, Reason.TRUNCATED, Reason.TOO_SHORT, Reason.CHECKSUM_MISMATCH,
    }
)  # fmt: skip


def run(store: Store, config: Config) -> Counts:
    """Fetch clips of songs that are pending and due.

    Raises
    ------
    ConfigError : the terms of a provider were not acknowledged.
    LimitReachedError : the rate limit of a provider pauses requests. The work of other providers is done.
    """
    fetch = PreviewFetch.of(config)
    links, gone = write_songs(store, config, fetch.providers)
    done = fan_out(
        store,
        config.fan_out,
        STEP,
        partial(pending, store, config, links),
        fetch,
        partial(merge, store, config),
        keep=CLIP_AUDIO,
    )
    if done.stopped():
        raise LimitReachedError(f"{STEP}: {done.stopped()}", count(done))
    return count(done) + Counts(notes=gone)


def count(done: FanOutCounts) -> Counts:
    """Counts of a fan-out. Songs without a clip at any provider count as skipped, others given up as failed."""
    skipped = sum(number for reason, number in done.given_up.items() if reason in _NOTHING_THERE)
    failed = sum(done.given_up.values()) - skipped
    words = ", ".join(f"{reason} {number}" for reason, number in sorted(done.given_up.items()))
    notes = ((f"given up: {words}",) if words else ()) + done.notes
    return Counts(done.fetched + skipped + failed, done.fetched, failed, skipped, notes)


def pending(store: Store, config: Config, links: DataFrame) -> DataFrame:
    """Songs without a clip for which a configured provider may have one.

    Parameters
    ----------
    links : rows with the song's id as ``key``, and addresses from Every Noise and from manifests.

    Returns
    -------
    One row per song, with the attributes by which providers find a clip.
    """
    songs = store.live(SONGS).where(F.col("source") != "folder").withColumnRenamed("song_id", "key")
    songs = songs.join(links, "key", "left")
    had = store.read(CLIPS).where(F.col("replaced_by").isNull() & (F.col("window_rule") == window_rule(config.clip)))
    if config.fetch_previews.refetch:
        again = gone(store, ExtractionPlan.of(store, config).lacking()).select("clip_id").distinct()
        had = had.join(again, "clip_id", "left_anti")
    may_have = {
        "spotify": F.col("preview_url"),
        "deezer": F.col("isrc"),
        "every_noise": F.col("example_url"),
        "http": F.col("file_url"),
    }
    wanted = F.coalesce(*(may_have[name] for name in config.fetch_previews.providers)).isNotNull()
    return (
        songs.where(wanted)
        .join(had.select(F.col("song_id").alias("key")), "key", "left_anti")
        .select(
            "key", "title", "artist", "isrc", "duration_ms", "preview_url", "example_url", "file_url", "checksum",
            F.coalesce("listed_licence", "licence").alias("licence"),
        )
    )  # fmt: skip


def merge(store: Store, config: Config, staged: Staged) -> None:
    """Write a staged chunk: first audio bytes, then the clips that refer to them, then quarantine.

    Audio of rows with an ``ingest_batch`` is published already.
    """
    names = staged.frame.columns if staged.held is None else staged.held.column_names
    rows = staged.rows(*(name for name in names if name != "audio"))
    good = [row for row in rows if row["provider"] is not None]
    if good:
        if with_bytes := [row for row in good if row.get("ingest_batch") is None]:
            _write_audio(store, staged, with_bytes)
        _write_clips(store, config, staged, good)
        for provider in sorted({row["provider"] for row in good}):
            forget(store, STEP, {row["key"] for row in good if row["provider"] == provider}, {provider})
    store.upsert(QUARANTINE, list(_quarantine_rows(store, rows)), update=True)


def _write_audio(store: Store, staged: Staged, good: list[Row]) -> None:
    """Append the audio bytes, once per distinct audio of the chunk, unless an earlier merge wrote the chunk's batch."""
    there = store.read(CLIP_AUDIO).where(F.col("ingest_batch") == staged.chunk)
    if staged.held is None and not there.limit(1).isEmpty():
        return
    first = {
        (row["sha256"], row["provider"]): row["key"] for row in sorted(good, key=lambda row: row["key"], reverse=True)
    }
    frame = staged.frame.where(F.col("provider").isNotNull())
    if len(first) < len(good):
        frame = frame.where(F.col("key").isin(list(first.values())))
    length = F.octet_length("audio").cast("bigint").alias("bytes")
    batch = F.lit(staged.chunk).alias("ingest_batch")
    store.append(CLIP_AUDIO, frame.select(batch, "sha256", "provider", length, "audio"), staged.chunk)


def _write_clips(store: Store, config: Config, staged: Staged, good: list[Row]) -> None:
    now = datetime.now(UTC)
    sizes = _sizes(store, staged) if any(row.get("bytes") is None for row in good) else {}
    clips = []
    for row in good:
        identity = stable_id(row["key"], row["provider"], row["sha256"], row["start_s"])
        clips.append(
            {name: row.get(name) for name in FACTS}  # chunks staged by an older release lack some columns
            | {
                "clip_id": identity,
                "ingest_batch": row.get("ingest_batch") or staged.chunk,
                "song_id": row["key"],
                "provider": row["provider"],
                "uri": f"{FETCHED}{identity}",
                "path": row["reference"],
                "window_rule": window_rule(config.clip),
                "bytes": row.get("bytes") or sizes[row["sha256"], row["provider"]],
                "licence": row["licence"],
                "fetched_at": now,
            }
        )
    store.upsert(CLIPS, clips + _replaced(store, clips), update=True, compare=("ingest_batch",))


def _sizes(store: Reader, staged: Staged) -> dict[tuple[str, str], int]:
    """Number of bytes of each audio of a chunk, by sha256 and provider."""
    if staged.held is not None:
        audio = [staged.held[name] for name in ("sha256", "provider")]
        lengths = pc.binary_length(staged.held["audio"])
        return dict(zip(zip(*(one.to_pylist() for one in audio), strict=True), lengths.to_pylist(), strict=True))
    rows = store.read(CLIP_AUDIO).where(F.col("ingest_batch") == staged.chunk).drop("audio").collect()
    return {(row["sha256"], row["provider"]): row["bytes"] for row in rows}


def _replaced(store: Reader, clips: list[Row]) -> list[Row]:
    """Earlier clips of the same songs, with ``replaced_by`` set to the new clips."""
    fresh = {clip["song_id"]: clip["clip_id"] for clip in clips}
    songs = store.spark.createDataFrame([(song,) for song in fresh], "song_id string")
    stored = store.read(CLIPS).where(F.col("replaced_by").isNull() & F.col("uri").startswith(FETCHED))
    same = {clip["clip_id"] for clip in clips}
    rows = [row.asDict() for row in stored.join(songs, "song_id", "left_semi").collect()]
    return [row | {"replaced_by": fresh[row["song_id"]]} for row in rows if row["clip_id"] not in same]


def _quarantine_rows(store: Store, rows: Iterable[Any]) -> Iterable[Row]:
    for row in rows:
        for attempt in row["attempts"]:
            if attempt["status"] == "final" and attempt["reason"] in _BAD_AUDIO:
                yield {
                    "stage": STEP,
                    "key": row["key"],
                    "version": attempt["provider"],
                    "reason": attempt["reason"],
                    "detail": attempt["detail"],
                    "run_id": store.run_id,
                    "at": datetime.now(UTC),
                }
