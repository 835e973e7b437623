"""Input data of an extract, as Arrow tables and numpy arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genreatlas.values import RowView

_TEXT, _NUMBER, _WHOLE = pa.string(), pa.float64(), pa.int32()


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


#: Schemas of the tables of :class:`SiteData`; further columns are ignored.
SCHEMAS: dict[str, pa.Schema] = {
    "songs": _schema(
        song_id=_TEXT, title=_TEXT, artist=_TEXT, album=_TEXT, album_artist=_TEXT, isrc=_TEXT, spotify_id=_TEXT,
        year=_WHOLE, duration_s=_NUMBER, licence=_TEXT, popularity=_WHOLE, track_number=_WHOLE, disc_number=_WHOLE,
        source=_TEXT,
    ),
    "artists": _schema(artist_id=_TEXT, name=_TEXT),
    "song_artists": _schema(song_id=_TEXT, position=_WHOLE, artist_id=_TEXT),
    "song_genres": _schema(song_id=_TEXT, genre_id=_TEXT, genre=_TEXT),
    "genre_parents": _schema(genre_id=_TEXT, parent_id=_TEXT, parent=_TEXT),
    "clips": _schema(
        song_id=_TEXT, clip_id=_TEXT, uri=_TEXT, sha256=_TEXT, start_s=_NUMBER, length_s=_NUMBER, duration_s=_NUMBER,
        mime=_TEXT, provider=_TEXT,
    ),
    "playlists": _schema(playlist_id=_TEXT, name=_TEXT, kind=_TEXT),
    "playlist_songs": _schema(playlist_id=_TEXT, position=_WHOLE, song_id=_TEXT, reason=_TEXT),
    "neighbours": _schema(song_id=_TEXT, rank=_WHOLE, neighbour_song_id=_TEXT, similarity=_NUMBER),
    "predictions": _schema(
        song_id=_TEXT, predicted=_TEXT, confidence=_NUMBER, scores=pa.map_(_TEXT, _NUMBER), heard_in_training=pa.bool_()
    ),
    "places": _schema(genre_id=_TEXT, x=_NUMBER, y=_NUMBER, region=_TEXT),
    "rhythms": _schema(
        clip_id=_TEXT, tracked_beat_times=pa.list_(_NUMBER), downbeat_times=pa.list_(_NUMBER), tempo_tracked=_NUMBER,
        beats_per_bar=_NUMBER, bar_confidence=_NUMBER, swing_ratio=_NUMBER, pattern=pa.list_(_NUMBER),
    ),
    "measures": _schema(
        song_id=_TEXT, tempo=_NUMBER, key=_NUMBER, minor=_NUMBER, loudness=_NUMBER, energy=_NUMBER,
    ),
    "genre_edges": _schema(genre_id=_TEXT, parent_id=_TEXT),
    "genre_neighbours": _schema(genre_id=_TEXT, rank=_WHOLE, neighbour_id=_TEXT, similarity=_NUMBER),
}  # fmt: skip


@dataclass(frozen=True)
class SongFeatures:
    """Features of songs: means over the clips of a song.

    Attributes
    ----------
    feature_set : name of the feature set.
    names, units : names and units of the columns.
    song_ids : (n,) song ids, in any order.
    values : (n, n_features) float32, NaN where unknown.
    """

    feature_set: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    song_ids: npt.NDArray[np.str_]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True)
class SongVectors:
    """Vectors of songs in the space of similar songs.

    Attributes
    ----------
    song_ids : (n,) song ids, in any order.
    values : (n, d) float32, vectors.
    recordings : (n,) id of the first copy of the song's recording; None if there are no copies.
    scales : (n,) local scales that correct distances for hubness.
    fitted : (n,) whether local scales are measured by the distance to this song.
    """

    song_ids: npt.NDArray[np.str_]
    values: npt.NDArray[np.float32]
    recordings: Sequence[str | None]
    scales: npt.NDArray[np.float64]
    fitted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SiteData:
    """All data of an extract.

    Attributes
    ----------
    tables : tables by the names of :data:`SCHEMAS`; absent tables are empty.
    features : features of songs; None if there are none.
    space : JSON-able description of the space of similar songs (feature_set, set_version, preprocessing_id, features,
        centre, spread, mean, variance, scale_weight, clip); None if there is none.
    vectors : vectors of songs in that space; None if there are none.
    model : JSON-able description of the model that analyses uploads; None if there is none.
    model_reason : reason why there is no model.
    map_content : the map's data as JSON; None if there is no map.
    audio : bytes of fetched clips that may be played, by sha256.
    title : name of the site.
    month : YYYY-MM, month of the charts.
    versions : Delta version by table that was read.
    """

    tables: Mapping[str, pa.Table]
    features: SongFeatures | None = None
    space: RowView | None = None
    vectors: SongVectors | None = None
    model: RowView | None = None
    model_reason: str = "no model was trained"
    map_content: str | None = None
    audio: Mapping[str, bytes] = field(default_factory=dict)
    title: str = "Genre Atlas"
    month: str = "2026-01"
    versions: Mapping[str, int] = field(default_factory=dict)

    def table(self, name: str) -> pa.Table:
        """A table with exactly the columns of its schema; absent columns are NULL."""
        schema = SCHEMAS[name]
        given = self.tables.get(name)
        if given is None:
            return schema.empty_table()
        columns = [
            given.column(one.name).cast(one.type) if one.name in given.column_names else pa.nulls(len(given), one.type)
            for one in schema
        ]
        return pa.table(columns, schema=schema)
