"""Find the most similar songs of every song."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.fetching import fetch, fetch_parts
from genreatlas.errors import InputError
from genreatlas.ids import stable_id
from genreatlas.neighbours.finding import SongFiles, merged
from genreatlas.neighbours.hubness import JUDGED, Hubness, choose_weight, judge_lists
from genreatlas.neighbours.reading import SongValues, read_keys, read_songs, to_places
from genreatlas.neighbours.search import Places
from genreatlas.neighbours.space import Floats, Space, Vectors, expected_distance, fit_space, to_vectors
from genreatlas.provenance import git_commit
from genreatlas.store import Snapshot, Store
from genreatlas.tables import NEIGHBOUR_SONGS, NEIGHBOUR_SPACES, SONG_NEIGHBOURS
from genreatlas.values import Row

READS = ("songs", "song_artists", "clips", "feature_sets", "features_<set>", "vectors_<set>", "recording_links")
WRITES = ("neighbour_spaces", "neighbour_songs", "song_neighbours")
SECTIONS = ("neighbours",)
check = checks.find_neighbours

#: Version of the search. Increase it when results change for the same input, so that all lists are computed again.
VERSION = 1
#: Statistics of a space: column and attribute.
_FIGURES = {"skew10": "skew", "antihubs": "antihubs", "reachable": "reachable"}
#: Staging tables: new entries of existing lists, and the merged lists.
_ENTERING, _MERGED = "find_neighbours", "find_neighbours_lists"


@dataclass(frozen=True)
class _Songs:
    """Songs in a space, sorted by id.

    Attributes
    ----------
    weight : factor of the local scales that are subtracted from squared distances; 0 without correction.
    vectors, expected, fingerprint, fitted : one row or element per song.
    scale : local scale per song, NaN where it has to be computed; None without correction.
    stored : rows of ``neighbour_songs`` of this space without their vectors, indexed by ``song_id``.
    """

    space_id: str
    space: Space
    weight: float
    ids: np.ndarray
    vectors: Vectors
    expected: Floats
    fingerprint: np.ndarray
    fitted: np.ndarray
    scale: Floats | None
    stored: pd.DataFrame


def run(store: Store, config: Config) -> Counts:
    """Write neighbour lists of new songs, and add new songs to the lists of others.

    A space is fitted once: it fixes the scales of the features and the songs that local scales are computed from. It is
    kept while songs are added, so that a list changes only where a new song is near. Counts are songs.

    Raises
    ------
    ConfigError : the store has no such feature set, or songs cannot be compared by it.
    InputError : fewer than two songs have features, or no feature varies.
    """
    for left in [*store.staged(_ENTERING), *store.staged(_MERGED)]:
        left.drop()  # left by a killed run; this run repeats its work
    snapshot = Snapshot(store)
    section = config.neighbours
    found = read_songs(snapshot, config)
    present = _present(store, config, found)
    songs = _place(store, config, found, present)
    found = replace(found, values=found.values[:0].copy())  # the matrix is held once, as vectors
    _remove_gone(store, songs)
    listed = _listed(store, config, songs)
    new = np.flatnonzero(~listed).astype(np.int32)
    lacking = np.zeros(0, np.int32) if songs.scale is None else np.flatnonzero(np.isnan(songs.scale)).astype(np.int32)
    scale, before = songs.scale, None
    if len(new) or len(lacking):  # else nothing is sent to the workers
        files = SongFiles(store.spark, section, songs.ids, songs.vectors, songs.expected)
    if scale is not None and len(lacking):
        scale = scale.copy()
        scale[lacking], before = files.scales(lacking, np.flatnonzero(songs.fitted).astype(np.int32))
    pull = None if scale is None else songs.weight * scale
    _write_songs(store, config, songs, scale, read_keys(snapshot, config, songs.ids))
    recall, notes = present["recall10"] if present else 1.0, [*found.notes]
    entered = 0
    if len(new):
        everybody = np.arange(len(songs.ids), dtype=np.int32)
        old = np.flatnonzero(listed).astype(np.int32)
        if len(old):
            entered = _enter(store, files, songs, pull, old, new, section.per_song)
        lists = files.lists(new, everybody, pull)
        for frame in lists.frames:
            store.append(SONG_NEIGHBOURS, frame.withColumn("space_id", F.lit(songs.space_id)))
        recall = min(recall, lists.recall10)
        notes += [lists.note] if lists.note else []
    row = _space_row(store, config, found, songs, present) | {"recall10": recall}
    if len(new) or present is None or any(row[name] != present[name] for name in ("n_songs", "sequence")):
        judged = _judge(store, config, songs)
        earlier = judge_lists(before) if before is not None and len(before) == len(songs.ids) else None
        row |= {name: getattr(judged, figure) for name, figure in _FIGURES.items()}
        if present is None and not songs.weight:
            earlier = judged
        if earlier is not None:
            row |= {f"{name}_before": getattr(earlier, figure) for name, figure in _FIGURES.items()}
        row |= {"input_versions": snapshot.read_versions, "made_at": datetime.now(UTC), "run_id": store.run_id}
        store.upsert(NEIGHBOUR_SPACES, [row | {"git_commit": git_commit()}], update=True)
        notes += _said(row, entered)
    if present is None:
        _remove_old(store, songs.space_id, found)
    if found.left_out:
        notes.append(f"{found.left_out} songs have no finite feature value, and therefore no neighbours")
    return Counts(len(songs.ids), len(new), 0, len(songs.ids) - len(new), tuple(notes))


def _said(row: Row, entered: int) -> list[str]:
    def words(suffix: str) -> str:
        skew, antihubs, reachable = (row[f"{name}{suffix}"] for name in _FIGURES)
        return f"skew@10 {skew:.2f}, antihubs {antihubs:.1%}, reachable {reachable:.1%}"

    after = f"after correction by {row['scale_weight']:g} of the local scales" if row["scale_weight"] else "uncorrected"
    lines = [f"hubness {after}: {words('')}"]
    if row["scale_weight"] and row.get("skew10_before") is not None:
        lines.insert(0, f"hubness before correction, when the space was fitted: {words('_before')}")
    if entered:
        lines.append(f"new songs entered the lists of {entered} other songs")
    return lines


def _present(store: Store, config: Config, found: SongValues) -> Row | None:
    """Row of the stored space if it is still valid for these songs and settings; None if a space has to be fitted."""
    same = {
        "set_version": found.set_version,
        "preprocessing_id": found.preprocessing_id,
        "correction": config.neighbours.correction,
    }
    rows = store.read(NEIGHBOUR_SPACES).where(F.col("feature_set") == found.feature_set)
    for one in rows.orderBy(F.desc("sequence")).limit(1).collect():  # contents of earlier spaces are removed
        row = one.asDict()
        if any(row[name] != value for name, value in same.items()):
            return None
        settings = json.loads(row["settings"])
        stays = settings["version"] == VERSION and settings["per_song"] == config.neighbours.per_song
        stays = stays and settings["exclude"] == list(config.neighbours.exclude)
        if stays and len(found.song_ids) <= config.neighbours.refit_growth * row["n_fitted"]:
            return row
    return None


def _place(store: Store, config: Config, found: SongValues, present: Row | None) -> _Songs:
    """Songs as vectors in the present space, or in a newly fitted space if there is none."""
    if present is None:
        space, vectors = fit_space(found.values, found.features)
        if not space.features:
            raise InputError(
                f"{found.feature_set}: all features are the same for every song, so distances cannot be compared. "
                "Name another neighbours.feature_set."
            )
        whole = hashlib.sha256(vectors.tobytes())
        whole.update("\n".join(found.song_ids.tolist()).encode())
        weight = 0.0 if config.neighbours.correction == "none" else choose_weight(vectors, config.neighbours.seed)
        facts = (found.feature_set, found.set_version, found.preprocessing_id, *space.features)
        settings = (VERSION, config.neighbours.correction, config.neighbours.per_song)
        space_id = stable_id("space", *settings, *facts, space.centre.tobytes().hex(), whole.hexdigest())
    else:
        centre, spread, mean = (np.array(present[name], dtype=np.float64) for name in ("centre", "spread", "mean"))
        weight = present["scale_weight"]
        space = Space(tuple(present["features"]), centre, spread, mean, present["variance"])
        kept = [found.features.index(name) for name in space.features]
        vectors, space_id = to_vectors(found.values[:, kept], space), present["space_id"]
    rows = store.read(NEIGHBOUR_SONGS).where(F.col("space_id") == space_id).drop("space_id", "vector")
    stored = fetch(rows, "song_id", config.store.max_commit_mb, 300).to_pandas().set_index("song_id")
    mine = stored.reindex(found.song_ids)
    fingerprint = np.array([hashlib.md5(v.tobytes(), usedforsecurity=False).hexdigest() for v in vectors])
    scale = np.where(mine.fingerprint.to_numpy() == fingerprint, mine.local_scale.to_numpy(dtype=np.float64), np.nan)
    return _Songs(
        space_id=space_id,
        space=space,
        weight=weight,
        ids=found.song_ids,
        vectors=vectors,
        expected=expected_distance(vectors, space),
        fingerprint=fingerprint,
        fitted=np.full(len(vectors), True) if present is None else (mine.fitted == True).to_numpy(),  # noqa: E712
        scale=scale if weight else None,
        stored=stored,
    )


def _remove_gone(store: Store, songs: _Songs) -> None:
    """Delete the lists of songs that are gone or whose features changed, and all lists that contain such songs.

    Deleted lists of remaining songs are computed again.
    """
    now = pd.Series(songs.fingerprint, index=songs.ids).reindex(songs.stored.index)
    gone = songs.stored.index[(now != songs.stored.fingerprint).to_numpy()]
    if not len(gone):
        return
    spark, space = store.spark, F.lit(songs.space_id).alias("space_id")
    ids = spark.createDataFrame(pa.table({"song_id": pa.array(gone.astype(str))}))
    rows = store.read(SONG_NEIGHBOURS).where(F.col("space_id") == songs.space_id)
    holding = rows.join(ids.withColumnRenamed("song_id", "neighbour_song_id"), "neighbour_song_id", "left_semi")
    lists = holding.select("song_id").union(ids.select("song_id")).distinct()
    store.delete(SONG_NEIGHBOURS, lists.select(space, "song_id"))
    left = gone[~gone.isin(songs.ids)]
    if len(left):
        ids = spark.createDataFrame(pa.table({"song_id": pa.array(left.astype(str))}))
        store.delete(NEIGHBOUR_SONGS, ids.select(space, "song_id"))


def _listed(store: Store, config: Config, songs: _Songs) -> np.ndarray:
    """Boolean mask of the songs that have lists, of shape (n_songs,)."""
    rows = store.read(SONG_NEIGHBOURS).where((F.col("space_id") == songs.space_id) & (F.col("rank") == 1))
    ids = fetch(rows.select("song_id"), "song_id", config.store.max_commit_mb).column("song_id")
    listed = np.zeros(len(songs.ids), dtype=bool)
    places = to_places(ids, songs.ids)
    listed[places[places >= 0]] = True
    return listed


def _enter(store: Store, files: SongFiles, songs: _Songs, pull: Floats | None, old: Places, new: Places, k: int) -> int:
    """Add new songs to the lists of others; return the number of changed lists.

    It runs before the new songs get lists of their own, so that a run after a killed one repeats it.
    """
    rows = store.read(SONG_NEIGHBOURS).where(F.col("space_id") == songs.space_id)
    last = rows.groupBy("song_id").agg(F.max("corrected").alias("corrected"), F.count(F.lit(1)).alias("n"))
    bound = np.full(len(songs.ids), np.inf)
    for part in fetch_parts(last, "song_id", store.settings.max_commit_mb, 60):
        full = part.filter(pc.greater_equal(part.column("n"), k))
        places = to_places(full.column("song_id"), songs.ids)
        bound[places[places >= 0]] = full.column("corrected").to_numpy()[places >= 0]
    staged = store.stage(files.entering(old, new, pull, bound[old]), _ENTERING, "entering")
    entering = staged.frame
    changed = entering.select("song_id").distinct()
    n = changed.count()
    if n:
        lists = merged(rows.join(changed, "song_id", "left_semi"), entering, k)
        whole = lists.withColumn("space_id", F.lit(songs.space_id)).select(*SONG_NEIGHBOURS.column_names)
        both = store.stage(whole, _MERGED, "merged")
        store.upsert(SONG_NEIGHBOURS, both.frame, update=True)
        both.drop()
    staged.drop()
    return n


def _write_songs(store: Store, config: Config, songs: _Songs, scale: Floats | None, keys: pd.DataFrame) -> None:
    """Write songs that are new or whose keys (recording, artist, album) changed."""
    stored = songs.stored.reindex(songs.ids)
    same = stored.fingerprint.to_numpy() == songs.fingerprint
    for name in ("recording", "artist", "album"):
        there, now = stored[name].to_numpy(dtype=object), keys[name].to_numpy(dtype=object)
        same &= (there == now) | (pd.isna(there) & pd.isna(now))
    changed = np.flatnonzero(~same)
    width = songs.vectors.shape[1]
    most = max(1, (config.store.max_commit_mb << 20) // (4 * width + 300))
    for start in range(0, len(changed), most):
        part = changed[start : start + most]
        flat = pa.array(songs.vectors[part].ravel())
        table = pa.table(
            {
                "space_id": pa.array([songs.space_id] * len(part)),
                "song_id": pa.array(songs.ids[part]),
                "vector": pa.ListArray.from_arrays(np.arange(len(part) + 1, dtype=np.int32) * width, flat),
                "fingerprint": pa.array(songs.fingerprint[part]),
                "fitted": pa.array(songs.fitted[part]),
                "expected": pa.array(songs.expected[part]),
                "local_scale": pa.nulls(len(part), pa.float64()) if scale is None else pa.array(scale[part]),
                **{name: pa.array(keys[name].to_numpy(dtype=object)[part], pa.string()) for name in keys},
            }
        )
        frame = store.spark.createDataFrame(table, store.schema(NEIGHBOUR_SONGS))
        store.upsert(NEIGHBOUR_SONGS, frame, update=True)


def _space_row(store: Store, config: Config, found: SongValues, songs: _Songs, present: Row | None) -> Row:
    newest = store.read(NEIGHBOUR_SPACES).agg(F.max("sequence")).collect()[0][0] or 0
    row = dict(present) if present else {"n_fitted": len(songs.ids), "sequence": 0}
    if row["sequence"] != newest or not newest:
        row["sequence"] = newest + 1  # the newest sequence is the present space
    settings = config.neighbours.model_dump(mode="json", exclude={"shared_path", "max_matrix_mb"})
    return row | {
        "space_id": songs.space_id,
        "feature_set": found.feature_set,
        "set_version": found.set_version,
        "preprocessing_id": found.preprocessing_id,
        "features": list(songs.space.features),
        "centre": songs.space.centre.tolist(),
        "spread": songs.space.spread.tolist(),
        "scale_weight": songs.weight,
        "mean": songs.space.mean.tolist(),
        "variance": songs.space.variance,
        "clip": found.clip,
        "correction": config.neighbours.correction,
        "settings": json.dumps(settings | {"version": VERSION}, sort_keys=True),
        "n_songs": len(songs.ids),
        "n_left_out": found.left_out,
    }


def _judge(store: Store, config: Config, songs: _Songs) -> Hubness:
    """Hubness of the stored lists."""
    rows = store.read(SONG_NEIGHBOURS).where((F.col("space_id") == songs.space_id) & (F.col("rank") <= JUDGED))
    lists = np.full((len(songs.ids), JUDGED), -1, dtype=np.int32)
    wanted = rows.select("song_id", "rank", "neighbour_song_id")
    for part in fetch_parts(wanted, "song_id", config.store.max_commit_mb, 100):
        one, other = (to_places(part.column(name), songs.ids) for name in ("song_id", "neighbour_song_id"))
        lists[one, part.column("rank").to_numpy() - 1] = other
    return judge_lists(lists)


def _remove_old(store: Store, space_id: str, found: SongValues) -> None:
    """Remove songs and lists of earlier spaces of this feature set and of spaces left unfinished by killed runs."""
    spaces = store.read(NEIGHBOUR_SPACES)
    others = spaces.where((F.col("feature_set") != found.feature_set) | (F.col("space_id") == space_id))
    kept = [row[0] for row in others.select("space_id").collect()]
    for table in (SONG_NEIGHBOURS, NEIGHBOUR_SONGS):
        old = store.read(table).select("space_id").distinct().where(~F.col("space_id").isin(kept))
        if ids := [row[0] for row in old.collect()]:
            store.delete(table, store.spark.createDataFrame(pa.table({"space_id": pa.array(ids)})))
