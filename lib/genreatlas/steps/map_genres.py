"""Compute the map of genres from the features of their songs: profiles, places, neighbours, regions, parents."""

import hashlib
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files

import numpy as np
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.atlas.drawing import (
    FEWEST,
    VERSION,
    Charted,
    Drawn,
    chart,
    draw_labelled,
    draw_shares,
    draw_sound,
    draw_tree,
)
from genreatlas.atlas.genealogy import Tree
from genreatlas.atlas.lenses import Shares, agreement, artist_shares, confusion_shares
from genreatlas.atlas.positions import MIN_LABELLED
from genreatlas.atlas.profiles import Floats, Ints
from genreatlas.atlas.reading import GenreSongs, read_coordinates, read_genre_songs
from genreatlas.atlas.rows import (
    evolution_rows,
    neighbour_rows,
    number_or_null,
    profile_rows,
    region_rows,
    tree_rows,
    typical_rows,
)
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.library import parents_of
from genreatlas.errors import InputError
from genreatlas.evaluation.genre_confusions import read_confusions
from genreatlas.ids import stable_id
from genreatlas.provenance import git_commit, package_code
from genreatlas.sources.influences import Influence, Influences, read_influences
from genreatlas.store import Snapshot, Store
from genreatlas.tables import (
    GENRE_EVOLUTION,
    GENRE_NEIGHBOURS,
    GENRE_POSITIONS,
    GENRE_PROFILES,
    GENRE_REGIONS,
    GENRE_TREE,
    GENRE_TYPICAL_SONGS,
    MAP_COMPARISONS,
    MAPS,
)
from genreatlas.values import Row

READS = (
    "songs", "song_artists", "song_genres", "genre_parents", "clips", "genres", "feature_sets", "features_<set>",
    "vectors_<set>", "models", "experiments", "predictions", "maps", "genre_positions", "map_comparisons",
    "recording_links",
)  # fmt: skip
WRITES = (
    "genre_profiles", "maps", "genre_positions", "genre_neighbours", "genre_regions", "genre_tree", "map_comparisons",
    "genre_evolution", "genre_typical_songs",
)  # fmt: skip
SECTIONS = ("map",)
check = checks.map_genres

#: Sections that affect maps: [splits] defines copies of a recording, [train] the model of the confusion lens.
_FOLLOWS = ("map", "splits", "train")
#: Version recorded for a table that does not exist.
_ABSENT = -1


@dataclass(frozen=True)
class Lens:
    """Input of one map.

    Attributes
    ----------
    content : bytes of the input besides the profiles; part of the map's id.
    placed : indices of the genres on the map in the list of all genres.
    draw : function that draws the map, starting from the positions (n_placed, 2) on the last map, or None.
    model_id, n_songs : as in ``maps``.
    """

    content: bytes
    placed: Ints
    draw: Callable[[Floats | None], Drawn]
    n_songs: int
    model_id: str | None = None


def run(store: Store, config: Config) -> Counts:
    """Draw a map for each lens of ``[map]`` whose input has changed.

    Counts are maps. If too few genres have enough songs, no map is drawn, and a note reports it.

    Raises
    ------
    ConfigError : the store has no such feature set, genres cannot be compared by it, or ``map.model`` cannot be used.
    InputError : no song has features and a genre.
    """
    lenses = len(config.map.lenses)
    if _up_to_date(store, config):
        return Counts(read=lenses, skipped=lenses, notes=("maps: unchanged, because their inputs have not changed",))
    snapshot = Snapshot(store)
    found = read_genre_songs(snapshot, config)
    parents = {genre: parent for genre, (parent, _) in parents_of(snapshot).items()}
    influences, notes = _influences(config, found)
    try:
        charted = chart(found.songs, found.genre_ids, found.names, config.map, parents, found.years, influences)
    except InputError as lacks:  # no error, so that a small library still gets a report
        return Counts(read=lenses, skipped=lenses, notes=(*found.notes, *notes, f"no map: {lacks}"))
    left_out = len(found.genre_ids) - len(charted.placed)
    notes = [*found.notes, *notes]
    if left_out:
        notes.append(f"{left_out} genres have fewer than {config.map.min_songs} songs and are not on the map")
    if not _has(store, charted.profile_id):
        tree = draw_tree(charted, found.songs, found.names, config.map)
        if tree is None:
            notes.append("tree: no genre has a known parent, by genre_parents, map.influences or its name")
        elif math.isnan(tree.hits[0]):
            notes.append(
                f"tree: {int(tree.drawn.sum())} of {len(charted.placed)} genres have a parent, all of them known: too "
                "few are known to learn the others"
            )
        else:
            notes.append(
                f"tree: {int(tree.drawn.sum())} of {len(charted.placed)} genres have a parent; of the known parents "
                f"of held-out genres, the model ranks {tree.hits[0]:.0%} first and {tree.hits[1]:.0%} among the first "
                "three"
            )
        _write_profiles(store, config, found, charted, tree)
    written = 0
    for name in dict.fromkeys(config.map.lenses):
        lens = _LENSES[name](snapshot, config, found, charted)
        if isinstance(lens, str):
            notes.append(f"{name}: {lens}")
            continue
        present = _present(store, name)
        method = "" if name == "labelled" else config.map.method
        content = (name, charted.profile_id, method, hashlib.sha256(lens.content).hexdigest())
        if present and present["map_id"] == _map_id(content, present["started_from"]):
            continue
        last = None if name == "labelled" or not present else present["map_id"]
        drawn = lens.draw(_last_places(store, found, lens.placed, last))
        row: Row = {
            "map_id": _map_id(content, last),
            "profile_id": charted.profile_id,
            "lens": name,
            "sequence": present["sequence"] + 1 if present else 1,
            "started_from": last,
            "input_versions": snapshot.read_versions,
            "model_id": lens.model_id,
            "n_songs": lens.n_songs,
        }
        if name == "sound" and charted.ages is not None:
            store.upsert(
                GENRE_EVOLUTION, list(evolution_rows(config, found, charted, drawn, row["map_id"])), update=True
            )
        _write_map(store, config, found, drawn, row)
        notes.append(_said(name, charted, drawn))
        written += 1
    notes += _compare(store, config)
    _keep_inputs(store, config, snapshot)
    return Counts(read=lenses, written=written, skipped=lenses - written, notes=tuple(notes))


def _up_to_date(store: Store, config: Config) -> bool:
    """Whether a completed run had the same tables, settings and code, so that this run would change nothing."""
    present = [row for name in dict.fromkeys(config.map.lenses) if (row := _present(store, name))]
    now = _settings_id(config)
    return any(
        row["checked_by"] == now
        and all((_ABSENT if (v := store.version(name)) is None else v) == version for name, version in known.items())
        for row in present
        if (known := row["checked_versions"])
    )


def _keep_inputs(store: Store, config: Config, snapshot: Snapshot) -> None:
    """Record on the present maps the table versions and settings with which they are up to date."""
    versions = {name: _ABSENT if version is None else version for name, version in sorted(snapshot.versions.items())}
    now = _settings_id(config)
    present = [row for name in dict.fromkeys(config.map.lenses) if (row := _present(store, name))]
    rows = [
        row | {"checked_by": now, "checked_versions": versions}
        for row in present
        if (row["checked_by"], row["checked_versions"]) != (now, versions)
    ]
    if rows:
        store.upsert(MAPS, rows, update=True, compare=("checked_by", "checked_versions"))


def _settings_id(config: Config) -> str:
    """Hash of the inputs of maps besides tables: configuration, imported influences and code."""
    sections = (getattr(config, name).model_dump_json() for name in _FOLLOWS)
    influences = config.map.influences
    table = "" if influences is None else hashlib.sha256(influences.read_bytes()).hexdigest()
    return stable_id("map inputs", VERSION, *sections, table, *package_code(files("genreatlas.atlas")))


def _influences(config: Config, found: GenreSongs) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs (genre, origin) from the imported table and the configuration, and lines for the summary."""
    rows = tuple(Influence(genre, origin) for genre, origin in config.map.origins.items())
    table = Influences(rows, ())
    if config.map.influences is not None:
        read = read_influences(config.map.influences)
        table = Influences((*read.rows, *rows), read.notes)
    if not table.rows:
        return [], []
    pairs = table.among(zip(found.genre_ids, found.names, strict=True))
    said = f"influences: {len(pairs)} of {len(table.rows)} pairs have genres with songs"
    return pairs, [*table.notes, said]


def _sound(_: Snapshot, config: Config, found: GenreSongs, charted: Charted) -> Lens:
    return Lens(
        b"", charted.placed, lambda last: draw_sound(charted, found.songs, config.map, last), _recordings(found)
    )


def _labelled(store: Snapshot, config: Config, found: GenreSongs, charted: Charted) -> Lens | str:
    coordinates = read_coordinates(store, tuple(found.genre_ids[genre] for genre in charted.placed))
    known = int(np.isfinite(coordinates).all(axis=1).sum())
    if known < MIN_LABELLED:
        return f"too few genres have coordinates of Every Noise: {known} of {MIN_LABELLED} (scrape_genres reads them)"
    content = coordinates.tobytes()
    return Lens(content, charted.placed, lambda _: draw_labelled(charted, coordinates, config.map), _recordings(found))


def _artists(_: Snapshot, config: Config, found: GenreSongs, charted: Charted) -> Lens | str:
    settings = config.map
    shares = artist_shares(found.songs, charted.placed, settings.artist_share, settings.half_samples, settings.seed)
    if len(shares.placed) < FEWEST:
        return f"{len(shares.placed)} genres share artists with others; a map needs {FEWEST}"
    return _of_shares(shares, config)


def _confusion(store: Snapshot, config: Config, found: GenreSongs, charted: Charted) -> Lens | str:
    confusions = read_confusions(store, config, found.genre_ids)
    if confusions is None:
        return "no model with probabilities was evaluated on held-out songs (run train_models and evaluate_models)"
    shares = confusion_shares(confusions.sums, confusions.songs, charted.placed)
    if len(shares.placed) < FEWEST:
        return f"{len(shares.placed)} genres have held-out songs scored by {confusions.name}; a map needs {FEWEST}"
    return _of_shares(shares, config, confusions.model_id)


def _of_shares(shares: Shares, config: Config, model_id: str | None = None) -> Lens | str:
    if not shares.differ:
        return f"all {len(shares.placed)} genres have the same shares"
    return Lens(
        shares.content, shares.placed, lambda last: draw_shares(shares, config.map, last), shares.n_songs, model_id
    )


def _recordings(found: GenreSongs) -> int:
    return len(np.unique(found.songs.recording))


#: Per lens, a function that returns its input, or the reason why it cannot be drawn.
_LENSES: dict[str, Callable[[Snapshot, Config, GenreSongs, Charted], Lens | str]] = {
    "sound": _sound,
    "labelled": _labelled,
    "confusion": _confusion,
    "artists": _artists,
}


def _said(lens: str, charted: Charted, drawn: Drawn) -> str:
    line = f"{lens}: {len(drawn.placed)} genres in {len(charted.coarse_names)} regions, by {drawn.method}"
    if drawn.axes_r2:
        return f"{line}; held-out R2 of the axes {drawn.axes_r2[0]:.2f}, {drawn.axes_r2[1]:.2f}"
    if drawn.trustworthiness is not None and math.isfinite(drawn.trustworthiness):
        line += f"; trustworthiness {drawn.trustworthiness:.3f}, continuity {drawn.continuity:.3f}"
    return line


def _compare(store: Store, config: Config) -> list[str]:
    """Compare pairs of present maps that were not compared before; return one line per comparison."""
    maps = {name: row["map_id"] for name in _LENSES if (row := _present(store, name))}
    known = store.read(MAP_COMPARISONS).where(F.col("map_id").isin(list(maps.values())))
    done = {(row["map_id"], row["other_map_id"]) for row in known.select("map_id", "other_map_id").collect()}
    wanted = [pair for pair in itertools.combinations(maps, 2) if (maps[pair[0]], maps[pair[1]]) not in done]
    if not wanted:
        return []
    rows = store.read(GENRE_POSITIONS).where(F.col("map_id").isin(list(maps.values()))).toPandas()
    places = rows.pivot(index="genre_id", columns="map_id", values=["x", "y"])
    lines, written = [], []
    for one, other in wanted:
        here, there = (places.xs(maps[lens], axis=1, level="map_id")[["x", "y"]] for lens in (one, other))
        agreed = agreement(here.to_numpy(dtype=np.float64), there.to_numpy(dtype=np.float64), config.map.seed)
        if agreed is None:
            continue
        written.append({"map_id": maps[one], "other_map_id": maps[other]} | asdict(agreed))
        lines.append(
            f"{one} and {other}: Mantel {agreed.mantel:.2f} (chance {agreed.mantel_chance:.2f}), Procrustes R2 "
            f"{agreed.procrustes_r2:.2f} (chance {agreed.procrustes_chance:.2f}) over {agreed.n_genres} genres"
        )
    store.upsert(MAP_COMPARISONS, written)
    return lines


def _map_id(content: tuple[str, ...], started_from: str | None) -> str:
    return stable_id("map", VERSION, *content, started_from or "")


def _has(store: Store, profile_id: str) -> bool:
    """Whether the profiles are written completely. Regions are written last."""
    return bool(store.read(GENRE_REGIONS).where(F.col("profile_id") == profile_id).limit(1).count())


def _present(store: Store, lens: str) -> Row | None:
    """Row of ``maps`` with the newest map of a lens; None if there is none."""
    rows = store.read(MAPS).where(F.col("lens") == lens).orderBy(F.desc("sequence")).limit(1).collect()
    return rows[0].asDict() if rows else None


def _last_places(store: Store, found: GenreSongs, placed: Ints, map_id: str | None) -> Floats | None:
    """Positions of genres on a stored map, of shape (n_placed, 2); NaN for genres that it does not contain."""
    if map_id is None:
        return None
    rows = store.read(GENRE_POSITIONS).where(F.col("map_id") == map_id).select("genre_id", "x", "y")
    known = rows.toPandas().set_index("genre_id")
    return known.reindex([found.genre_ids[g] for g in placed])[["x", "y"]].to_numpy(dtype=np.float64)


def _write_profiles(store: Store, config: Config, found: GenreSongs, charted: Charted, tree: Tree | None) -> None:
    store.upsert(GENRE_PROFILES, list(profile_rows(found, charted)))
    store.upsert(GENRE_NEIGHBOURS, list(neighbour_rows(found, charted)))
    if tree is not None:
        store.upsert(GENRE_TREE, list(tree_rows(found, charted, tree)))
    if not config.map.genre_means:  # with genre means, rows are genres, not songs
        store.upsert(GENRE_TYPICAL_SONGS, list(typical_rows(found, charted)))
    store.upsert(GENRE_REGIONS, list(region_rows(found, charted)))


def _write_map(store: Store, config: Config, found: GenreSongs, drawn: Drawn, row: Row) -> None:
    """Write the positions, and then the row of ``maps``, from which readers start."""
    places = [
        {
            "map_id": row["map_id"],
            "genre_id": found.genre_ids[genre],
            "genre": found.names[genre],
            "x": float(drawn.places[place, 0]),
            "y": float(drawn.places[place, 1]),
            "instability": number_or_null(drawn.instability[place]),
            "known": None if drawn.known is None else bool(drawn.known[place]),
        }
        for place, genre in enumerate(drawn.placed)
    ]
    store.upsert(GENRE_POSITIONS, places, update=True)
    r2 = drawn.axes_r2 or (None, None)
    facts = {
        "feature_set": found.feature_set,
        "set_version": found.set_version,
        "features": list(found.features),
        "method": drawn.method,
        "settings": json.dumps(config.map.model_dump(mode="json"), sort_keys=True),
        "n_genres": len(drawn.placed),
        "n_left_out": len(found.genre_ids) - len(drawn.placed),
        "trustworthiness": number_or_null(drawn.trustworthiness),
        "continuity": number_or_null(drawn.continuity),
        "moved": number_or_null(drawn.moved),
        "axes_r2_x": number_or_null(r2[0]),
        "axes_r2_y": number_or_null(r2[1]),
        "made_at": datetime.now(UTC),
        "git_commit": git_commit(),
        "run_id": store.run_id,
    }
    store.upsert(MAPS, [row | facts])
