"""Read the data of the map page from the store."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.audio.layouts import LAYOUTS
from genreatlas.audio.uris import FETCHED, uri_to_path
from genreatlas.config import Config
from genreatlas.config.joined import column_of, members_of
from genreatlas.report import map_lenses, sounds
from genreatlas.report.map_data import MOST_AUDIO, MapData, MapExample, MapGenre, MapMeasure, MapParent
from genreatlas.report.number_formats import missing, words
from genreatlas.report.queries import with_clip
from genreatlas.store import Reader
from genreatlas.tables import (
    ATLAS_TABLES,
    FEATURE_SETS,
    GENRE_EVOLUTION,
    GENRE_NEIGHBOURS,
    GENRE_POSITIONS,
    GENRE_PROFILES,
    GENRE_REGIONS,
    GENRE_TREE,
    GENRE_TYPICAL_SONGS,
    SONGS,
)
from genreatlas.values import Row, RowView

#: Input tables: the page is outdated when one of their versions changes.
INPUTS = ATLAS_TABLES
#: Maximum numbers of items per genre; with thousands of genres, more would make the page slow to open.
_NEIGHBOURS = 10
_PARENTS = 3
_MEASURES = 12
_SONGS, _SONGS_OF_MANY, _MANY = 5, 3, 2000
#: Columns of a profile with one value per feature.
_MOMENTS = ("mean", "spread")
#: Estimated first year of a genre, and its interval.
_AGE = ("born", "born_low", "born_high")
#: Minimum probability of a parent to be listed.
_LEAST_PROBABLE = 0.01
#: Maximum features of a set from which the most discriminative are chosen.
_FEATURES = 300
#: Length of an embedded example in seconds: 5 MB contain about forty.
_EXCERPT_S = 10.0
#: Maximum number of genres whose audio is read for embedding, largest first.
_EMBEDDED = 60
_NAMED = 12


def read_map(store: Reader, config: Config, accuracy: Mapping[str, float]) -> MapData | None:
    """Read the newest map of every lens with all data of the page; None if there is no map.

    Neighbours, regions, tree and profiles are those of the first lens; other lenses provide positions only.

    Parameters
    ----------
    store : the store.
    config : the configuration.
    accuracy : F1 of the classifier by genre_id, 0 to 1.
    """
    maps = map_lenses.present_maps(store)
    if maps.empty:
        return None
    first = maps.iloc[0]
    compared = map_lenses.agreement(store, str(first["map_id"]))
    profile_id = str(first["profile_id"])
    mine = F.col("profile_id") == profile_id
    measures, profiles = _profiles(store, first)
    ids = profiles["genre_id"].tolist()
    places = _places(store, maps["map_id"].tolist())
    near = store.read(GENRE_NEIGHBOURS).where(mine & (F.col("rank") <= _NEIGHBOURS))
    neighbours = near.select("genre_id", "rank", "neighbour_id", "distance").toPandas()
    tree = store.read(GENRE_TREE).where(mine & ((F.col("rank") <= _PARENTS) | F.col("drawn"))).toPandas()
    regions = store.read(GENRE_REGIONS).where(mine).select("resolution", "region", "name").toPandas()
    most = _SONGS if len(ids) < _MANY else _SONGS_OF_MANY
    typical = store.read(GENRE_TYPICAL_SONGS).where(mine & (F.col("rank") <= most))
    songs = _songs(store, typical.select("genre_id", "rank", "song_id"))
    if accuracy.keys() & set(ids):
        measures = [*measures, MapMeasure("accuracy", "F1 of the classifier")]
    examples = _examples(store, config, songs, profiles.sort_values(["n_songs", "genre_id"], ascending=[False, True]))
    near_of = {genre: list(zip(rows["neighbour_id"], rows["distance"], strict=True))
               for genre, rows in neighbours.sort_values("rank").groupby("genre_id")}  # fmt: skip
    parents_of, parent_of = _parents(tree)
    titles = {genre: tuple(map(_title, _records(rows))) for genre, rows in songs.groupby("genre_id")}
    moves = _evolution(store, str(first["map_id"]))
    if profiles["born"].notna().any():
        measures = [*measures, MapMeasure("born", "First years", "year")]
    means = json.loads(first["settings"]).get("genre_means", False)  # rows are genres: no numbers of songs
    genres = []
    for row in _records(profiles):
        genre_id = row["genre_id"]
        lying = {lens: places[map_id].get(genre_id) for lens, map_id in zip(maps["lens"], maps["map_id"], strict=True)}
        there = {lens: place for lens, place in lying.items() if place is not None}
        values = dict(row["values"])
        if genre_id in accuracy:
            values["accuracy"] = accuracy[genre_id]
        if (born := _known(row, "born")) is not None:
            values["born"] = born
        genres.append(
            MapGenre(
                genre_id,
                row["genre"],
                {lens: (place["x"], place["y"]) for lens, place in there.items()},
                {lens: place["instability"] for lens, place in there.items() if not missing(place["instability"])},
                frozenset(lens for lens, place in there.items() if place["known"] is False),
                0 if means else int(row["n_songs"]),
                int(row["region"]),
                int(row["subregion"]),
                values,
                near_of.get(genre_id, ()),
                parents_of.get(genre_id, ()),
                parent_of.get(genre_id),
                year=_known(row, "born"),
                year_span=_span(row),
                example=examples.get(genre_id),
                typical=titles.get(genre_id, ()),
                evolution=moves.get(genre_id, ()),
            )
        )
    return MapData(
        genres,
        [map_lenses.describe(row, compared) for row in _records(maps)],
        measures,
        _region_names(regions, "coarse"),
        _region_names(regions, "fine"),
        drawn_from=f"means of {first['feature_set']}" if means else f"the sound of {int(first['n_songs']):,} songs",
        tree_note=_tree_note(len(ids), len(parent_of), learnt=bool(tree["by_sound"].notna().any())),
        source=_source(store, maps),
        report_href="index.html",
        missing=tuple(_missing(store, config, maps, not tree.empty)),
    )


def _profiles(store: Reader, present: pd.Series) -> tuple[list[MapMeasure], pd.DataFrame]:
    """The most discriminative features, and one row per placed genre: genre_id, genre, n_songs, region, subregion,
    years, values (of these features)."""
    features = list(present["features"])
    described = _described(store, present)
    places = [place for place, name in enumerate(features) if name in described]
    step = max(1.0, len(places) / _FEATURES)
    places = [places[int(number * step)] for number in range(min(len(places), _FEATURES))]
    chosen = F.array(*map(F.lit, places)) if places else F.array().cast("array<int>")
    columns = [F.transform(chosen, partial(F.get, name)).alias(name) for name in _MOMENTS]
    rows = store.read(GENRE_PROFILES).where((F.col("profile_id") == present["profile_id"]) & F.col("placed"))
    kept = ["genre_id", "genre", "n_songs", "region", "subregion", *_AGE]
    found = rows.select(*kept, *columns).orderBy("genre_id").toPandas()
    mean, spread = (
        np.array([[np.nan if value is None else value for value in row] for row in found[name]], dtype=np.float64)
        for name in _MOMENTS
    )
    shown = most_discriminative(mean.reshape(len(found), -1), spread.reshape(len(found), -1), _MEASURES)
    named = [features[places[column]] for column in shown]
    values = [
        {name: float(row[column]) for name, column in zip(named, shown, strict=True) if math.isfinite(row[column])}
        for row in mean
    ]
    found = found.assign(values=pd.Series(values, index=found.index, dtype=object))
    return [MapMeasure(name, words(name).capitalize(), described[name]) for name in named], found


def _described(store: Reader, present: pd.Series) -> dict[str, str]:
    """Unit by name of dimension, for named features; dimensions of vectors are left out."""
    members = members_of(present["feature_set"])
    versions = members_of(present["set_version"])
    layouts = [layout.name for layout in LAYOUTS.values() if layout.by_column]
    rows = store.read(FEATURE_SETS).where(
        F.col("feature_set").isin(*members) & F.col("axis").isin(*layouts) & (F.col("kind") == "numeric")
    )
    found = {}
    for row in rows.select("feature_set", "set_version", "feature", "unit").collect():
        if (row["feature_set"], row["set_version"]) in zip(members, versions, strict=False):
            name = column_of(row["feature_set"], row["feature"]) if len(members) > 1 else row["feature"]
            found[name] = "" if row["unit"] in ("0..1", "1") else row["unit"]
    return found


def most_discriminative(mean: np.ndarray, spread: np.ndarray, most: int) -> list[int]:
    """Indices of the features with the largest ratio of variance between genres to variance within genres, ascending.

    Parameters
    ----------
    mean, spread : (n_genres, n_features) mean and (robust) standard deviation per genre, NaN where unknown.
    most : maximum number of features; constant features are never selected.
    """
    if not mean.size:
        return []
    known = np.isfinite(mean)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.where(known, mean, 0.0).sum(axis=0) / known.sum(axis=0)
        between = np.where(known, (mean - centre) ** 2, 0.0).sum(axis=0) / known.sum(axis=0)
        there = np.isfinite(spread)
        inside = np.where(there, spread, 0.0) ** 2
        inside = inside.sum(axis=0) / there.sum(axis=0)
        ratio = np.where(inside > 0, between / inside, between / (np.abs(centre) + 1e-9) ** 2)
    order = np.argsort(-np.nan_to_num(ratio, nan=-1.0), kind="stable")
    return sorted([int(column) for column in order if between[column] > 0][:most])


def _places(store: Reader, map_ids: Sequence[str]) -> dict[str, Row]:
    rows = store.read(GENRE_POSITIONS).where(F.col("map_id").isin(*map_ids))
    found: dict[str, Row] = {map_id: {} for map_id in map_ids}
    for row in _records(rows.select("map_id", "genre_id", "x", "y", "instability", "known").toPandas()):
        found[row["map_id"]][row["genre_id"]] = row
    return found


def _parents(tree: pd.DataFrame) -> tuple[dict[str, list[MapParent]], dict[str, str]]:
    """Possible parents by genre, and the parent in the drawn tree by genre."""
    found: dict[str, list[MapParent]] = {}
    drawn: dict[str, str] = {}
    for row in _records(tree.sort_values(["genre_id", "rank"])):
        if row["drawn"]:
            drawn[row["genre_id"]] = row["parent_id"]
        if row["drawn"] or row["probability"] >= _LEAST_PROBABLE:
            parent = MapParent(row["parent_id"], float(row["probability"]), _evidence(row))
            found.setdefault(row["genre_id"], []).append(parent)
    return found, drawn


def _known(row: RowView, name: str) -> float | None:
    value: Any = row.get(name)
    return None if missing(value) else float(value)


def _span(row: RowView) -> tuple[float, float] | None:
    low, high = _known(row, "born_low"), _known(row, "born_high")
    return None if low is None or high is None else (low, high)


def _evolution(store: Reader, map_id: str) -> dict[str, list[tuple[int, float, float]]]:
    """Decade, x and y by genre, in order of decades."""
    found: dict[str, list[tuple[int, float, float]]] = {}
    rows = store.read(GENRE_EVOLUTION).where(F.col("map_id") == map_id).select("genre_id", "decade", "x", "y")
    for row in rows.orderBy("genre_id", "decade").collect():
        found.setdefault(row["genre_id"], []).append((row["decade"], row["x"], row["y"]))
    return found


def _evidence(row: RowView) -> str:
    said = []
    if row["known"]:
        said.append("given by the library")
    if row["influence"] is True:
        said.append("given as an influence")
    if row["name_head"]:
        said.append("by its name")
    if not missing(row["artist_containment"]) and row["artist_containment"] >= 0.005:
        said.append(f"contains {100 * row['artist_containment']:.0f} % of its artists")
    if not missing(row["years_older"]) and abs(row["years_older"]) >= 1:
        said.append(f"{abs(row['years_older']):.0f} years {'older' if row['years_older'] > 0 else 'younger'}")
    if not missing(row["distance"]):
        said.append(f"distance {row['distance']:.2f}")
    return ", ".join(said)


def _records(frame: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _region_names(regions: pd.DataFrame, resolution: str) -> list[str]:
    """Names of regions, indexed by their number."""
    mine = regions[regions["resolution"] == resolution].set_index("region")["name"]
    return [str(mine.get(number, "")) for number in range(int(mine.index.max()) + 1 if len(mine) else 0)]


def _songs(store: Reader, typical: DataFrame) -> pd.DataFrame:
    """Typical songs by genre and rank, with columns of the song and of its first clip."""
    facts = store.read(SONGS).select("song_id", "spotify_id", "source_key")
    rows = with_clip(store, typical.join(facts, "song_id", "left")).toPandas()
    return rows.sort_values(["genre_id", "rank"], ignore_index=True)


def _title(row: RowView) -> str:
    named = " – ".join(str(row[name]) for name in ("artist", "title") if not missing(row[name]))
    return named or next(str(row[name]) for name in ("path", "source_key", "song_id") if not missing(row[name]))


def _examples(store: Reader, config: Config, songs: pd.DataFrame, by_size: pd.DataFrame) -> dict[str, MapExample]:
    """The most typical song of each genre that can be played from the page: a local file, otherwise embedded audio if
    ``report.embed_audio`` is set, otherwise a link.

    Parameters
    ----------
    songs : typical songs, from :func:`_songs`.
    by_size : genres in the order in which examples are embedded.
    """
    found: dict[str, MapExample] = {}
    fetched: dict[str, Row] = {}
    links: dict[str, MapExample] = {}
    for row in _records(songs):
        genre = row["genre_id"]
        if genre in found:
            continue
        if (source := _beside(row, config.report.path)) is not None:
            found[genre] = source
        elif not missing(row["uri"]) and str(row["uri"]).startswith(FETCHED):
            fetched.setdefault(genre, row)
        if (link := _link(row, config)) is not None:
            links.setdefault(genre, link)
    if config.report.embed_audio:
        wanted = [genre for genre in by_size["genre_id"] if genre in fetched and genre not in found][:_EMBEDDED]
        found |= _embedded(store, [fetched[genre] for genre in wanted])
    named = {row["genre_id"]: MapExample(_title(row)) for row in _records(songs[songs["rank"] == 1])}
    return named | links | found


def _beside(row: RowView, folder: Path) -> MapExample | None:
    """Example with a local file, by its path relative to the page; None if it is missing or browsers cannot play it."""
    if missing(row["uri"]) or not str(row["uri"]).startswith("file:") or row["mime"] not in sounds.PLAYED:
        return None
    try:
        path = uri_to_path(row["uri"])
    except ValueError:
        return None
    if not Path(os.fsdecode(path)).is_file():
        return None
    source = os.fsdecode(os.path.relpath(path, os.fsencode(folder.absolute())))
    whole = row["length_s"] >= 0.95 * row["duration_s"]
    part = None if whole else (float(row["start_s"]), float(row["start_s"] + row["length_s"]))
    return MapExample(_title(row), source if source.startswith("..") else f"./{source}", part=part)


def _link(row: RowView, config: Config) -> MapExample | None:
    """Example with a link to the song on Spotify; None without a Spotify id or with the sandbox's ids."""
    host = urlsplit(config.spotify.api_url).hostname or ""
    if missing(row["spotify_id"]) or not (host == "spotify.com" or host.endswith(".spotify.com")):
        return None
    return MapExample(_title(row), link=f"https://open.spotify.com/track/{row['spotify_id']}")


def _embedded(store: Reader, rows: Sequence[RowView]) -> dict[str, MapExample]:
    """Examples with excerpts of fetched clips as data URIs, up to :data:`MOST_AUDIO` bytes."""
    if not rows:
        return {}
    clips = pd.DataFrame(list(rows))
    length = clips["length_s"].clip(upper=_EXCERPT_S)
    clips = clips.assign(start_s=clips["start_s"] + (clips["length_s"] - length) / 2, length_s=length)
    found: dict[str, MapExample] = {}
    left = MOST_AUDIO
    heard = sounds.with_audio(store, clips)
    for (_, row), facts in zip(heard.iterrows(), _records(clips), strict=True):
        source = sounds.player(row).source
        if source and len(source) <= left:
            left -= len(source)
            found[facts["genre_id"]] = MapExample(_title(facts), source)
    return found


def _tree_note(n: int, placed: int, learnt: bool) -> str:
    if not learnt:
        return (
            f"{placed:,} of {n:,} genres have a parent, known from names or from the library. Too few are "
            "known to train on, so no parents are predicted for the others."
        )
    return (
        f"{placed:,} of {n:,} genres have a parent; the others are roots, or the evidence is too weak. The most "
        "probable parents are predicted from sound, size, artists and names; they are not historical facts."
    )


def _source(store: Reader, maps: pd.DataFrame) -> str:
    versions = ", ".join(f"{table.name} {version}" for table in INPUTS if (version := store.version(table)) is not None)
    runs = ", ".join(dict.fromkeys(str(run)[:8] for run in maps["run_id"] if not missing(run)))
    return f"From versions {versions}; drawn by map_genres {runs}."


def _missing(store: Reader, config: Config, maps: pd.DataFrame, has_tree: bool) -> Iterable[str]:
    """Missing parts of the map with the reason, one sentence each."""
    first = maps.iloc[0]
    if not missing(first["n_left_out"]) and int(first["n_left_out"]):
        left = store.read(GENRE_PROFILES).where((F.col("profile_id") == first["profile_id"]) & ~F.col("placed"))
        names = [row["genre"] for row in left.orderBy(F.desc("n_songs"), "genre").limit(_NAMED).collect()]
        n = int(first["n_left_out"])
        more = f" and {n - len(names):,} more" if n > len(names) else ""
        yield f"Not on the map because of too few songs: {', '.join(names)}{more}."
    if first["method"] == "principal components":
        yield "With so few genres the map shows the first two principal components, and regions mean little."
    if not has_tree:
        yield "There is no tree: no genre's parent is known, from names, the library or a table of influences."
    for lens in config.map.lenses:
        if lens not in set(maps["lens"]):
            why = map_lenses.NEEDS.get(lens, "map_genres prints the reason")
            yield f"The lens “{map_lenses.title(lens)}” could not be drawn: {why}."
