"""Deezer's track by ISRC, which answers 200 to everything and says in the body what it means."""

from typing import Any

from genreatlas.sandbox.world.catalogue import Catalogue, WorldSong
from genreatlas.sandbox.world.ids import isrc_number

#: Error objects by what went wrong: (type, message, code).
NO_DATA = ("DataException", "no data", 800)
THROTTLED = ("Exception", "Quota limit exceeded", 4)


def error(kind: tuple[str, str, int]) -> dict[str, Any]:
    """Body of an error."""
    name, message, code = kind
    return {"error": {"type": name, "message": message, "code": code}}


def song_of(catalogue: Catalogue, isrc: str) -> WorldSong | None:
    """The recording with an ISRC, where Deezer has it."""
    number = isrc_number(isrc)
    if number is None or number >= catalogue.song_count:
        return None
    song = catalogue.song(number)
    return song if song.on_deezer and song.isrc == isrc.upper() else None


def track(catalogue: Catalogue, song: WorldSong, preview: str) -> dict[str, Any]:
    """Body of a track; some songs are there as another version, longer and under another title."""
    title, seconds = song.title, round(song.duration_ms / 1000)
    if song.other_version:
        title, seconds = f"{title} (Live)", seconds + 47
    artist_id = 10_000 + song.artists[0]
    artist = {"id": artist_id, "name": catalogue.artist_name(song.artists[0]), "type": "artist"}
    return {
        "id": 1_000_000 + song.number,
        "readable": True,
        "title": title,
        "title_short": song.title,
        "title_version": "(Live)" if song.other_version else "",
        "isrc": song.isrc,
        "link": f"https://www.deezer.com/track/{1_000_000 + song.number}",
        "duration": seconds,
        "track_position": song.track_number,
        "disk_number": 1,
        "rank": song.popularity * 9000,
        "release_date": song.release_date or "0000-00-00",
        "explicit_lyrics": song.explicit,
        "bpm": 0,
        "gain": -9.1,
        "preview": preview,
        "contributors": [artist],
        "artist": artist,
        "album": {"id": 100_000 + song.album, "title": song.album_title, "type": "album"},
        "type": "track",
    }
