"""Playlists created by apps: kept in memory, and modified through the Web API."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from genreatlas.sandbox.world.contents import Entry, Ids, Kind
from genreatlas.sandbox.world.spotify_bodies import Bodies, Body
from genreatlas.values import JsonObject

#: Maximum number of entries per request to add or replace.
_BATCH = 100
#: First number of created playlists, above those of the catalogue whatever its number of genres.
_FIRST = 1 << 40
_TRACK = "spotify:track:"


@dataclass
class OwnPlaylist:
    """A playlist created for the user."""

    playlist_id: str
    name: str
    description: str
    public: bool
    songs: list[int] = field(default_factory=list)
    version: int = 0

    @property
    def snapshot(self) -> str:
        """Snapshot id, which differs after every change."""
        return hashlib.sha1(f"{self.playlist_id}:{self.version}".encode(), usedforsecurity=False).hexdigest()


class OwnPlaylists:
    """Playlists created since the world was started."""

    def __init__(self, bodies: Bodies, ids: Ids) -> None:
        self._bodies, self._ids = bodies, ids
        self._playlists: dict[str, OwnPlaylist] = {}

    def __len__(self) -> int:
        return len(self._playlists)

    def find(self, playlist_id: str) -> OwnPlaylist | None:
        """The created playlist with an id; None if there is none."""
        return self._playlists.get(playlist_id)

    def create(self, wanted: JsonObject) -> tuple[int, Body | str]:
        """Create a playlist. Returns status and response body, or the error message."""
        name = wanted.get("name")
        if not isinstance(name, str) or not name.strip():
            return 400, "Missing required field: name"
        playlist_id = self._ids.encode(Kind.PLAYLIST, _FIRST + len(self._playlists))
        description = wanted.get("description")
        made = OwnPlaylist(
            playlist_id, name, description if isinstance(description, str) else "", wanted.get("public", True) is True
        )
        self._playlists[playlist_id] = made
        return 201, self.body(made)

    def change(self, playlist: OwnPlaylist, wanted: JsonObject, replace: bool) -> tuple[int, Body | str]:
        """Replace the songs or add songs. Returns status and response body, or the error message."""
        uris = wanted.get("uris")
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
            return 400, "No uris provided"
        if len(uris) > _BATCH:
            return 400, "You can add a maximum of 100 tracks per request."
        songs = []
        for uri in uris:
            song = self._bodies.song_of(uri.removeprefix(_TRACK)) if uri.startswith(_TRACK) else None
            if song is None:
                return 400, f"Invalid track uri: {uri}"
            songs.append(song.number)
        position = wanted.get("position", len(playlist.songs))
        if not isinstance(position, int) or not 0 <= position <= len(playlist.songs):
            return 400, "Index out of bounds."
        if replace:
            playlist.songs = songs
        else:
            playlist.songs[position:position] = songs
        playlist.version += 1
        return (200 if replace else 201), {"snapshot_id": playlist.snapshot}

    def body(self, playlist: OwnPlaylist, with_entries: bool = True) -> Body:
        """Response body of a playlist with its first page of entries."""
        made = self._bodies.own_playlist(
            playlist.playlist_id, playlist.name, playlist.description, playlist.public, playlist.snapshot
        )
        if with_entries:
            made[self._bodies.rights.form] = self.page(playlist, 0, self._bodies.list_page)
        return made

    def page(self, playlist: OwnPlaylist, offset: int, limit: int) -> Body:
        """Response body of a page of entries."""
        entries = [Entry("song", number) for number in playlist.songs]
        return self._bodies.entries_page(playlist.playlist_id, entries, offset, limit)

    def listed(self) -> Sequence[Body]:
        """Response bodies of all playlists, the newest first, as in the list of the user's playlists."""
        return [self.body(one, with_entries=False) for one in reversed(self._playlists.values())]


def wanted_of(text: str) -> dict[str, object] | None:
    """Body of a request; None if it is not a JSON object."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
