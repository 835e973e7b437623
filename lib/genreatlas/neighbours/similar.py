"""Similar songs of a song or audio file in Python without Spark, from the tables that ``find_neighbours`` writes."""

import contextlib
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreatlas.audio.embeddings import EmbeddingSet, sets_of
from genreatlas.audio.feature_sets import Registered
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.audio.whole_files import Recipe, whole_file
from genreatlas.config import EmbeddingEntry, LimitsSection, former
from genreatlas.config.joined import members_of
from genreatlas.errors import InputError, StoreError
from genreatlas.neighbours.ranking import Ranking
from genreatlas.neighbours.search import Lists
from genreatlas.neighbours.space import Floats, Space, Vectors, expected_distance, similarity, to_vectors
from genreatlas.tables import EMBEDDINGS, NEIGHBOUR_SONGS, NEIGHBOUR_SPACES, SONGS
from genreatlas.values import RowView

#: Additional songs to search, since copies and songs of the same artist may be filtered out.
_SPARE = 40


@dataclass(frozen=True)
class SimilarSong:
    """A similar song.

    ``distance`` is the root mean square difference of the scaled features, ``similarity`` is 1 for equal songs and
    decreases to 0, and ``corrected`` is the sort key; all as in the table ``song_neighbours``.
    """

    song_id: str
    title: str | None
    artist: str | None
    album: str | None
    distance: float
    similarity: float
    corrected: float


def similar(
    source: str | os.PathLike[str] | bytes,
    store: str | os.PathLike[str] = "data/tables",
    n: int = 10,
    *,
    copies: bool = False,
    same_album: bool = True,
    per_artist: int = 0,
    heard: Collection[str] = (),
) -> list[SimilarSong]:
    """Find songs of a store that sound similar to one of its songs or to an audio file. Requires the extra ``duckdb``.

    The first call reads the vectors of all songs and compiles the features (seconds). Later calls only check whether
    the tables have changed.

    Parameters
    ----------
    source : id of a song with neighbours, path of an audio file, or its bytes. Of a file, the cut of ``[clip]`` is
        used.
    store : folder of the tables (``[store] path``), or a URL that deltalake can read.
    n : maximum number of songs.
    copies : include copies of the song's recording and of recordings already in the result. For files, copies are
        unknown: the same recording is usually first, at a distance near 0.
    same_album : include songs of the song's own album.
    per_artist : maximum number of songs of one artist; 0: no maximum.
    heard : ids of songs to leave out.

    Returns
    -------
    Similar songs, the most similar first.

    Raises
    ------
    StoreError : ``find_neighbours`` was not run on this store.
    InputError : features of the file cannot be computed in the same way as those of the songs.
    ClipError : the file cannot be decoded, is too short, or silent.
    """
    index = _open(os.fspath(store))
    place = index.place(source) if isinstance(source, str) else -1
    if place < 0 and isinstance(source, str) and not Path(source).exists():
        raise InputError(f"{source}: no song with neighbours has this id, and there is no such file.")
    vector = index.vectors[place] if place >= 0 else index.vector_of(source)
    left_out = set(index.ended) | set(heard)
    wanted = n + _SPARE + len(left_out)
    while True:
        found = index.ranking.nearest(vector, place, wanted)
        chosen = index.chosen(found, place, vector, n, left_out, copies, same_album, per_artist)
        if len(chosen) >= n or wanted >= len(index.ids):
            return chosen
        wanted *= 4


@dataclass(frozen=True)
class _Index:
    """All songs of the current space."""

    space: Space
    feature_set: str
    set_version: str
    preprocessing_id: str
    clip: str | None
    ids: pa.StringArray
    ranking: Ranking
    expected: Floats
    keys: dict[str, list[str | None]]
    names: dict[str, tuple[str | None, str | None, str | None]]
    ended: frozenset[str]
    networks: tuple[EmbeddingSet, ...]

    @property
    def vectors(self) -> Vectors:
        """Vectors of the songs, (n, n_features)."""
        return self.ranking.vectors

    def place(self, song_id: str) -> int:
        """Index of a song; -1 if it is not in the space."""
        return int(pc.index(self.ids, pa.scalar(song_id)).as_py())

    def vector_of(self, source: str | os.PathLike[str] | bytes) -> Vectors:
        """Compute the vector of a file.

        Raises
        ------
        InputError : features of the file cannot be computed in the same way as those of the songs.
        ClipError : the file cannot be used.
        """
        clip = former.clip_section(json.loads(self.clip or "{}"))
        known = Registered((), self.networks)
        recipe = Recipe(self.feature_set, clip, LimitsSection(), self.space.features, registered=known, cut=True)
        self._check(recipe)
        content = isinstance(source, bytes)
        found = whole_file(source if isinstance(source, bytes) else os.fspath(source), recipe, content)
        values = next(window.values for window in found.windows if window.values is not None)
        return np.asarray(to_vectors(values, self.space)[0])

    def _check(self, recipe: Recipe) -> None:
        if self.clip is None:
            raise InputError(
                f"songs are compared by {self.feature_set}, whose features were imported or computed with another "
                "[clip] section, so they cannot be computed from a file. Give the id of a song."
            )
        made = preprocessing_id(former.clip_section(json.loads(self.clip)))
        for name, version, how in zip(
            *map(members_of, (self.feature_set, self.set_version, self.preprocessing_id)), strict=True
        ):
            known = recipe.find(name)
            now = known.version if known else "none"
            if now != version or how != made:
                raise InputError(
                    f"songs are compared by {name} version {version}, preprocessing {how}; this release computes "
                    f"version {now}, preprocessing {made}. Run extract_features and find_neighbours again."
                )
            if isinstance(known, EmbeddingSet) and not known.entry.file.exists():
                raise InputError(
                    f"songs are compared by {name}, whose network {known.entry.file} is missing. Restore it, or run "
                    "extract_features with its new path."
                )

    def chosen(
        self,
        found: Lists,
        place: int,
        vector: Vectors,
        n: int,
        left_out: set[str],
        copies: bool,
        same_album: bool,
        per_artist: int,
    ) -> list[SimilarSong]:
        """The first n songs of a list that pass the filters of :func:`similar`."""
        recording, artist, album = (self.keys[name] for name in ("recording", "artist", "album"))
        seen = {recording[place]} if place >= 0 else set()
        performers: dict[str, int] = {}
        mine = expected_distance(vector[None], self.space)[0]
        songs: list[SimilarSong] = []
        for other, distance, corrected in zip(found.places[0], found.distance[0], found.corrected[0], strict=True):
            song_id = self.ids[int(other)].as_py() if other >= 0 else None
            if song_id is None or song_id in left_out or (not copies and recording[other] in seen):
                continue
            if not same_album and place >= 0 and album[other] is not None and album[other] == album[place]:
                continue
            performer = artist[other]
            if per_artist and performer is not None and performers.get(performer, 0) >= per_artist:
                continue
            if performer is not None:
                performers[performer] = performers.get(performer, 0) + 1
            seen.add(recording[other])
            alike = float(similarity(distance, mine, self.expected[other]))
            names = self.names.get(song_id, (None, None, None))
            songs.append(SimilarSong(song_id, *names, float(distance), alike, float(corrected)))
            if len(songs) == n:
                break
        return songs


def _open(store: str) -> _Index:
    """The index of a store at the current table versions."""
    tables = tuple((table.name, _version(store, table.name)) for table in (NEIGHBOUR_SPACES, NEIGHBOUR_SONGS, SONGS))
    with contextlib.suppress(StoreError):  # stores without embeddings lack the table
        tables += ((EMBEDDINGS.name, _version(store, EMBEDDINGS.name)),)
    return _load(store, tables)


def _version(store: str, name: str) -> int:
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        return int(DeltaTable(f"{store.rstrip('/')}/{name}").version())
    except TableNotFoundError:
        raise StoreError(f"{store}: there is no table {name}. Run find_neighbours, or name another store.") from None


@lru_cache(maxsize=2)
def _load(store: str, tables: Sequence[tuple[str, int]]) -> _Index:
    from deltalake import DeltaTable

    spaces, songs, named, *networks = (
        DeltaTable(f"{store.rstrip('/')}/{name}", version=version).to_pyarrow_dataset() for name, version in tables
    )
    rows = spaces.to_table().sort_by([("sequence", "descending")]).to_pylist()
    if not rows:
        raise StoreError(f"{store}: no songs have neighbours yet. Run find_neighbours.")
    row = rows[0]
    held = songs.to_table(filter=pc.field("space_id") == row["space_id"]).sort_by("song_id")
    lists = held.column("vector").combine_chunks()
    vectors = lists.flatten().to_numpy().reshape(held.num_rows, len(row["features"])).astype(np.float32)
    wanted = [name for name in ("song_id", "title", "artist", "album", *SONGS.ended_by) if name in named.schema.names]
    people = named.to_table(wanted).to_pylist()
    scale = held.column("local_scale").to_numpy().astype(np.float64)
    fitted = np.array(held.column("fitted").to_pylist(), dtype=bool)
    return _Index(
        space=Space(
            tuple(row["features"]),
            np.array(row["centre"]),
            np.array(row["spread"]),
            np.array(row["mean"]),
            row["variance"],
        ),
        feature_set=row["feature_set"],
        set_version=row["set_version"],
        preprocessing_id=row["preprocessing_id"],
        clip=row["clip"],
        ids=held.column("song_id").combine_chunks(),
        ranking=Ranking(vectors, row["scale_weight"], scale, fitted),
        expected=held.column("expected").to_numpy(),
        keys={name: held.column(name).to_pylist() for name in ("recording", "artist", "album")},
        names={one["song_id"]: (one.get("title"), one.get("artist"), one.get("album")) for one in people},
        networks=_networks(networks[0].to_table().to_pylist(), row) if networks else (),
        ended=frozenset(one["song_id"] for one in people if any(one.get(name) is not None for name in SONGS.ended_by)),
    )


def _networks(rows: Sequence[RowView], space: RowView) -> tuple[EmbeddingSet, ...]:
    """Embedding sets by which songs are compared, at the versions of the space.

    Parameters
    ----------
    rows : rows of the table ``embeddings``.
    space : row of the space; its ``feature_set`` and ``set_version`` may be joined.
    """
    wanted = set(zip(*map(members_of, (space["feature_set"], space["set_version"])), strict=True))
    entries = [
        EmbeddingEntry(**json.loads(row["entry"]), file=row["file"])
        for row in rows
        if (row["feature_set"], row["set_version"]) in wanted
    ]
    sets = {one.name: one for entry in entries for one in sets_of(entry)}
    return tuple(one for one in sets.values() if (one.name, one.version) in wanted)
