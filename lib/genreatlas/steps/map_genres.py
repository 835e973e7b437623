"""Draw the map of genres from what their songs sound like: profiles, places, neighbours, regions, parents."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.atlas.drawing import VERSION, Charted, Drawn, chart, draw_labelled, draw_sound, draw_tree
from genreatlas.atlas.genealogy import Tree
from genreatlas.atlas.reading import GenreSongs, read_coordinates, read_genre_songs
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.library import parents_of
from genreatlas.ids import stable_id
from genreatlas.provenance import git_commit
from genreatlas.store import Snapshot, Store
from genreatlas.tables import GENRE_NEIGHBOURS, GENRE_POSITIONS, GENRE_PROFILES, GENRE_REGIONS, GENRE_TREE, MAPS

READS = (
    "songs", "song_artists", "song_genres", "genre_parents", "clips", "genres", "feature_sets", "features_<set>",
    "vectors_<set>",
)  # fmt: skip
WRITES = ("genre_profiles", "maps", "genre_positions", "genre_neighbours", "genre_regions", "genre_tree")
SECTIONS = ("map",)
check = checks.map_genres


def run(store: Store, config: Config) -> Counts:
    """Draw the lenses of ``[map]``; a lens whose present map shows the same profiles is left as it is.

    Counts are maps.

    Raises
    ------
    ConfigError : the store has no such feature set, or genres cannot be compared by it.
    InputError : too few genres have enough songs.
    """
    snapshot = Snapshot(store)
    found = read_genre_songs(snapshot, config)
    parents = {genre: parent for genre, (parent, _) in parents_of(snapshot).items()}
    charted = chart(found.songs, found.genre_ids, found.names, config.map, parents)
    left_out = len(found.genre_ids) - len(charted.placed)
    notes = [*found.notes]
    if left_out:
        notes.append(f"{left_out} genres have fewer than {config.map.min_songs} songs and are not on the map")
    if not _has(store, charted.profile_id):
        tree = draw_tree(charted, found.songs, found.names, config.map)
        if tree is None:
            notes.append("tree: too few genres have parents that are known, by genre_parents or by their names")
        _write_profiles(store, found, charted, tree)
    written = 0
    for lens in config.map.lenses:
        coordinates = _coordinates(snapshot, found, charted) if lens == "labelled" else None
        present = _present(store, lens)
        content = (lens, charted.profile_id, "" if coordinates is None else coordinates.tobytes().hex())
        if present and present["map_id"] == _map_id(content, present["started_from"]):
            continue
        if coordinates is None:
            drawn = draw_sound(charted, found.songs, config.map, _last_places(store, found, charted, present))
        elif (labelled := draw_labelled(charted, coordinates, config.map)) is not None:
            drawn = labelled
        else:
            notes.append("labelled: too few genres have coordinates of Every Noise (scrape_genres reads them)")
            continue
        started_from = present["map_id"] if present and coordinates is None else None
        row = {
            "map_id": _map_id(content, started_from),
            "profile_id": charted.profile_id,
            "lens": lens,
            "sequence": present["sequence"] + 1 if present else 1,
            "started_from": started_from,
            "input_versions": snapshot.read_versions,
        }
        _write_map(store, config, found, charted, drawn, row)
        notes.append(_said(lens, charted, drawn))
        written += 1
    lenses = len(config.map.lenses)
    return Counts(read=lenses, written=written, skipped=lenses - written, notes=tuple(notes))


def _said(lens: str, charted: Charted, drawn: Drawn) -> str:
    line = f"{lens}: {len(charted.placed)} genres in {len(charted.coarse_names)} regions, by {drawn.method}"
    if drawn.axes_r2:
        return f"{line}; held-out R2 of the axes {drawn.axes_r2[0]:.2f}, {drawn.axes_r2[1]:.2f}"
    if drawn.trustworthiness is not None and math.isfinite(drawn.trustworthiness):
        line += f"; trustworthiness {drawn.trustworthiness:.3f}, continuity {drawn.continuity:.3f}"
    return line


def _map_id(content: tuple[str, ...], started_from: str | None) -> str:
    return stable_id("map", VERSION, *content, started_from or "")


def _has(store: Store, profile_id: str) -> bool:
    """Whether the profiles were written, with all that belongs to them: regions come last."""
    return bool(store.read(GENRE_REGIONS).where(F.col("profile_id") == profile_id).limit(1).count())


def _present(store: Store, lens: str) -> dict[str, Any] | None:
    """Row of ``maps`` of a lens's present map."""
    rows = store.read(MAPS).where(F.col("lens") == lens).orderBy(F.desc("sequence")).limit(1).collect()
    return rows[0].asDict() if rows else None


def _last_places(
    store: Store, found: GenreSongs, charted: Charted, present: dict[str, Any] | None
) -> np.ndarray | None:
    """Places of the placed genres on a map; NaN for those that it has not."""
    if present is None:
        return None
    rows = store.read(GENRE_POSITIONS).where(F.col("map_id") == present["map_id"]).select("genre_id", "x", "y")
    known = rows.toPandas().set_index("genre_id")
    return known.reindex([found.genre_ids[g] for g in charted.placed])[["x", "y"]].to_numpy(dtype=np.float64)


def _coordinates(store: Snapshot, found: GenreSongs, charted: Charted) -> np.ndarray:
    return read_coordinates(store, tuple(found.genre_ids[genre] for genre in charted.placed))


def _write_profiles(store: Store, found: GenreSongs, charted: Charted, tree: Tree | None) -> None:
    store.upsert(GENRE_PROFILES, list(_profile_rows(found, charted)))
    store.upsert(GENRE_NEIGHBOURS, list(_neighbour_rows(found, charted)))
    if tree is not None:
        store.upsert(GENRE_TREE, list(_tree_rows(found, charted, tree)))
    store.upsert(GENRE_REGIONS, list(_region_rows(found, charted)))


def _profile_rows(found: GenreSongs, charted: Charted) -> Iterator[dict[str, Any]]:
    profiles = charted.profiles
    at = {int(genre): place for place, genre in enumerate(charted.placed)}
    for genre, (genre_id, name) in enumerate(zip(found.genre_ids, found.names, strict=True)):
        place = at.get(genre)
        row = {
            "profile_id": charted.profile_id,
            "genre_id": genre_id,
            "genre": name,
            "placed": place is not None,
            "n_songs": int(profiles.songs[genre]),
            "n_artists": int(profiles.artists[genre]),
            "effective_songs": _number(profiles.effective[genre]),
        }
        if place is not None:
            row |= {
                "own": _number(profiles.own[genre]),
                "mean": [_number(value) for value in profiles.mean[genre]],
                "spread": [_number(value) for value in profiles.spread[genre]],
                "region": int(charted.regions.coarse[place]),
                "subregion": int(charted.regions.fine[place]),
            }
        yield row


def _neighbour_rows(found: GenreSongs, charted: Charted) -> Iterator[dict[str, Any]]:
    ids = [found.genre_ids[genre] for genre in charted.placed]
    names = [found.names[genre] for genre in charted.placed]
    for place, others in enumerate(charted.neighbours):
        for rank, other in enumerate(others):
            yield {
                "profile_id": charted.profile_id,
                "genre_id": ids[place],
                "rank": rank + 1,
                "neighbour_id": ids[other],
                "neighbour": names[other],
                "distance": float(charted.distances[place, rank]),
                "similarity": float(charted.similarity[place, rank]),
            }


def _tree_rows(found: GenreSongs, charted: Charted, tree: Tree) -> Iterator[dict[str, Any]]:
    ids = [found.genre_ids[genre] for genre in charted.placed]
    names = [found.names[genre] for genre in charted.placed]
    for row, (child, parent) in enumerate(zip(tree.child, tree.parent, strict=True)):
        yield {
            "profile_id": charted.profile_id,
            "genre_id": ids[child],
            "rank": int(tree.rank[row]),
            "genre": names[child],
            "parent_id": ids[parent],
            "parent": names[parent],
            "probability": float(tree.probability[row]),
            "by_sound": _number(tree.by_sound[row]),
            "name_head": bool(tree.name_head[row]),
            "known": bool(tree.known[row]),
            "drawn": bool(tree.drawn[row]),
            "distance": float(tree.distance[row]),
            "size_difference": _number(tree.size_difference[row]),
            "artist_containment": _number(tree.artist_containment[row]),
        }


def _region_rows(found: GenreSongs, charted: Charted) -> Iterator[dict[str, Any]]:
    names = [found.names[genre] for genre in charted.placed]
    labels = charted.regions
    for resolution, of, named in (
        ("coarse", labels.coarse, charted.coarse_names),
        ("fine", labels.fine, charted.fine_names),
    ):
        for region, name in enumerate(named):
            members = np.flatnonzero(of == region)
            yield {
                "profile_id": charted.profile_id,
                "resolution": resolution,
                "region": region,
                "inside": int(labels.coarse[members[0]]) if resolution == "fine" else None,
                "name": name.name,
                "words": list(name.words),
                "largest": [names[genre] for genre in name.largest],
                "n_genres": len(members),
            }


def _write_map(
    store: Store, config: Config, found: GenreSongs, charted: Charted, drawn: Drawn, row: dict[str, Any]
) -> None:
    """Write the places, and then the row of ``maps``, without which nobody reads them."""
    places = [
        {
            "map_id": row["map_id"],
            "genre_id": found.genre_ids[genre],
            "genre": found.names[genre],
            "x": float(drawn.places[place, 0]),
            "y": float(drawn.places[place, 1]),
            "instability": _number(drawn.instability[place]),
            "known": None if drawn.known is None else bool(drawn.known[place]),
        }
        for place, genre in enumerate(charted.placed)
    ]
    store.upsert(GENRE_POSITIONS, places, update=True)
    r2 = drawn.axes_r2 or (None, None)
    facts = {
        "feature_set": found.feature_set,
        "set_version": found.set_version,
        "features": list(found.features),
        "method": drawn.method,
        "settings": json.dumps(config.map.model_dump(mode="json"), sort_keys=True),
        "n_genres": len(charted.placed),
        "n_left_out": len(found.genre_ids) - len(charted.placed),
        "n_songs": len(np.unique(found.songs.recording)),
        "trustworthiness": _number(drawn.trustworthiness),
        "continuity": _number(drawn.continuity),
        "moved": _number(drawn.moved),
        "axes_r2_x": _number(r2[0]),
        "axes_r2_y": _number(r2[1]),
        "made_at": datetime.now(UTC),
        "git_commit": git_commit(),
        "run_id": store.run_id,
    }
    store.upsert(MAPS, [row | facts])


def _number(value: float | None) -> float | None:
    """A number for a column; NULL where it is undefined."""
    return None if value is None or not math.isfinite(value) else float(value)
