"""What ties songs together: an artist, an album, one recording's ISRC, identical audio."""

from typing import Literal

import pandas as pd

from genreatlas.sources.credits import artist_key
from genreatlas.splits.artists import album_key, artist_links

GroupBy = Literal["artist", "album", "song"]

#: Country, registrant, year and designation. Anything else in the field ("0", "unknown") joins nothing.
_ISRC = r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}"


def song_links(
    songs: pd.DataFrame,
    song_artists: pd.DataFrame | None = None,
    clips: pd.DataFrame | None = None,
    group_by: GroupBy = "artist",
) -> pd.DataFrame:
    """List every reason for which two songs may not part: songs that share a key are one group.

    Parameters
    ----------
    songs : song_id, and of ``isrc``, ``artist``, ``album``, ``album_artist``, ``compilation`` those that are known.
        Performers group, and album artists that perform (:func:`genreatlas.splits.artists.artist_links`);
        guests never do, because one chain of guests ties a fifth of a pop library into one group
        (3,395 of 17,031 songs, measured).
    song_artists : song_id, position, artist_id and, where known, role: for songs whose names are not known.
    clips : song_id, sha256, and of ``audio_id``, ``sound_sha256`` those that are known. Identical bytes under two
        names are one recording, and so is identical sound in files with different tags.
    group_by : ``artist``; ``album`` (name and album artist, the name alone where that is not given;
        a song without an album goes by its artist); ``song`` (copies of one recording only).

    Returns
    -------
    DataFrame : song_id, kind (artist, album, isrc, audio), key; sorted, without duplicates.
    """
    found = [_isrc_links(songs)]
    if clips is not None:
        same = [name for name in ("sha256", "audio_id", "sound_sha256") if name in clips]
        found += [_as_links(clips["song_id"], "audio", clips[name]) for name in same]
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


def _isrc_links(songs: pd.DataFrame) -> pd.DataFrame:
    if "isrc" not in songs:
        return _no_links()
    isrc = songs["isrc"].astype("string").str.upper().str.replace(r"[\s-]", "", regex=True)
    return _as_links(songs["song_id"], "isrc", isrc.where(isrc.str.fullmatch(_ISRC).fillna(False)))


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
