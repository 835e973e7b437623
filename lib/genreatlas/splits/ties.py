"""What ties songs together: an artist, an album, one recording's ISRC, identical audio, one acoustic fingerprint.

Artists are the performers, and the album artist where it performs itself. All of it follows from the names that songs
are credited with, so songs of older stores and new ones meet. What a name is (one act or two, an artist or a label) is
judged by all songs at hand. A later import may change that; songs that are placed then follow the rule for later links.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

import pandas as pd

from genreatlas.sources.credits import Performers, artist_key, performers

GroupBy = Literal["artist", "album", "song"]

#: Country, registrant, year and designation. Anything else in the field ("0", "unknown") joins nothing.
_ISRC = r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}"

_T = TypeVar("_T")

#: Different performers on an album that its album artist did not make. Two where the album artist performs none of
#: its songs; three where it performs some, as an album may hold a duet or two under the partner's name.
_OTHERS, _OTHERS_BESIDE = 2, 3
_DISC = re.compile(r"[\s,:-]*[(\[]?\s*\b(?:disc|disk|cd)\s*\d+\s*[)\]]?\s*$", re.IGNORECASE)


def song_links(
    songs: pd.DataFrame,
    song_artists: pd.DataFrame | None = None,
    clips: pd.DataFrame | None = None,
    group_by: GroupBy = "artist",
    recordings: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List every reason for which two songs may not part: songs that share a key are one group.

    Parameters
    ----------
    songs : song_id, and of ``isrc``, ``artist``, ``album``, ``album_artist``, ``compilation`` those that are known.
        Performers group, and album artists that perform (:func:`genreatlas.splits.ties.artist_links`);
        guests never do, because one chain of guests ties a fifth of a pop library into one group
        (3,395 of 17,031 songs, measured).
    song_artists : song_id, position, artist_id and, where known, role: for songs whose names are not known.
    clips : song_id, sha256, and of ``audio_id``, ``sound_sha256`` those that are known. Identical bytes under two
        names are one recording, and so is identical sound in files with different tags.
    group_by : ``artist``; ``album`` (name and album artist, the name alone where that is not given;
        a song without an album goes by its artist); ``song`` (copies of one recording only).
    recordings : song_id, recording_id, kind of the table ``recording_links``: copies are one recording; versions that
        share its sound (remixes, live takes, other masters) are not, but are grouped with it, unless songs are grouped
        alone. Doubtful links tie nothing.

    Returns
    -------
    DataFrame : song_id, kind (artist, album, isrc, audio, recording, version), key; sorted, without duplicates.
    """
    found = [_isrc_links(songs)]
    if clips is not None:
        same = [name for name in ("sha256", "audio_id", "sound_sha256") if name in clips]
        found += [_as_links(clips["song_id"], "audio", clips[name]) for name in same]
    if recordings is not None:
        found += _recording_links(recordings, versions=group_by != "song")
    artists = _no_links()
    if group_by != "song":
        artists = artist_links(songs, song_artists)
    if group_by == "album":
        albums = _album_links(songs)
        artists = artists[~artists["song_id"].isin(albums["song_id"])]
        found.append(albums)
    found.append(artists)
    links = pd.concat(found, ignore_index=True)
    links = links[links["song_id"].isin(songs["song_id"])].drop_duplicates()
    return links.sort_values(["song_id", "kind", "key"], ignore_index=True)


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


def _isrc_links(songs: pd.DataFrame) -> pd.DataFrame:
    if "isrc" not in songs:
        return _no_links()
    isrc = songs["isrc"].astype("string").str.upper().str.replace(r"[\s-]", "", regex=True)
    return _as_links(songs["song_id"], "isrc", isrc.where(isrc.str.fullmatch(_ISRC).fillna(False)))


def _recording_links(rows: pd.DataFrame, versions: bool) -> list[pd.DataFrame]:
    """Links of songs to the recording that they are copies of, and of versions and that recording to each other."""
    copies = rows[rows["kind"] == "copy"]
    found = [_as_links(copies["song_id"], "recording", copies["recording_id"])]
    if versions:
        others = rows[~rows["kind"].isin(["copy", "doubt"])]
        pairs = others["song_id"] + ":" + others["recording_id"]
        found += [_as_links(others[name], "version", pairs) for name in ("song_id", "recording_id")]
    return found


def _album_links(songs: pd.DataFrame) -> pd.DataFrame:
    if "album" not in songs:
        return _no_links()
    album = songs["album"].astype("string").fillna("").map(album_key)
    by = songs["album_artist"] if "album_artist" in songs else pd.Series("", index=songs.index)
    by = by.astype("string").fillna("").map(artist_key)
    return _as_links(songs["song_id"], "album", (album + "\n" + by).where(album != ""))


def _as_links(song_ids: pd.Series, kind: str, keys: pd.Series) -> pd.DataFrame:
    known = keys.notna().to_numpy()
    columns = {
        "song_id": song_ids.to_numpy(dtype=object)[known],
        "kind": kind,
        "key": keys.to_numpy(dtype=object)[known],
    }
    return pd.DataFrame(columns)


def _no_links() -> pd.DataFrame:
    return pd.DataFrame({"song_id": [], "kind": [], "key": []}, dtype=object)


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
