"""Response bodies of the Web API in both generations, and selection by ``fields``.

``fields`` is a parameter of the playlist calls: ``id,tracks(items(track(name,artists.name)),next)``.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from genreatlas.config.sections import App
from genreatlas.sandbox.world.contents import ROLES, Catalogue, Entry, Ids, Kind, Role, WorldSong, sound_of
from genreatlas.values import JsonObject

Body = JsonObject

#: Owner of each role's playlists; ``own`` belongs to the user whom the sandbox authorises.
OWNERS = {"sound": "thesoundsofspotify", "own": "listener"}
LISTENER = "listener"


@dataclass(frozen=True)
class Rights:
    """Access rights of an app.

    Parameters
    ----------
    form : name of the list in a playlist: ``tracks`` (of ``track``) or ``items`` (of ``item``).
    sound : audio features and analyses; new apps get 403 since 2024-11-27.
    previews : preview URLs; null for new apps since 2024-11-27.
    batches : ``tracks?ids=``; gone in development mode since February 2026.
    others : entries of playlists that the user does not own.
    page : maximum page size of a search.
    lean : omitted fields.
    """

    form: str = "tracks"
    sound: bool = True
    previews: bool = True
    batches: bool = True
    others: bool = True
    page: int = 50
    lean: tuple[str, ...] = ()


RIGHTS: dict[App, Rights] = {
    "legacy": Rights(),
    "extended": Rights(sound=False, previews=False),
    "development": Rights(
        form="items",
        sound=False,
        previews=False,
        batches=False,
        others=False,
        page=10,
        lean=("popularity", "available_markets", "linked_from"),
    ),
}

_SECONDS = 30.0

Tree = dict[str, "Tree"]
_TOKEN = re.compile(r"[^,().!\s]+|[,().!]")


class Bodies:
    """Creates response bodies. ``api`` and ``cdn`` are the base addresses of links."""

    def __init__(self, catalogue: Catalogue, ids: Ids, rights: Rights, api: str, cdn: str) -> None:
        self.catalogue, self.ids, self.rights, self.api, self.cdn = catalogue, ids, rights, api, cdn

    @property
    def list_page(self) -> int:
        """Maximum page size of a playlist: 100, and 50 in the newer form."""
        return 50 if self.rights.form == "items" else 100

    def playlist_id(self, genre: int, role: Role) -> str:
        """Id of a genre's playlist in a role."""
        return self.ids.encode(Kind.PLAYLIST, genre * 8 + ROLES.index(role))

    def playlist_of(self, playlist_id: str) -> tuple[int, Role] | None:
        """Genre and role of a playlist; None for other ids."""
        number = self.ids.decode(Kind.PLAYLIST, playlist_id)
        if number is None or number % 8 >= len(ROLES) or number // 8 >= len(self.catalogue.genres):
            return None
        return number // 8, ROLES[number % 8]  # type: ignore[return-value]

    def playlist(self, genre: int, role: Role, version: int, entries: list[Entry] | None) -> Body:
        """A playlist with its first page of entries, or without entries if ``entries`` is None."""
        playlist_id, name = self.playlist_id(genre, role), self.catalogue.genres[genre].name
        title = f"The Sound of {name.title()}" if role == "sound" else f"{role.title()} of {name.title()}"
        body = self._linked("playlist", playlist_id) | {
            "collaborative": False,
            "description": f"An algorithmic introduction to {name}.",
            "followers": {"href": None, "total": 1000 + genre},
            "images": [],
            "name": title,
            "owner": self._user(OWNERS.get(role, "particledetector")),
            "primary_color": None,
            "public": True,
            "snapshot_id": hashlib.sha1(f"{playlist_id}:{version}".encode()).hexdigest(),
        }
        if entries is not None:
            body[self.rights.form] = self.page(genre, role, entries, 0, self.list_page)
        return body

    def own_playlist(self, playlist_id: str, name: str, description: str, public: bool, snapshot: str) -> Body:
        """A playlist created by an app for its user, without entries."""
        return self._linked("playlist", playlist_id) | {
            "collaborative": False,
            "description": description,
            "followers": {"href": None, "total": 0},
            "images": [],
            "name": name,
            "owner": self._user(LISTENER),
            "primary_color": None,
            "public": public,
            "snapshot_id": snapshot,
        }

    def page(self, genre: int, role: Role, entries: list[Entry], offset: int, limit: int) -> Body:
        """A page of a playlist's entries."""
        return self.entries_page(self.playlist_id(genre, role), entries, offset, limit)

    def entries_page(self, playlist_id: str, entries: list[Entry], offset: int, limit: int) -> Body:
        """A page of the entries of any playlist."""
        items = [self._entry(entry) for entry in entries[offset : offset + limit]]
        address = f"{self.api}/playlists/{playlist_id}/{self.rights.form}"
        return self._paged(address, items, len(entries), offset, limit, "&additional_types=track,episode")

    def track(self, song: WorldSong) -> Body:
        """A full track object."""
        track_id = self.ids.encode(Kind.TRACK, song.number)
        artists = [self.artist(number) for number in song.artists]
        album_id = self.ids.encode(Kind.ALBUM, song.album)
        album = self._linked("album", album_id) | {
            "album_type": "album",
            "artists": artists[:1],
            "available_markets": ["DE", "ES", "GB", "US"],
            "images": [
                {"height": size, "width": size, "url": f"{self.cdn}/image/{album_id}{size}"} for size in (640, 300, 64)
            ],
            "name": song.album_title,
            "release_date": song.release_date,
            "release_date_precision": song.precision,
            "total_tracks": 12,
        }
        preview = self.rights.previews and song.has_preview
        body = self._linked("track", track_id) | {
            "album": album,
            "artists": artists,
            "available_markets": ["DE", "ES", "GB", "US"],
            "disc_number": 1,
            "duration_ms": song.duration_ms,
            "episode": False,
            "explicit": song.explicit,
            "external_ids": {"isrc": song.isrc} if song.isrc else {},
            "is_local": False,
            "name": song.title,
            "popularity": song.popularity,
            "preview_url": f"{self.cdn}/mp3-preview/{track_id}?cid=sandbox" if preview else None,
            "track": True,
            "track_number": song.track_number,
        }
        for name in self.rights.lean:
            body.pop(name, None)
            album.pop(name, None)
        return body

    def artist(self, number: int) -> Body:
        """A simplified artist object."""
        artist_id = self.ids.encode(Kind.ARTIST, number)
        return self._linked("artist", artist_id) | {"name": self.catalogue.artist_name(number)}

    def features(self, track_id: str) -> Body | None:
        """Audio features of a track; None (null in the API) if there are none."""
        song = self.song_of(track_id)
        if song is None or song.number % 97 == 96:
            return None
        base = self.catalogue.genres[song.genre].base
        return sound_of(self.catalogue.seed, base, song.number) | {
            "type": "audio_features",
            "id": track_id,
            "uri": f"spotify:track:{track_id}",
            "track_href": f"{self.api}/tracks/{track_id}",
            "analysis_url": f"{self.api}/audio-analysis/{track_id}",
            "duration_ms": song.duration_ms,
        }

    def song_of(self, track_id: str) -> WorldSong | None:
        """The song with a track id; None for other ids."""
        number = self.ids.decode(Kind.TRACK, track_id)
        return self.catalogue.song(number) if number is not None and number < self.catalogue.song_count else None

    def search_page(self, kind: str, query: str, found: list[Body], offset: int, limit: int) -> Body:
        """A page of search results of one kind."""
        address = f"{self.api}/search"
        page = self._paged(
            address, found[offset : offset + limit], len(found), offset, limit, f"&q={query}&type={kind}"
        )
        return {f"{kind}s": page}

    def _entry(self, entry: Entry) -> Body:
        word = "item" if self.rights.form == "items" else "track"
        body: Body = {
            "added_at": None,
            "added_by": self._user("spotify"),
            "is_local": entry.kind == "local",
            "primary_color": None,
            word: None,
            "video_thumbnail": {"url": None},
        }
        if entry.kind == "song":
            song = self.catalogue.song(entry.number)
            body |= {"added_at": song.added_at, word: self.track(song)}
        elif entry.kind == "local":
            body[word] = self._local(entry.number)
        elif entry.kind == "episode":
            episode_id = self.ids.encode(Kind.EPISODE, entry.number)
            body[word] = self._linked("episode", episode_id) | {
                "name": f"Talking about music, {entry.number}",
                "duration_ms": 1_800_000,
                "explicit": False,
                "is_local": False,
                "release_date": "2020-01-01",
                "release_date_precision": "day",
                "episode": True,
                "track": False,
            }
        return body

    def _local(self, number: int) -> Body:
        return {
            "album": {"album_type": None, "artists": [], "id": None, "images": [], "name": "My Tape", "type": "album"},
            "artists": [{"external_urls": {}, "href": None, "id": None, "name": "Somebody", "type": "artist"}],
            "available_markets": [],
            "disc_number": 0,
            "duration_ms": 215_000,
            "explicit": False,
            "external_ids": {},
            "id": None,
            "is_local": True,
            "name": f"Recording {number}",
            "popularity": 0,
            "preview_url": None,
            "track_number": 0,
            "type": "track",
            "uri": f"spotify:local:Somebody:My+Tape:Recording+{number}:215",
        }

    def _linked(self, kind: str, identity: str) -> Body:
        return {
            "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{identity}"},
            "href": f"{self.api}/{kind}s/{identity}",
            "id": identity,
            "type": kind,
            "uri": f"spotify:{kind}:{identity}",
        }

    def _user(self, name: str) -> Body:
        return self._linked("user", name) | {"display_name": name}

    def _paged(self, address: str, items: list[Any], total: int, offset: int, limit: int, more: str) -> Body:
        def at(place: int) -> str:
            return f"{address}?offset={place}&limit={limit}{more}"

        return {
            "href": at(offset),
            "items": items,
            "limit": limit,
            "next": at(offset + limit) if offset + limit < total else None,
            "offset": offset,
            "previous": at(max(0, offset - limit)) if offset else None,
            "total": total,
        }


def analysis(features: JsonObject) -> JsonObject:
    """Audio analysis consistent with the audio features of the same track."""
    draw = random.Random(str(features["id"]))
    beat = 60.0 / features["tempo"]
    track = {
        "duration": features["duration_ms"] / 1000,
        "num_samples": int(features["duration_ms"] * 22.05),
        "analysis_sample_rate": 22050,
        "end_of_fade_in": 0.0,
        "loudness": features["loudness"],
        "tempo": features["tempo"],
        "tempo_confidence": 0.8,
        "time_signature": features["time_signature"],
        "time_signature_confidence": 0.9,
        "key": features["key"],
        "key_confidence": 0.6,
        "mode": features["mode"],
        "mode_confidence": 0.6,
    }
    section = {key: track[key] for key in ("loudness", "tempo", "key", "mode", "time_signature")}
    return {
        "meta": {"analyzer_version": "4.0.0", "status_code": 0, "detailed_status": "OK"},
        "track": track,
        "bars": _steps(beat * features["time_signature"]),
        "beats": _steps(beat),
        "tatums": _steps(beat / 2),
        "sections": [{"start": 0.0, "duration": track["duration"], "confidence": 1.0} | section],
        "segments": [
            step
            | {
                "loudness_start": round(draw.uniform(-30, -10), 3),
                "loudness_max": round(draw.uniform(-12, -3), 3),
                "loudness_max_time": 0.05,
                "loudness_end": 0.0,
                "pitches": [round(draw.random(), 3) for _ in range(12)],
                "timbre": [round(draw.gauss(0, 40), 3) for _ in range(12)],
            }
            for step in _steps(0.5)
        ],
    }


def _steps(length: float) -> list[JsonObject]:
    places = range(int(_SECONDS / length))
    return [{"start": round(n * length, 5), "duration": round(length, 5), "confidence": 0.7} for n in places]


def select(body: Any, fields: str | None) -> Any:
    """Select parts of a body by the parameter ``fields``; without it, return the whole body."""
    if not fields:
        return body
    keep, drop = _parse(iter(_TOKEN.findall(fields)))
    return _apply(body, keep, drop)


def _parse(tokens: Iterator[str]) -> tuple[Tree, Tree]:
    """Parse fields to keep and, after an exclamation mark, to drop, up to the closing bracket."""
    keep: Tree = {}
    drop: Tree = {}
    place, target = keep, keep
    name = ""
    for token in tokens:
        match token:
            case ")":
                break
            case ",":
                # An exclamation mark applies to all names of its list.
                place = drop if target is drop else keep
            case "!":
                target = place = drop
            case ".":
                place = place[name]
            case "(":
                inner, left_out = _parse(tokens)
                place[name].update(inner)
                if left_out:
                    place[name]["!"] = left_out
            case _:
                name = token
                place.setdefault(name, {})
    return keep, drop


def _apply(body: object, keep: Tree, drop: Tree) -> object:
    if isinstance(body, list):
        return [_apply(item, keep, drop) for item in body]
    if not isinstance(body, dict):
        return body
    if not keep:
        return {key: value for key, value in body.items() if key not in drop}
    return {key: _below(value, keep[key]) for key, value in body.items() if key in keep}


def _below(value: Any, tree: Tree) -> Any:
    left_out = tree.get("!", {})
    inner = {key: below for key, below in tree.items() if key != "!"}
    return _apply(value, inner, left_out) if inner or left_out else value
