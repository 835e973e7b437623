"""Previews: Deezer's track by ISRC, and the clips it links to.

Deezer responds with status 200 to every request and reports errors in the body. Clips are the composer's files under
links that expire. The bytes of each song's clip are unique.
"""

import hashlib
import hmac
import time
from pathlib import Path

from genreatlas.sandbox.world.contents import Catalogue, WorldSong, isrc_number

MIME = {".mp3": "audio/mpeg", ".wav": "audio/wav"}

#: Bytes that are not audio: the header of an image.
PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00" + bytes(2048)

#: Error objects: (type, message, code).
NO_DATA = ("DataException", "no data", 800)
#: Deezer's id of the first song.
_FIRST_ID = 1_000_000
THROTTLED = ("Exception", "Quota limit exceeded", 4)


class Clips:
    """Reads clips and signs links to clips."""

    def __init__(self, catalogue: Catalogue, lifetime_s: float) -> None:
        self.catalogue, self.lifetime_s = catalogue, lifetime_s
        self._key = f"sandbox {catalogue.seed}".encode()

    def path(self, song: WorldSong) -> Path:
        """Path of a song's clip."""
        return Path(self.catalogue.library.path) / song.clip

    def read(self, song: WorldSong) -> bytes | None:
        """Content of a song's clip; None if the library has not been composed.

        A tag with the song's number is prepended in generated worlds, so that no two songs have equal files.
        """
        try:
            body = self.path(song).read_bytes()
        except OSError:
            return None
        return _tag(song.number) + body if self.catalogue.world.genres and song.clip.endswith(".mp3") else body

    def signature(self, song: WorldSong, lifetime_s: float | None = None) -> str:
        """Query parameter that makes a link valid until it expires, as in Deezer's links."""
        expires = int(time.time() + (self.lifetime_s if lifetime_s is None else lifetime_s))
        return f"hdnea=exp={expires}~acl=/stream/*~hmac={self._mark(song, expires)}"

    def good(self, song: WorldSong, parameter: str) -> bool:
        """Whether the value of such a parameter has a valid signature and has not expired."""
        parts = dict(part.partition("=")[::2] for part in parameter.split("~"))
        expires = parts.get("exp", "")
        if not expires.isdecimal() or int(expires) < time.time():
            return False
        return hmac.compare_digest(parts.get("hmac", ""), self._mark(song, int(expires)))

    def _mark(self, song: WorldSong, expires: int) -> str:
        return hmac.new(self._key, f"{song.number}:{expires}".encode(), hashlib.sha256).hexdigest()


def _tag(number: int) -> bytes:
    """An ID3v2.3 tag with one text frame (id3.org, 1999), which decoders skip."""
    text = b"\x00sandbox\x00" + str(number).encode()
    frame = b"TXXX" + len(text).to_bytes(4, "big") + b"\x00\x00" + text
    size = len(frame)
    synchsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + synchsafe + frame


def deezer_error(kind: tuple[str, str, int]) -> dict[str, object]:
    """Response body of an error."""
    name, message, code = kind
    return {"error": {"type": name, "message": message, "code": code}}


def song_of(catalogue: Catalogue, isrc: str) -> WorldSong | None:
    """The recording with an ISRC; None if Deezer does not have it."""
    number = isrc_number(isrc)
    if number is None or number >= catalogue.song_count:
        return None
    song = catalogue.song(number)
    return song if song.on_deezer and song.isrc == isrc.upper() else None


def song_numbered(catalogue: Catalogue, track_id: int) -> WorldSong | None:
    """The song with a Deezer id; None if Deezer does not have it."""
    number = track_id - _FIRST_ID
    song = catalogue.song(number) if 0 <= number < catalogue.song_count else None
    return song if song is not None and song.on_deezer else None


def deezer_track(catalogue: Catalogue, song: WorldSong, preview: str) -> dict[str, object]:
    """Response body of a track. For some songs it is another version, with another title and a greater length."""
    title, seconds = song.title, round(song.duration_ms / 1000)
    if song.other_version:
        title, seconds = f"{title} (Live)", seconds + 47
    artist_id = 10_000 + song.artists[0]
    artist = {"id": artist_id, "name": catalogue.artist_name(song.artists[0]), "type": "artist"}
    return {
        "id": _FIRST_ID + song.number,
        "readable": True,
        "title": title,
        "title_short": song.title,
        "title_version": "(Live)" if song.other_version else "",
        "isrc": song.isrc,
        "link": f"https://www.deezer.com/track/{_FIRST_ID + song.number}",
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
