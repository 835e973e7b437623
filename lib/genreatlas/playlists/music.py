"""Songs for playlists, distances between songs, and sizes of steps between neighbouring songs."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from genreatlas.sources.credits import artist_key, is_no_artist

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Weights of a step relative to sound in standard deviations: tempo per tenth of an octave, key per step on the circle
#: of fifths, loudness per 6 dB. The sound distance of a random pair is about 1.4, a third of its step.
_TEMPO, _KEY, _LOUDNESS = 0.25, 0.2, 0.3
#: Differences used where tempo, key or loudness is unknown: medium values.
_UNKNOWN_TEMPO, _UNKNOWN_KEY, _UNKNOWN_LOUDNESS = 2.5, 3.0, 1.0
#: Difference of half and double tempo, which share a pulse, in tenths of an octave.
_OCTAVE = 1.5


@dataclass(frozen=True)
class Songs:
    """All songs that a playlist may contain, one row per song.

    Attributes
    ----------
    facts : song_id, title, artist, album, isrc, spotify_id, uri (NULL: no clip), seconds (NULL: unknown); sorted by
        song_id.
    vectors : (n, d) float32, standardised; NaN for songs without features.
    recording : (n,) number of the recording; equal for copies.
    performer : (n,) number of the first performer; -1 if unknown.
    tempo, key, minor, loudness, energy : (n,) bpm, 0 (C) to 11, 0 or 1, dB, any unit; NaN where unknown.
    genre_ids, genre_names : ids and names of all genres.
    labels : (m, 2) pairs (song, genre), sorted.
    credits : (m, 2) pairs (song, artist), including guests.
    artist_keys : number of each artist by key of the name.
    """

    facts: pd.DataFrame
    vectors: npt.NDArray[np.float32]
    recording: Ints
    performer: Ints
    tempo: Floats
    key: Floats
    minor: Floats
    loudness: Floats
    energy: Floats
    genre_ids: tuple[str, ...]
    genre_names: tuple[str, ...]
    labels: Ints
    credits: Ints
    artist_keys: dict[str, int]

    def __len__(self) -> int:
        return len(self.recording)

    @property
    def heard(self) -> npt.NDArray[np.bool_]:
        """Mask of songs with features, (n,)."""
        return np.isfinite(self.vectors[:, 0]) if self.vectors.shape[1] else np.zeros(len(self), dtype=bool)

    @property
    def seconds(self) -> Floats:
        """Length of songs in seconds, (n,); NaN where unknown."""
        return self.facts["seconds"].to_numpy(dtype=np.float64)

    def of_genre(self, genre: int) -> Ints:
        """Rows of the songs of a genre."""
        return self.labels[self.labels[:, 1] == genre, 0]

    def of_artist(self, artist: int) -> Ints:
        """Rows of the songs on which an artist is credited."""
        return self.credits[self.credits[:, 1] == artist, 0]

    @cached_property
    def by_title(self) -> Mapping[tuple[str, str], list[int]]:
        """Rows of songs by keys of artist and title."""
        found: dict[tuple[str, str], list[int]] = {}
        for row, (artist, title) in enumerate(zip(self.facts["artist"], self.facts["title"], strict=True)):
            if isinstance(artist, str) and isinstance(title, str) and artist.strip() and title.strip():
                found.setdefault((artist_key(artist), title_key(title)), []).append(row)
        return found

    def called(self, row: int) -> str:
        """Artist and title for display."""
        fact = self.facts.iloc[row]
        words = [str(fact[name]) for name in ("artist", "title") if isinstance(fact[name], str) and fact[name].strip()]
        return " - ".join(words) or str(fact["song_id"])


def credited(
    facts: pd.DataFrame, song_artists: pd.DataFrame, names: Mapping[str, str]
) -> tuple[Ints, Ints, dict[str, int]]:
    """Number the artists, and find the performer and the credited artists of each song.

    Artists with equal name keys (:func:`genreatlas.sources.credits.artist_key`) are one artist, regardless of spelling.

    Parameters
    ----------
    facts : song_id, artist; one row per song.
    song_artists : song_id, position (0: performer), artist_id.
    names : name by artist_id.

    Returns
    -------
    performer : (n,) number of the artist at position 0, or else of the artist in ``facts``; -1 if unknown.
    credits : (m, 2) pairs (song, artist).
    keys : number of each artist by key.
    """
    row_of = pd.Series(np.arange(len(facts)), index=facts["song_id"])
    key_of = {one: artist_key(name) for one, name in names.items()}
    credits = song_artists[song_artists["song_id"].isin(row_of.index)]
    credits = credits.assign(
        row=row_of.reindex(credits["song_id"]).to_numpy(),
        key=[key_of.get(one) or one for one in credits["artist_id"]],
    ).sort_values(["row", "position"], ignore_index=True)
    named = pd.Series(
        [artist_key(one) if isinstance(one, str) and not is_no_artist(one) else None for one in facts["artist"]],
        index=facts.index,
        dtype=object,
    )
    first = credits[credits["position"] == 0].drop_duplicates("row").set_index("row")["key"]
    first = first.reindex(range(len(facts))).astype(object)
    keyed = [one if isinstance(one, str) else other for one, other in zip(first, named, strict=True)]
    keys = sorted({*credits["key"], *(key for key in keyed if isinstance(key, str))})
    number = {key: place for place, key in enumerate(keys)}
    performer = np.array([number[key] if isinstance(key, str) else -1 for key in keyed], dtype=np.int64)
    known = np.flatnonzero(performer >= 0)
    pairs = np.array(
        [*zip(credits["row"], credits["key"].map(number), strict=True), *zip(known, performer[known], strict=True)],
        dtype=np.int64,
    )
    return performer, np.unique(pairs.reshape(-1, 2), axis=0), number


def title_key(title: str) -> str:
    """Normalise a title for comparison: no case, accents or punctuation; unchanged if nothing would be left."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", title).casefold())
    words = "".join(letter for letter in plain if letter.isalnum() or letter.isspace()).split()
    return " ".join(words) or title.strip()


def standardise(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Centre columns by the median and scale them by the spread: half the distance of the 16th and 84th percentiles.

    Values are clipped at four spreads, so that a single outlying feature does not dominate. Missing values become 0;
    rows without any value stay NaN; constant columns are dropped.

    Parameters
    ----------
    values : (n, n_features), NaN where missing.

    Returns
    -------
    (n, n_kept) float32.
    """
    known = np.isfinite(values)
    empty = ~known.any(axis=1)
    columns = []
    for values_of, known_of in zip(values.T, known.T, strict=True):
        if not known_of.any():
            continue
        low, middle, high = np.percentile(values_of[known_of].astype(np.float64), (16, 50, 84))
        spread = (high - low) / 2 or float(values_of[known_of].std())
        if spread > 1e-9 * max(abs(middle), 1e-30):
            scaled = np.clip((values_of.astype(np.float64) - middle) / spread, -4.0, 4.0)
            columns.append(np.where(known_of, scaled, 0.0).astype(np.float32))
    made = np.column_stack(columns) if columns else np.zeros((len(values), 0), dtype=np.float32)
    made[empty] = np.nan
    return made


def distances(songs: Songs, point: npt.NDArray[np.floating], rows: Ints | None = None) -> Floats:
    """Root mean square difference of songs from a point, in spreads; NaN for songs without features.

    Parameters
    ----------
    songs : all songs.
    point : (d,) vector of a song, or mean of vectors.
    rows : rows of the songs; None: all.
    """
    vectors = songs.vectors if rows is None else songs.vectors[rows]
    off = vectors - point.astype(np.float32)
    return np.sqrt(np.einsum("ij,ij->i", off, off, dtype=np.float64) / max(vectors.shape[1], 1))


def centre(songs: Songs, rows: Ints) -> Floats | None:
    """Mean vector of songs, each recording counted once; None if none of them has features."""
    known = rows[songs.heard[rows]]
    if not len(known):
        return None
    _, first = np.unique(songs.recording[known], return_index=True)
    mean: Floats = songs.vectors[known[first]].mean(axis=0, dtype=np.float64)
    return mean


def camelot(key: float, minor: float) -> str | None:
    """Camelot notation of a key: 8B is C major, 8A A minor; neighbouring keys share six of seven notes.

    Parameters
    ----------
    key : 0 (C) to 11 (B), NaN where unknown.
    minor : 1 for minor, 0 for major, NaN where unknown.
    """
    if not (np.isfinite(key) and np.isfinite(minor)):
        return None
    return f"{int((_fifths(np.array([key]), np.array([minor]))[0] + 7) % 12 + 1)}{'A' if minor else 'B'}"


def _fifths(key: Floats, minor: Floats) -> Floats:
    """Position on the circle of fifths; minor keys as their relative major: C and A minor 0, G and E minor 1."""
    place: Floats = ((key + 3 * minor) * 7) % 12
    return place


def key_distance(key: float, minor: float, keys: Floats, minors: Floats) -> Floats:
    """Distance of keys: steps on the circle of fifths (0 to 6), plus 1 between major and minor; NaN where unknown."""
    around = np.abs(_fifths(np.array([key]), np.array([minor])) - _fifths(keys, minors))
    found: Floats = np.minimum(around, 12 - around) + (minors != minor)
    return found


def tempo_distance(tempo: float, tempi: Floats) -> Floats:
    """Distance of tempi in tenths of an octave; 1.5 for half and double tempo, which share a pulse."""
    octaves = np.abs(np.log2(np.maximum(tempi, 1e-9) / max(tempo, 1e-9)))
    found: Floats = 10 * np.minimum(octaves, np.abs(octaves - 1) + _OCTAVE / 10)
    return found


def steps_from(songs: Songs, row: int, rows: Ints) -> Floats:
    """Size of the steps from one song to others: weighted sum of differences in sound, tempo, key and loudness.

    Unknown differences are replaced by medium values.

    Parameters
    ----------
    songs : all songs.
    row : row of the first song.
    rows : (k,) rows of the other songs.

    Returns
    -------
    (k,).
    """
    sound = np.nan_to_num(distances(songs, songs.vectors[row], rows), nan=1.0)
    parts = (
        (tempo_distance(songs.tempo[row], songs.tempo[rows]), _TEMPO, _UNKNOWN_TEMPO, 6.0),
        (
            key_distance(songs.key[row], songs.minor[row], songs.key[rows], songs.minor[rows]),
            _KEY,
            _UNKNOWN_KEY,
            7.0,
        ),
        (np.abs(songs.loudness[rows] - songs.loudness[row]) / 6.0, _LOUDNESS, _UNKNOWN_LOUDNESS, 4.0),
    )
    for size, weight, unknown, most in parts:
        sound = sound + weight * np.minimum(np.nan_to_num(size, nan=unknown), most)
    return sound


def step_matrix(songs: Songs, rows: Ints) -> Floats:
    """Size of the steps between all pairs of songs, (k, k)."""
    return np.array([steps_from(songs, int(row), rows) for row in rows]).reshape(len(rows), len(rows))
