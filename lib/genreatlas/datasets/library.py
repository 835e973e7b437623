"""Data of songs for training (groups, parts, genres, links), fetched once for all feature sets."""

from dataclasses import dataclass, field
from typing import Literal

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import splits
from genreatlas.config import Config
from genreatlas.datasets.fetching import fetch
from genreatlas.errors import InputError
from genreatlas.store import Reader, Snapshot
from genreatlas.tables import CLIPS, GENRE_PARENTS, GENRES, RECORDING_LINKS, SONG_ARTISTS, SONG_GENRES, SONGS, SPLITS

#: Criterion for copies of a recording, in addition to the ISRC: audio hashes and fingerprint (sound), or the hash of
#: the file alone (bytes), as for models that were trained before audio hashes were stored.
Identity = Literal["sound", "bytes"]

_SONG_COLUMNS = (
    "song_id", "source", "title", "artist", "album", "album_artist", "compilation", "isrc", "declared_split",
)  # fmt: skip
_SOUND = {"sound": ("sha256", "audio_id", "sound_sha256"), "bytes": ("sha256",)}


@dataclass(frozen=True)
class Ties:
    """All songs and the data that links them (artists, clips, copies).

    Retired songs are included: they keep their part of the split in case they return.

    Attributes
    ----------
    songs : song_id, source, title, artist, album, album_artist, compilation, isrc, declared_split, retired (bool).
    song_artists : song_id, position, artist_id, role.
    clips : song_id, and the hashes that identify copies.
    links : song_id, kind, key, as :func:`genreatlas.splits.song_links` lists them.
    """

    songs: pd.DataFrame
    song_artists: pd.DataFrame
    clips: pd.DataFrame
    links: pd.DataFrame

    @property
    def gone(self) -> set[str]:
        """Ids of retired songs."""
        return set(self.songs.song_id[self.songs.retired])


def read_ties(store: Reader, config: Config, identity: Identity = "sound") -> Ties:
    """Read songs and their links. All steps find copies of a recording through this function."""
    max_mb = config.store.max_commit_mb
    frames = (
        store.read(SONGS).select(*_SONG_COLUMNS, (~F.expr(SONGS.live)).alias("retired")),
        store.read(SONG_ARTISTS).select("song_id", "position", "artist_id", "role"),
        # Clips of retired songs still identify copies; replaced clips no longer contain the song.
        store.read(CLIPS).where("replaced_by IS NULL").select("song_id", *_SOUND[identity]).distinct(),
    )
    songs, artists, clips = (fetch(frame, "song_id", max_mb, 300).to_pandas() for frame in frames)
    found = None
    if identity == "sound":
        rows = store.read(RECORDING_LINKS).select("song_id", "recording_id", "kind")
        found = fetch(rows, "song_id", max_mb, 80).to_pandas()
    return Ties(songs, artists, clips, splits.song_links(songs, artists, clips, config.splits.group_by, found))


@dataclass(frozen=True)
class Library:
    """Songs of one split at one version, and their genres.

    Attributes
    ----------
    songs : song_id, group_id, part (train, promotion, test), fold, recording (a number); sorted by song_id.
    labels : song_id, genre_id, genre.
    parents : (parent id, parent name) by genre id.
    split, split_version : name and version of the split.
    grouping : leaks that the groups of the split exclude.
    versions : Delta version by table that was read; features are read at the same versions.
    albums : name of the album by song id; songs without an album are absent.
    retired : number of songs of the split that are left out because their source no longer contains them.
    """

    songs: pd.DataFrame
    labels: pd.DataFrame
    parents: dict[str, tuple[str, str]]
    split: str
    split_version: int
    grouping: str
    versions: dict[str, int]
    albums: pd.Series = field(default_factory=lambda: pd.Series(dtype=object))
    retired: int = 0


def read_library(
    store: Reader,
    config: Config,
    split_version: int | None = None,
    check: bool = True,
    identity: Identity = "sound",
) -> Library:
    """Read songs, genres and split, and check that no group is in two parts.

    Parameters
    ----------
    store : the store.
    config : the configuration.
    split_version : version of the split; None for the newest.
    check : raise if the split leaks; False to rebuild the training set of a stored model unchanged.
    identity : criterion for copies of a recording.

    Raises
    ------
    InputError : the split has no rows.
    SplitLeakError : a group of songs is in more than one part; the message names it.
    """
    snapshot = Snapshot(store)
    name, max_mb = config.splits.name, config.store.max_commit_mb
    rows = fetch(snapshot.read(SPLITS).where(F.col("split") == name), "song_id", max_mb).to_pandas()
    if split_version is not None:
        rows = rows[rows.split_version <= split_version]
    if rows.empty:
        raise InputError(f"The split {name!r} has no songs. Run assign_splits first, or set splits.name.")
    version = int(rows.split_version.max())
    current = splits.current(rows, version)
    ties = read_ties(snapshot, config, identity)
    if check:
        splits.check_leaks(current, ties.links, allow_declared=config.splits.allow_declared_leak)
    placed = current[current.part != "excluded"]
    used = placed[~placed.song_id.isin(ties.gone)].sort_values("song_id", ignore_index=True)
    songs = used[["song_id", "group_id", "part", "fold"]].copy()
    songs["recording"] = splits.recordings(ties.links, songs.song_id)
    live = current[~current.song_id.isin(ties.gone)]

    parents = parents_of(snapshot)
    labels = snapshot.live(SONG_GENRES).select("song_id", "genre_id", "genre")
    labels = fetch(labels, "song_id", max_mb).to_pandas()
    labels = labels[labels.song_id.isin(used.song_id)].sort_values(["song_id", "genre_id", "genre"], ignore_index=True)
    return Library(
        songs=songs,
        labels=labels.drop_duplicates(["song_id", "genre_id"], ignore_index=True),
        parents=parents,
        split=name,
        split_version=version,
        grouping=splits.grouping(live, splits.find_shared(live, ties.songs, ties.clips)),
        versions=snapshot.read_versions,
        albums=ties.songs.dropna(subset="album").set_index("song_id")["album"],
        retired=len(placed) - len(used),
    )


def newest_genres(store: Reader) -> DataFrame:
    """Rows of ``genres`` of the newest snapshot of the Every Noise map."""
    rows = store.read(GENRES)
    newest = rows.agg(F.max("snapshot").alias("snapshot"))
    return rows.join(newest, "snapshot", "left_semi")


def parents_of(store: Reader) -> dict[str, tuple[str, str]]:
    """Parents of genres: (parent id, parent name) by genre id; genres without a parent are absent."""
    rows = store.read(GENRE_PARENTS).select("genre_id", "parent_id", "parent").collect()
    return {row["genre_id"]: (row["parent_id"], row["parent"]) for row in rows}
