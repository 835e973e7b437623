"""Read songs, their features and further data of recipes from the store to the driver."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import splits
from genreatlas.audio.uris import uri_to_path
from genreatlas.config import Config, PlaylistRecipe
from genreatlas.datasets.feature_tables import FeatureTable, find_feature_table, known_feature_sets
from genreatlas.datasets.fetching import fetch, fetch_parts
from genreatlas.datasets.library import parents_of, read_ties
from genreatlas.datasets.vectors import read_vectors, song_means
from genreatlas.errors import ConfigError, InputError
from genreatlas.playlists.aims import Beside
from genreatlas.playlists.library import Known, find_library
from genreatlas.playlists.music import Floats, Ints, Songs, credited, standardise
from genreatlas.playlists.ordering import ranks
from genreatlas.playlists.references import find
from genreatlas.playlists.scored_files import Scored, with_files
from genreatlas.store import Reader
from genreatlas.tables import (
    ARTISTS,
    CLIPS,
    GENRE_TREE,
    MAPS,
    NEIGHBOUR_SPACES,
    SCORES,
    SONG_GENRES,
    SONG_NEIGHBOURS,
    SONGS,
)

#: Feature sets and columns of each measure, the preferred first. Tempi of several sets may be mixed. Loudness and
#: energy have different scales in each set, so all values are from one set.
_TEMPI = (("spotify_audio", "tempo"), ("groove", "tempo"), ("gtzan57", "tempo"))
_KEYS = (("tonality", "key", "minor"), ("spotify_audio", "key", "mode"))
_LOUDNESS = (("loudness", "loudness_lufs"), ("spotify_audio", "loudness"))
_ENERGY = ("spotify_audio", "energy")
#: Substitute for energy if Spotify's is unknown: the mean rank of level, onset rate and brightness.
_LIVELY = (("loudness", "rms_dbfs"), ("groove", "onset_rate"), ("summary9", "spectral_centroid_mean"))
#: Feature sets with tempo, key, loudness or energy.
MEASURED = tuple(dict.fromkeys(name for name, *_ in (*_TEMPI, *_KEYS, *_LOUDNESS, _ENERGY, *_LIVELY)))
#: Providers whose files are whole songs, not previews.
_WHOLE = ("folder", "http")
#: Maximum number of scored files outside the store that are opened per recipe, to read copies and artists.
_FILES = 5000


@dataclass(frozen=True)
class Found:
    """Songs of the store with identifiers, clips and remarks.

    Attributes
    ----------
    songs : all songs.
    known : identifiers of the songs.
    clips : the clip to play of each song with clips, indexed by row of the song: clip_id, uri, provider, ingest_batch,
        sha256, start_s, length_s, duration_s, mime, bytes.
    notes : remarks for the log.
    compared : feature set, its version, and the names of the features by which songs are compared.
    """

    songs: Songs
    known: Known
    clips: pd.DataFrame
    notes: tuple[str, ...]
    compared: tuple[str, ...] = ()


def read_songs(store: Reader, config: Config) -> Found:
    """Read all active songs, with or without features.

    Raises
    ------
    ConfigError : the store has no such feature set, or songs cannot be compared by it.
    InputError : there are no songs.
    """
    max_mb = config.store.max_commit_mb
    columns = ("song_id", "title", "artist", "album", "isrc", "spotify_id", "duration_ms")
    facts = fetch(store.live(SONGS).select(*columns), "song_id", max_mb, 250).to_pandas()
    if facts.empty:
        raise InputError("the store has no songs to make a playlist of. Run import_folder or collect_songs.")
    facts = facts.sort_values("song_id", ignore_index=True)
    row_of = pd.Series(np.arange(len(facts)), index=facts.song_id)
    vectors, compared, notes = _vectors(store, config, row_of)
    all_clips, clips = _clips(store, config, row_of)
    facts["uri"] = clips["uri"].reindex(facts.index)
    whole = clips["duration_s"].where(clips["provider"].isin(_WHOLE)).reindex(facts.index)
    facts["seconds"] = (pd.to_numeric(facts.pop("duration_ms")) / 1000).fillna(whole).astype(np.float64)
    ties = read_ties(store, config)
    names = fetch(store.read(ARTISTS).select("artist_id", "name"), "artist_id", max_mb).to_pandas()
    name_of = dict(names.itertuples(index=False, name=None))
    performer, credits, artist_keys = credited(facts, ties.song_artists, name_of)
    genre_ids, genre_names, labels = _labels(store, config, row_of)
    measured, said = read_measures(store, config, row_of)
    isrc = ties.links[ties.links.kind == "isrc"]
    # Includes retired songs: a retired copy can link two active ones.
    recording = pd.Series(splits.recordings(ties.links, ties.songs.song_id), index=ties.songs.song_id)
    songs = Songs(
        facts=facts,
        vectors=vectors,
        recording=recording.reindex(facts.song_id).to_numpy(dtype=np.int64),
        performer=performer,
        genre_ids=genre_ids,
        genre_names=genre_names,
        labels=labels,
        credits=credits,
        artist_keys=artist_keys,
        **measured,
    )
    known = Known(
        paths={path: row for uri, row in all_clips[["uri", "row"]].itertuples(False) if (path := file_of(uri))},
        digests=dict(all_clips[["sha256", "row"]].itertuples(index=False, name=None)),
        isrc={key: int(row_of[song]) for song, key in isrc[["song_id", "key"]].itertuples(False) if song in row_of},
    )
    return Found(songs, known, clips, (*notes, *said), compared)


def file_of(uri: object) -> bytes | None:
    """Path of a clip's file on this machine; None if the URI is not a file."""
    try:
        return uri_to_path(uri) if isinstance(uri, str) and uri.startswith("file:") else None
    except ValueError:
        return None


def read_beside(store: Reader, found: Found, recipe: PlaylistRecipe, model_id: str | None) -> tuple[Found, Beside]:
    """Read further data that a recipe needs.

    Parameters
    ----------
    found : songs of the store.
    recipe : recipe of the playlist.
    model_id : predicted: model of the scores.

    Returns
    -------
    found : for the kind predicted, with scored files appended to the songs; else unchanged.
    beside : further data.

    Raises
    ------
    InputError : the library cannot be read.
    """
    songs = found.songs
    if recipe.kind == "explore" and recipe.library is not None:
        rows, size = find_library(recipe.library, recipe.encoding, songs, found.known)
        return found, Beside(edges=_tree(store, songs.genre_ids), library=rows, library_size=size)
    if recipe.kind == "predicted" and model_id is not None:
        genres = sorted({one for seed in recipe.seeds if (one := find(songs, seed).genre) is not None})
        scores = store.read(SCORES).where(
            (F.col("model_id") == model_id) & (F.col("confidence") >= recipe.min_confidence)
        )
        of_songs = _scores_of_songs(scores, songs, genres)
        songs, of_files, notes = with_files(songs, found.known, _scored_files(scores, songs, genres), _FILES)
        both = {genre: _joined(one, of_files.get(genre)) for genre, one in of_songs.items()}
        return replace(found, songs=songs, notes=notes), Beside(confidence=both)
    if recipe.kind == "around" and (seed := find(songs, recipe.seeds[0])).kind == "song":
        return found, Beside(neighbours=_neighbours(store, found, int(seed.rows[0])))
    return found, Beside()


def _neighbours(store: Reader, found: Found, row: int) -> dict[int, Ints]:
    """A song's list in ``song_neighbours``, if its space has the features by which the playlist compares songs."""
    ids = found.songs.facts["song_id"]
    spaces = store.read(NEIGHBOUR_SPACES).orderBy(F.desc("sequence")).limit(1).collect()
    if not spaces or (spaces[0]["feature_set"], spaces[0]["set_version"], *spaces[0]["features"]) != found.compared:
        return {}
    mine = (F.col("space_id") == spaces[0]["space_id"]) & (F.col("song_id") == ids.iloc[row])
    listed = store.read(SONG_NEIGHBOURS).where(mine).orderBy("rank").select("neighbour_song_id").collect()
    row_of = pd.Series(np.arange(len(ids)), index=ids)
    there = [row_of[one] for (one,) in listed if one in row_of.index]
    return {row: np.array([one for one in there if found.songs.heard[one]], dtype=np.int64)}


def _vectors(
    store: Reader, config: Config, row_of: pd.Series
) -> tuple[npt.NDArray[np.float32], tuple[str, ...], tuple[str, ...]]:
    """Standardised mean vector of each song's clips (n, d); feature set, version and features; remarks."""
    name, max_mb = config.playlist.feature_set, config.store.max_commit_mb
    vectors = read_vectors(store, "playlist.feature_set", name, config.playlist.exclude, "songs")
    parts = fetch_parts(vectors.frame, "song_id", max_mb, vectors.row_bytes)
    means = np.full((len(row_of), len(vectors.features)), np.nan, dtype=np.float32)
    with_sound = 0
    for part in parts:  # all clips of a song are in the same part
        ids, found = song_means(part, len(vectors.features))
        row = row_of.reindex(ids).to_numpy(dtype=np.float64)
        counts = np.isfinite(row)
        means[row[counts].astype(np.int64)] = found[counts]
        with_sound += int(counts.sum())
    without_sound = len(row_of) - with_sound
    note = f"{without_sound} of {len(row_of)} songs have no features of {name}"
    notes = (*vectors.table.incomplete(store), *([note] if without_sound else []))
    return standardise(means), (vectors.table.feature_set, vectors.table.set_version, *vectors.features), notes


def _clips(store: Reader, config: Config, row_of: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All clips with the row of their song, and the clip to play of each song: a local file if there is one."""
    columns = (
        "song_id", "clip_id", "uri", "provider", "ingest_batch", "sha256", "start_s", "length_s", "duration_s", "mime",
        "bytes",
    )  # fmt: skip
    clips = fetch(store.live(CLIPS).select(*columns), "song_id", config.store.max_commit_mb, 400).to_pandas()
    clips = clips[clips.song_id.isin(row_of.index)]
    clips = clips.assign(row=row_of.reindex(clips.song_id).to_numpy(), fetched=~clips.uri.str.startswith("file:"))
    clips = clips.sort_values(["row", "fetched", "clip_id"], ignore_index=True)
    return clips, clips.drop_duplicates("row").set_index("row")


def _labels(store: Reader, config: Config, row_of: pd.Series) -> tuple[tuple[str, ...], tuple[str, ...], Ints]:
    grouped = store.live(SONG_GENRES).groupBy("song_id", "genre_id").agg(F.min("genre").alias("genre"))
    found = fetch(grouped, "song_id", config.store.max_commit_mb, 150).to_pandas()
    found = found[found.song_id.isin(row_of.index)]
    names = found.groupby("genre_id").genre.min().to_dict()
    for parent_id, parent in parents_of(store).values():  # classes of a model may be parent genres
        names.setdefault(parent_id, parent)
    ids = tuple(sorted(names))
    number = {genre: place for place, genre in enumerate(ids)}
    pairs = np.column_stack(
        [row_of.reindex(found.song_id).to_numpy(np.int64), found.genre_id.map(number).to_numpy(np.int64)]
    )
    return ids, tuple(names[genre] for genre in ids), np.unique(pairs.reshape(-1, 2), axis=0)


def read_measures(store: Reader, config: Config, row_of: pd.Series) -> tuple[dict[str, Floats], tuple[str, ...]]:
    """Read tempo, key, loudness and energy of songs from the feature sets that have them.

    Returns
    -------
    measures : tempo, key, minor, loudness and energy, (n,) each; NaN where unknown.
    notes : remarks on the sources.
    """
    there = known_feature_sets(store)
    max_mb = config.store.max_commit_mb
    wanted: dict[str, dict[str, None]] = {}
    for name, *names in (*_TEMPI, *_KEYS, *_LOUDNESS, _ENERGY, *_LIVELY):
        if name in there:
            wanted.setdefault(name, {}).update(dict.fromkeys(names))
    columns: dict[tuple[str, str], Floats] = {}
    for name, asked in wanted.items():
        table = _table(store, name)
        if table is not None:
            mine = [one for one in asked if one in table.columns]
            for one, values in _column_values(store, table, mine, row_of, max_mb).items():
                columns[name, one] = values
    nothing = np.full(len(row_of), np.nan)
    tempo, used = nothing.copy(), []
    for source in _TEMPI:
        if source in columns:
            more = np.isnan(tempo) & (columns[source] > 0)
            tempo[more] = columns[source][more]
            used += [source[0]] if more.any() else []
    key, minor = nothing.copy(), nothing.copy()
    for name, tonic, mode in _KEYS:
        if (name, tonic) in columns and (name, mode) in columns:
            more = np.isnan(key) & np.isfinite(columns[name, tonic]) & np.isfinite(columns[name, mode])
            key[more] = columns[name, tonic][more]
            minor[more] = columns[name, mode][more] if mode == "minor" else 1 - columns[name, mode][more]
    loudness = max(
        (columns[one] for one in _LOUDNESS if one in columns), key=lambda v: np.isfinite(v).sum(), default=nothing
    )
    energy, how = columns.get(_ENERGY, nothing), "spotify_audio"
    lively = [ranks(columns[one]) for one in _LIVELY if one in columns]
    if 2 * np.isfinite(energy).sum() < len(row_of) and lively:
        known = np.isfinite(lively)
        total = np.where(known, lively, 0.0).sum(axis=0)
        instead = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
        if np.isfinite(instead).sum() > np.isfinite(energy).sum():
            energy = instead
            how = f"the mean rank of {', '.join(f'{one[0]}.{one[1]}' for one in _LIVELY if one in columns)}"
    notes = [f"tempo is taken from {', '.join(used)}"] if used else []
    notes += [f"energy is {how}"] if np.isfinite(energy).any() else []
    return {"tempo": tempo, "key": key, "minor": minor, "loudness": loudness, "energy": energy}, tuple(notes)


def _table(store: Reader, name: str) -> FeatureTable | None:
    """Table of a set; None if it has no columns by feature, or no rows of the current version."""
    try:
        table = find_feature_table(store, name)
    except (ConfigError, InputError):
        return None
    return table if table.layout.by_column else None


def _column_values(
    store: Reader, table: FeatureTable, names: Sequence[str], row_of: pd.Series, max_mb: int
) -> dict[str, Floats]:
    """Values of columns by song: the first non-NULL value over its clips."""
    cast = [F.col(f"`{name}`").cast("double").alias(name) for name in names]
    values = fetch(table.rows(store).select("song_id", "clip_id", *cast), "song_id", max_mb, 120).to_pandas()
    values = values[values.song_id.isin(row_of.index)].sort_values(["song_id", "clip_id"])
    first = values.groupby("song_id")[list(names)].first().reindex(row_of.index)
    return {name: first[name].to_numpy(dtype=np.float64) for name in names}


def read_edges(store: Reader) -> list[tuple[str, str]]:
    """Drawn edges (child, parent) of the tree of a current map, preferably that of the lens sound."""
    drawn = store.read(GENRE_TREE).where("drawn").select("profile_id", "genre_id", "parent_id")
    present = store.read(MAPS).groupBy("lens").agg(F.max_by("profile_id", "sequence").alias("profile_id"))
    with_tree = drawn.select("profile_id").distinct().join(present, "profile_id")
    rows = with_tree.orderBy(F.desc(F.col("lens") == "sound"), "lens").limit(1).collect()
    if not rows:
        return []
    edges = drawn.where(F.col("profile_id") == rows[0]["profile_id"]).select("genre_id", "parent_id").collect()
    return sorted((child, parent) for child, parent in edges)


def _tree(store: Reader, genre_ids: Iterable[str]) -> tuple[tuple[int, int], ...]:
    number = {genre: place for place, genre in enumerate(genre_ids)}
    pairs = ((number.get(child), number.get(parent)) for child, parent in read_edges(store))
    return tuple(sorted((child, parent) for child, parent in pairs if child is not None and parent is not None))


def _scores_of_songs(scores: DataFrame, songs: Songs, genres: Sequence[int]) -> dict[int, tuple[Ints, Floats]]:
    """Rows and scores of songs by predicted genre; the score is the maximum over their clips."""
    ids = {songs.genre_ids[genre]: genre for genre in genres}
    mine = scores.where(F.col("predicted").isin(sorted(ids)) & F.col("song_id").isNotNull())
    best = mine.groupBy("song_id", "predicted").agg(F.max("confidence").alias("score")).collect()
    row_of = {song: row for row, song in enumerate(songs.facts["song_id"])}
    rows = [(ids[r["predicted"]], row_of[r["song_id"]], r["score"]) for r in best if r["song_id"] in row_of]
    made = {}
    for genre in genres:
        pairs = sorted((row, score) for one, row, score in rows if one == genre)
        made[genre] = (
            np.array([row for row, _ in pairs], dtype=np.int64),
            np.array([score for _, score in pairs], dtype=np.float64),
        )
    return made


def _joined(one: tuple[Ints, Floats], other: tuple[Ints, Floats] | None) -> tuple[Ints, Floats]:
    return one if other is None else (np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]]))


def _scored_files(scores: DataFrame, songs: Songs, genres: Sequence[int]) -> list[Scored]:
    """Scored files outside the store whose predicted genre is one of ``genres``."""
    ids = {songs.genre_ids[genre]: genre for genre in genres}
    mine = scores.where(F.col("predicted").isin(sorted(ids)) & F.col("song_id").isNull())
    rows = mine.select("item_id", "duration_s", "predicted", "confidence").collect()
    return [Scored(row["item_id"], row["duration_s"], ids[row["predicted"]], row["confidence"]) for row in rows]
