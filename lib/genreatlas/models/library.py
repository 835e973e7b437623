"""What training needs to know of every song, fetched once for all feature sets."""

from dataclasses import dataclass, field

import pandas as pd
from pyspark.sql import functions as F

from genreatlas import splits
from genreatlas.config import Config
from genreatlas.errors import InputError
from genreatlas.models.fetching import fetch
from genreatlas.splits.groups import components
from genreatlas.store import Snapshot, Store
from genreatlas.tables import CLIPS, GENRE_PARENTS, SONG_ARTISTS, SONG_GENRES, SONGS, SPLITS


@dataclass(frozen=True)
class Library:
    """Songs of one split at one version, and their genres.

    Attributes
    ----------
    songs : song_id, group_id, part (train, promotion, test), fold, recording (a number); sorted by song_id.
    labels : song_id, genre_id, genre.
    parents : genre id = (parent id, parent name).
    split, split_version, grouping : which split it is, and what its groups are safe against.
    versions : Delta version of every table that was read; features are read beside the same versions.
    albums : name of each song's album, by song id; songs without one are absent.
    """

    songs: pd.DataFrame
    labels: pd.DataFrame
    parents: dict[str, tuple[str, str]]
    split: str
    split_version: int
    grouping: str
    versions: dict[str, int]
    albums: pd.Series = field(default_factory=lambda: pd.Series(dtype=object))


def read_library(store: Store, config: Config, split_version: int | None = None, check: bool = True) -> Library:
    """Read songs, genres and split, and make sure that no group lies in two parts.

    Parameters
    ----------
    split_version : version of the split; None: the newest.
    check : refuse a split that leaks; off where a model's training set is made again as it was.

    Raises
    ------
    InputError : the split has no rows.
    SplitLeakError : a group of songs lies in more than one part; the message names it.
    """
    store = Snapshot(store)
    name, max_mb = config.splits.name, config.store.max_commit_mb
    rows = fetch(store.read(SPLITS).where(F.col("split") == name), "song_id", max_mb).to_pandas()
    if split_version is not None:
        rows = rows[rows.split_version <= split_version]
    if rows.empty:
        raise InputError(f"The split {name!r} has no songs. Run assign_splits first, or set splits.name.")
    version = int(rows.split_version.max())
    current = splits.current(rows, version)
    tied = _read_tied(store, config)
    links = splits.song_links(tied.songs, tied.artists, tied.clips, config.splits.group_by)
    if check:
        splits.check_leaks(current, links, allow_declared=config.splits.allow_declared_leak)
    used = current[current.part != "excluded"].sort_values("song_id", ignore_index=True)
    songs = used[["song_id", "group_id", "part", "fold"]].copy()
    songs["recording"] = components(links[links.kind.isin(["isrc", "audio"])], songs.song_id)

    parents = parents_of(store)
    labels = store.read(SONG_GENRES).select("song_id", "genre_id", "genre")
    labels = fetch(labels, "song_id", max_mb).to_pandas()
    labels = labels[labels.song_id.isin(used.song_id)].sort_values(["song_id", "genre_id", "genre"], ignore_index=True)
    return Library(
        songs=songs,
        labels=labels.drop_duplicates(["song_id", "genre_id"], ignore_index=True),
        parents=parents,
        split=name,
        split_version=version,
        grouping=splits.grouping(current, splits.find_shared(current, tied.songs, tied.clips)),
        versions=store.read_versions,
        albums=tied.songs.dropna(subset="album").set_index("song_id")["album"],
    )


@dataclass(frozen=True)
class _Tied:
    """What ties songs together, as :func:`genreatlas.splits.song_links` reads it."""

    songs: pd.DataFrame
    artists: pd.DataFrame
    clips: pd.DataFrame


def _read_tied(store: Store, config: Config) -> _Tied:
    max_mb = config.store.max_commit_mb
    songs = store.read(SONGS).select("song_id", "isrc", "artist", "album", "album_artist", "compilation")
    artists = store.read(SONG_ARTISTS).where("role <> 'guest'").select("song_id", "position", "artist_id", "role")
    clips = store.read(CLIPS).where("replaced_by IS NULL").select("song_id", "sha256").distinct()
    return _Tied(*[fetch(frame, "song_id", max_mb).to_pandas() for frame in (songs, artists, clips)])


def parents_of(store: Store) -> dict[str, tuple[str, str]]:
    """Parent of each genre that has one: genre id = (parent id, parent name)."""
    rows = store.read(GENRE_PARENTS).select("genre_id", "parent_id", "parent").collect()
    return {row["genre_id"]: (row["parent_id"], row["parent"]) for row in rows}
