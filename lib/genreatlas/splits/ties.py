"""Links between songs: same artist, album, ISRC, identical audio or acoustic fingerprint.

Artists are performers, and album artists if they perform themselves. They are derived from credited names, so that
songs imported by older releases are linked, too. Whether a name is one act or two, or an artist or a label, is decided
from all songs of the store. A later import may change this decision; assigned songs are then handled by
:func:`genreatlas.splits.groups.later_links`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

import pandas as pd

from genreatlas.sources.credits import Performers, artist_key, performers

GroupBy = Literal["artist", "album", "song"]

#: Valid ISRC: country, registrant, year and designation. Other values of the field ("0", "unknown") give no links.
_ISRC = r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}"

_T = TypeVar("_T")

#: Minimum number of other performers on an album for a compilation: two if the album artist performs none of its songs;
#: three if it performs some, as an album may contain a duet or two credited to the partner.
_OTHERS, _OTHERS_BESIDE = 2, 3
_DISC = re.compile(r"[\s,:-]*[(\[]?\s*\b(?:disc|disk|cd)\s*\d+\s*[)\]]?\s*$", re.IGNORECASE)


def song_links(
    songs: pd.DataFrame,
    song_artists: pd.DataFrame | None = None,
    clips: pd.DataFrame | None = None,
    group_by: GroupBy = "artist",
    recordings: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List the links between songs; songs that share a key are in one group.

    Parameters
    ----------
    songs : song_id and any of ``isrc``, ``artist``, ``album``, ``album_artist``, ``compilation``. Songs are linked by
        performers and by album artists that perform (:func:`genreatlas.splits.ties.artist_links`), never by guests:
        with guests one group had a fifth of a pop library (3,395 of 17,031 songs, measured).
    song_artists : song_id, position, artist_id and optionally role; used for songs without names.
    clips : song_id, sha256 and any of ``audio_id``, ``sound_sha256``. Files with identical bytes are one recording, and
        so are files with identical sound and different tags.
    group_by : ``artist``; ``album`` (album name and, if known, album artist; songs without an album are grouped by
        artist); ``song`` (copies of one recording only).
    recordings : song_id, recording_id, kind of the table ``recording_links``. Copies are one recording. Versions with
        the same sound (remixes, live takes, other masters) are other recordings, but are in the same group unless
        ``group_by`` is ``song``. Doubtful links are ignored.

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
    """List the artists by which each song is grouped.

    These are the performer (the first artist of the credit, with normalised spelling), and the album artist if it
    performs songs itself and did not only compile the album. Album artists that perform nothing (a label, a series,
    "AA.VV.") and guests give no links.

    Parameters
    ----------
    songs : song_id and any of ``artist``, ``album_artist``, ``album`` and ``compilation``.
    song_artists : song_id, position, artist_id and optionally role; used for songs without names.

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
    """Key of an album's name for comparison: normalised like an artist's name, without a disc number."""
    return artist_key(_DISC.sub("", album) or album)


def _isrc_links(songs: pd.DataFrame) -> pd.DataFrame:
    if "isrc" not in songs:
        return _no_links()
    isrc = songs["isrc"].astype("string").str.upper().str.replace(r"[\s-]", "", regex=True)
    return _as_links(songs["song_id"], "isrc", isrc.where(isrc.str.fullmatch(_ISRC).fillna(False)))


def _recording_links(rows: pd.DataFrame, versions: bool) -> list[pd.DataFrame]:
    """Links between copies of a recording, and with ``versions`` between versions and the recording."""
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
    """Parsed credits of all songs, and decisions that need all of them."""

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
        """Yield each song id with the artist keys by which it is grouped."""
        units = _Units(self.artists, self.by, self.albums, self._performing)
        for place, (song, artist, by) in enumerate(zip(self.ids, self.artists, self.by, strict=True)):
            keys = self._of(artist)
            if by.whole and units.made_by_album_artist(place, self.flagged[place]):
                keys = [*keys, *self._of(by)]
            yield song, list(dict.fromkeys(keys))

    def _of(self, credit: Performers) -> list[str]:
        return [*credit.sure, *(lead for lead, _ in credit.maybe if (credit.whole, lead) in self._acts)]

    def _joint_acts(self) -> set[tuple[str, str]]:
        """Ambiguous credits that name two acts instead of one, as (credit, first artist).

        A credit names two acts if a partner is also credited alone, or the first artist has several partners: with
        songs of "Rihanna", "Drake & Rihanna" are two; "Simon & Garfunkel" are one even with songs of "Simon".
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
    """Counts per album artist and album, to decide whether the album artist made or only compiled the album."""

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
        """Whether the album artist of a song counts as an artist of the song."""
        artist, maker = self.artists[place], self.by[place]
        performs = not self.performing.isdisjoint(maker.sure)
        here, anywhere = (maker.whole, self.albums[place]), (maker.whole, None)
        if not artist.whole:  # the performer is not known otherwise
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
    """Parse the texts of a column; each distinct text is parsed once."""
    texts = songs[column].tolist() if column in songs else [""] * len(songs)
    texts = [text if isinstance(text, str) else "" for text in texts]
    meaning = {text: read(text) for text in set(texts)}
    return [meaning[text] for text in texts]


def _stored(song_artists: pd.DataFrame, named: set[str]) -> pd.DataFrame:
    """Artist ids of the performers of songs without names."""
    rows = song_artists[~song_artists["song_id"].isin(named)]
    if "role" in rows:
        rows = rows[rows["role"].isin(["primary", "album_artist"])].sort_values(["song_id", "position"])
        first = rows["role"] == "primary"
        rows = rows[first | ~rows["song_id"].isin(rows.loc[first, "song_id"])]
        rows = rows[rows["position"] == rows.groupby("song_id")["position"].transform("min")]
    else:
        rows = rows[rows["position"] == 0]
    return pd.DataFrame({"song_id": rows["song_id"], "key": rows["artist_id"]}, dtype=object)
