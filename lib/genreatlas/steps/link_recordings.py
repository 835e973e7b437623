"""Find songs that are one recording, by their acoustic fingerprints.

Only new clips are compared with all others, using an index of fingerprint codes. A repeated run adds nothing.
"""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.feature_sets import get_feature_set, table_of
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.fetching import fetch
from genreatlas.errors import ConfigError
from genreatlas.recordings.grouping import Link, classify_pairs, make_links, missing_pairs
from genreatlas.recordings.jobs import (
    Fingerprints,
    best_matches,
    find_candidates,
    measure_timbres,
    read_facts,
    read_fingerprints,
    verify_candidates,
    verify_pairs,
)
from genreatlas.recordings.reading import bridging_recordings, doubles_by_genre, linked_copies
from genreatlas.store import Store
from genreatlas.tables import LINKED_CLIPS, RECORDING_LINKS, RECORDING_MATCHES

STEP = "link_recordings"
READS = ("codes_<set>", "clips", "songs", "song_genres", "feature_sets", "features_<set>", "vectors_<set>", "splits")
WRITES = ("linked_clips", "recording_matches", "recording_links")
SECTIONS = ("recordings",)
check = checks.link_recordings

#: Staging tables: candidates, and matches.
_CANDIDATES, _MATCHES = "link_recordings", "link_recordings_matches"
#: Maximum size of a connected component of matched clips within which all pairs are compared.
_MOST_TOGETHER = 300
#: Number of genres listed in the summary.
_GENRES_SHOWN = 10


def run(store: Store, config: Config) -> Counts:
    """Compare the fingerprints of new clips, and write links between songs. Counts are new clips."""
    for left in [*store.staged(_CANDIDATES), *store.staged(_MATCHES)]:
        left.drop()  # left by a killed run; this run repeats its work
    wanted = get_feature_set("fingerprint")
    if not store.exists(table_of(wanted)):
        told = (
            wanted.lacking()
            or "no clip has a fingerprint. Add fingerprint to extract.feature_sets and run extract_features"
        )
        return Counts(notes=(f"nothing was compared: {told}",))
    fingerprints = read_fingerprints(store, config)
    gone = _gone(store, config, fingerprints)
    if gone is not None:
        _forget_matches(store, gone)
    if fingerprints.new:
        _compare(store, fingerprints)
    notes = _write_links(store, config) if fingerprints.new or gone is not None else []
    # compared clips are recorded last, so that a run after a killed one repeats the work
    if gone is not None:
        store.delete(LINKED_CLIPS, gone)
    if fingerprints.new:
        state = {"set_version": wanted.version, "preprocessing_id": preprocessing_id(config.clip)}
        done = fingerprints.frame.where("new").select("clip_id", *(F.lit(v).alias(name) for name, v in state.items()))
        store.upsert(LINKED_CLIPS, done, update=True)
    return Counts(fingerprints.new, fingerprints.new, notes=tuple(notes))


def _gone(store: Store, config: Config, fingerprints: Fingerprints) -> DataFrame | None:
    """Clips that were compared earlier and no longer have that fingerprint; None if there are none."""
    present = fingerprints.frame.where("NOT new").select("clip_id")
    gone = store.read(LINKED_CLIPS).select("clip_id").join(present, "clip_id", "left_anti")
    ids = fetch(gone, "clip_id", config.store.max_commit_mb, 60)
    return store.spark.createDataFrame(ids) if ids.num_rows else None


def _forget_matches(store: Store, gone: DataFrame) -> None:
    """Delete all matches of clips that are gone."""
    matches = store.read(RECORDING_MATCHES).select("clip_id", "other_clip_id")
    other = matches.join(gone.withColumnRenamed("clip_id", "other_clip_id"), "other_clip_id", "left_semi")
    one = matches.join(gone, "clip_id", "left_semi")
    store.delete(RECORDING_MATCHES, one.unionByName(other))


def _compare(store: Store, fingerprints: Fingerprints) -> None:
    """Write the matches of new clips: candidates of the index, and missing pairs of connected clips."""
    staged = store.stage(find_candidates(fingerprints), _CANDIDATES, "candidates")
    _add_matches(store, verify_candidates(fingerprints, staged.frame), "verified")
    staged.drop()
    new = {row["clip_id"] for row in _pairs_of_new(store, fingerprints)}
    rows = store.read(RECORDING_MATCHES).select("clip_id", "other_clip_id")
    known = [tuple(pair) for pair in fetch(rows, "clip_id", store.settings.max_commit_mb, 80).to_pandas().to_numpy()]
    lacking = [pair for pair in missing_pairs(known, _MOST_TOGETHER) if not new.isdisjoint(pair)]
    if lacking:
        _add_matches(store, verify_pairs(fingerprints, lacking), "closed")


def _pairs_of_new(store: Store, fingerprints: Fingerprints) -> list[dict[str, str]]:
    """New clips that matched another one."""
    rows = store.read(RECORDING_MATCHES).select(F.explode(F.array("clip_id", "other_clip_id")).alias("clip_id"))
    new = fingerprints.frame.where("new").select("clip_id")
    found: list[dict[str, str]] = new.join(rows.distinct(), "clip_id", "left_semi").toArrow().to_pylist()
    return found


def _add_matches(store: Store, rows: DataFrame, chunk: str) -> None:
    staged = store.stage(rows, _MATCHES, chunk)
    store.upsert(RECORDING_MATCHES, staged.frame, update=True)
    staged.drop()


def _write_links(store: Store, config: Config) -> list[str]:
    """Update ``recording_links`` to all current matches; return lines for the summary."""
    rows = fetch(store.read(RECORDING_MATCHES), "clip_id", config.store.max_commit_mb, 200).to_pandas()
    matches = best_matches(rows)
    facts = read_facts(store, config, {song for pair in matches for song in pair}) if matches else {}
    short = [pair for pair, match in matches.items() if not match.is_long]
    timbres, notes = {}, []
    if short:
        try:
            timbres = measure_timbres(store, config, short)
        except ConfigError as error:
            notes.append(
                f"{len(short)} pairs overlap too briefly to decide by fingerprint, and their timbres are not known: "
                f"{error}"
            )
    links = make_links(classify_pairs(matches, facts, timbres), facts)
    _replace(store, links)
    if not any(link.kind == "copy" for link in links):
        return [*_said(links), *notes]
    return [*_said(links), *_by_genre(store), *_bridging(store, config), *notes]


def _replace(store: Store, links: Iterable[Link]) -> None:
    columns = ["song_id", "recording_id", "kind", "score", "evidence"]
    now = pd.DataFrame([vars(link) for link in links], columns=columns)
    stored = store.read(RECORDING_LINKS).select(*columns).toArrow().to_pandas()
    key = columns[:2]
    gone = stored[~stored.set_index(key).index.isin(now.set_index(key).index)][key]
    if len(now):
        store.upsert(RECORDING_LINKS, now, update=True)
    if len(gone):
        store.delete(RECORDING_LINKS, store.spark.createDataFrame(pa.Table.from_pandas(gone, preserve_index=False)))


def _said(links: list[Link]) -> list[str]:
    copies = [link for link in links if link.kind == "copy"]
    recordings = {link.recording_id for link in copies}
    lines = [
        f"{len(copies)} songs are copies of {len(recordings)} recordings: {len(copies) - len(recordings)} duplicates"
    ]
    kinds = pd.Series([link.kind for link in links if link.kind != "copy"], dtype=object).value_counts()
    if len(kinds):
        lines.append("same sound, but different recordings: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()))
    return lines


def _by_genre(store: Store) -> list[str]:
    """Line on the genres with the most duplicates, with their numbers of songs and recordings."""
    counts = doubles_by_genre(store, linked_copies(store)).collect()
    if not counts:
        return []
    said = ", ".join(f"{row.genre} {row.n_recordings} of {row.n_songs} songs" for row in counts[:_GENRES_SHOWN])
    more = f", and {len(counts) - _GENRES_SHOWN} more genres" if len(counts) > _GENRES_SHOWN else ""
    return [f"recordings of the genres with duplicates: {said}{more}"]


def _bridging(store: Store, config: Config) -> list[str]:
    """Line on recordings whose songs were assigned to several parts or folds before their link was known."""
    names = [row.recording_id for row in bridging_recordings(store, config.splits.name).collect()]
    if not names:
        return []
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return [
        f"{len(names)} recordings are in several parts or folds of the split {config.splits.name}: {shown}. "
        "assign_splits leaves their copies outside train out of its next version"
    ]
