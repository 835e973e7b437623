"""Who ties songs together: their performers, and the album artist where it performs itself.

Everything follows from the names that songs are credited with, so songs of older stores and new
ones meet. What a name is (one act or two, an artist or a label) is judged by all songs at hand. A
later import may change that; songs that are placed then follow the rule for later links.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

import pandas as pd

from genreatlas.sources.credits import Performers, artist_key, performers

_T = TypeVar("_T")

#: Different performers on an album that its album artist did not make. Two where the album artist performs none of
#: its songs; three where it performs some, as an album may hold a duet or two under the partner's name.
_OTHERS, _OTHERS_BESIDE = 2, 3
_DISC = re.compile(r"[\s,:-]*[(\[]?\s*\b(?:disc|disk|cd)\s*\d+\s*[)\]]?\s*$", re.IGNORECASE)


def artist_links(songs: pd.DataFrame, song_artists: pd.DataFrame | None = None) -> pd.DataFrame:
    """List the artists that each song is grouped by.

    That is the performer: the first artist of the credit, in any spelling. The album artist is one too, where it
    performs songs itself and did not merely compile the album. An album artist that performs nothing (a label, a
    series, "AA.VV.") ties nothing, whatever its name. Guests never do.

    Parameters
    ----------
    songs : song_id, and of ``artist``, ``album_artist``, ``album`` and ``compilation`` those that are known.
    song_artists : song_id, position, artist_id and, where known, role: used for songs without names.

    Returns
    -------
    DataFrame : song_id, kind ("artist"), key.
    """
    by_song = _Credits(songs)
    made = [(song, key) for song, keys in by_song.of_songs() for key in keys]
    links = pd.DataFrame(made, columns=["song_id", "key"], dtype=object)
    if song_artists is not None and len(song_artists):
        links = pd.concat([links, _stored(song_artists, by_song.named)], ignore_index=True)
    return links.assign(kind="artist")[["song_id", "kind", "key"]]


def album_key(album: str) -> str:
    """Reduce an album's name to what is compared: as an artist's, and without the number of a disc."""
    return artist_key(_DISC.sub("", album) or album)


class _Credits:
    """The credits of all songs, and what they say together."""

    def __init__(self, songs: pd.DataFrame) -> None:
        self.ids = songs["song_id"].tolist()
        self.artists = _read(songs, "artist", performers)
        self.by = _read(songs, "album_artist", performers)
        self.albums = _read(songs, "album", album_key)
        flags = songs["compilation"].tolist() if "compilation" in songs else [None] * len(songs)
        self.flagged = [flag is True or str(flag) == "True" for flag in flags]
        named = zip(self.ids, self.artists, self.by, strict=True)
        self.named = {song for song, artist, by in named if artist.whole or by.whole}
        self._acts = self._joint_acts()
        self._performing = {key for credit in set(self.artists) for key in self._of(credit)}

    def of_songs(self) -> Iterable[tuple[str, list[str]]]:
        """Each song with the keys that it is grouped by."""
        units = _Units(self.artists, self.by, self.albums, self._performing)
        for place, (song, artist, by) in enumerate(zip(self.ids, self.artists, self.by, strict=True)):
            keys = self._of(artist)
            if by.whole and units.made_by_album_artist(place, self.flagged[place]):
                keys = [*keys, *self._of(by)]
            yield song, list(dict.fromkeys(keys))

    def _of(self, credit: Performers) -> list[str]:
        return [*credit.sure, *(lead for lead, _ in credit.maybe if (credit.whole, lead) in self._acts)]

    def _joint_acts(self) -> set[tuple[str, str]]:
        """Credits that could name one act or two, and name two: (credit, first artist).

        They do where a partner is credited alone elsewhere, or the first artist has several partners:
        with "Rihanna" about, "Drake & Rihanna" are two, while "Simon & Garfunkel" stay one beside "Simon".
        """
        distinct = {*self.artists, *self.by}
        alone = {credit.whole for credit in distinct}
        leads = Counter(lead for _, lead in {(c.whole, lead) for c in distinct for lead, _ in c.maybe})
        return {
            (credit.whole, lead)
            for credit in distinct
            for lead, partners in credit.maybe
            if leads[lead] > 1 or not alone.isdisjoint(partners)
        }


class _Units:
    """Albums of each album artist: whether it made them or compiled them."""

    def __init__(
        self, artists: list[Performers], by: list[Performers], albums: list[str], performing: set[str]
    ) -> None:
        self.artists, self.by, self.albums, self.performing = artists, by, albums, performing
        self.songs: defaultdict[tuple[str, str | None], int] = defaultdict(int)
        self.own: defaultdict[tuple[str, str | None], int] = defaultdict(int)
        self.others: defaultdict[tuple[str, str | None], set[str]] = defaultdict(set)
        for artist, maker, album in zip(artists, by, albums, strict=True):
            if maker.whole and artist.whole:
                for unit in ((maker.whole, album), (maker.whole, None)):
                    self.songs[unit] += 1
                    if artist.named.isdisjoint(maker.sure):
                        self.others[unit].add(artist.whole)
                    else:
                        self.own[unit] += 1

    def made_by_album_artist(self, place: int, flagged: bool) -> bool:
        """Whether a song's album artist is an artist of the song."""
        artist, maker = self.artists[place], self.by[place]
        performs = not self.performing.isdisjoint(maker.sure)
        here, anywhere = (maker.whole, self.albums[place]), (maker.whole, None)
        if not artist.whole:  # nothing else is known of who performs
            return performs or not (flagged or self._compiled(here) or self._compiled(anywhere))
        if flagged or not performs:
            return False
        if 2 * self.own[here] >= self.songs[here]:
            return True
        return not self._compiled(here) and not self._compiled(anywhere)

    def _compiled(self, unit: tuple[str, str | None]) -> bool:
        most = _OTHERS if not self.own[unit] else _OTHERS_BESIDE
        return len(self.others[unit]) >= most and 2 * self.own[unit] < self.songs[unit]


def _read(songs: pd.DataFrame, column: str, read: Callable[[str], _T]) -> list[_T]:
    """What a column's texts mean; each distinct one is read once."""
    texts = songs[column].tolist() if column in songs else [""] * len(songs)
    texts = [text if isinstance(text, str) else "" for text in texts]
    meaning = {text: read(text) for text in set(texts)}
    return [meaning[text] for text in texts]


def _stored(song_artists: pd.DataFrame, named: set[str]) -> pd.DataFrame:
    """Ids of the performers of songs whose names are not known."""
    rows = song_artists[~song_artists["song_id"].isin(named)]
    if "role" in rows:
        rows = rows[rows["role"].isin(["primary", "album_artist"])].sort_values(["song_id", "position"])
        first = rows["role"] == "primary"
        rows = rows[first | ~rows["song_id"].isin(rows.loc[first, "song_id"])]
        rows = rows[rows["position"] == rows.groupby("song_id")["position"].transform("min")]
    else:
        rows = rows[rows["position"] == 0]
    return pd.DataFrame({"song_id": rows["song_id"], "key": rows["artist_id"]}, dtype=object)
