"""Plan the requests to Spotify, and find out which endpoints the app has access to.

Lists of genres come from the store and the configuration. Access is tested every ``spotify.probe_days`` days and stored
in ``spotify_access``.
"""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.config import Config, SpotifySection
from genreatlas.datasets.library import newest_genres
from genreatlas.errors import LimitReachedError, ProviderPausedError
from genreatlas.redaction import shown
from genreatlas.sources.genres import Genre
from genreatlas.sources.spotify.client import ABILITIES, Ability, Spotify, describe, probe
from genreatlas.sources.spotify.lists import Wanted, selected_by
from genreatlas.sources.spotify.routes import (
    NamedArtist,
    NamedList,
    Search,
    artist_lists,
    configured_lists,
    configured_searches,
    is_chosen,
    known_snapshot,
    shares,
)
from genreatlas.sources.spotify.tokens import read_credentials
from genreatlas.store import Reader, Store
from genreatlas.tables import (
    EVERYNOISE_ARTISTS,
    EVERYNOISE_PLAYLISTS,
    PLAYLISTS,
    SPOTIFY_ACCESS,
    SPOTIFY_SEARCHES,
    Table,
)
from genreatlas.values import JsonObject, Params, Row, RowView

#: Columns of pending keys of a fan-out (Spark DDL): key, kind of request, and request as JSON.
PENDING = "key string, kind string, request string"


@dataclass(frozen=True)
class Routes:
    """Genres of Every Noise by id, and playlists and searches of each route.

    Attributes
    ----------
    others : playlists of Every Noise. They belong to other users, so not every app has access to them.
    configured : playlists of the configuration.
    """

    genres: Mapping[str, Genre]
    others: tuple[NamedList, ...]
    configured: tuple[NamedList, ...]
    searches: tuple[Search, ...]


def find_routes(store: Reader, config: Config) -> Routes:
    """Read genres and playlists of the routes in ``spotify.routes``.

    Raises
    ------
    ConfigError : an entry of the configuration has an invalid genre or playlist.
    """
    section = config.spotify
    everynoise = {"everynoise", "artists"} & set(section.routes)
    genres = _genres(store, section) if everynoise else {}
    return Routes(
        genres=genres,
        others=tuple(_everynoise(store, section, genres)) if "everynoise" in section.routes else (),
        configured=tuple(configured_lists(config.playlists)) if "configuration" in section.routes else (),
        searches=tuple(configured_searches(section.searches)) if "search" in section.routes else (),
    )


def pending(store: Reader, kind: str, requests: RowView, done: Container[str] = ()) -> DataFrame:
    """Frame of requests that are not done, with the columns :data:`PENDING`."""
    rows = [
        (key, kind, json.dumps(request, ensure_ascii=False)) for key, request in requests.items() if key not in done
    ]
    return store.spark.createDataFrame(rows, PENDING)


def searches(store: Reader, routes: Routes, page_size: int) -> JsonObject:
    """Requests for searches whose results are not stored."""
    known = {row[0] for row in store.read(SPOTIFY_SEARCHES).select("search_id").distinct().collect()}
    return {
        search.key: {"query": search.query, "number": search.number, "page_size": page_size}
        for search in routes.searches
        if search.key not in known
    }


def found_lists(store: Reader, routes: Routes) -> list[NamedList]:
    """Stored playlists found by the configured searches."""
    if not routes.searches:
        return []
    rows = store.read(SPOTIFY_SEARCHES).where("playlist_id IS NOT NULL").orderBy("search_id", "position").collect()
    found = [
        NamedList(row["playlist_id"], search.genre, "search")
        for search in routes.searches
        for row in rows
        if row["search_id"] == search.key
    ]
    return found


def playlists(store: Reader, section: SpotifySection, lists: Iterable[NamedList]) -> Row:
    """Requests for all playlists, each with its stored snapshot."""
    stored = _stored(store, "playlist")
    settings = selected_by(section)
    return {
        playlist_id: {
            "playlist_id": playlist_id,
            "genres": [vars(genre) for genre in genres],
            "snapshot": known_snapshot(genres, stored.get(playlist_id, {}), settings),
        }
        for playlist_id, genres in shares(lists, section.songs_per_genre).items()
    }


def artists(store: Reader, section: SpotifySection, genres: Mapping[str, Genre], page_size: int) -> JsonObject:
    """Requests for searches by artist, for genres without songs from playlists; stored ones are left out."""
    if not genres:
        return {}
    by_playlist = store.read(PLAYLISTS).where("kind = 'playlist' AND kept > 0").select("genre_id").distinct()
    served = {row[0] for row in by_playlist.collect()}
    unserved = {key: genre for key, genre in genres.items() if key not in served}
    if not unserved:
        return {}
    stored = _stored(store, "artist")
    settings = selected_by(section)
    found = artist_lists(
        _artists(store, unserved), section.artists_per_genre, section.tracks_per_artist, section.songs_per_genre
    )
    return {
        list_id: {
            "playlist_id": list_id,
            "name": artist.name,
            "artist_id": artist.artist_id,
            "genres": [vars(genre) for genre in genres],
            "page_size": page_size,
        }
        for list_id, (artist, genres) in found.items()
        if not _all_stored(genres, stored.get(list_id, {}), settings)
    }


def _all_stored(genres: Iterable[Wanted], stored: RowView, settings: Params) -> bool:
    known = {genre_id: row["selection"] for genre_id, row in stored.items()}
    return all(known.get(genre.genre_id) == genre.selection(settings) for genre in genres)


def _stored(store: Reader, kind: str) -> dict[str, Row]:
    """Stored snapshot and selection of lists, by list and genre."""
    names = ("playlist_id", "genre_id", "snapshot", "selection")
    found: dict[str, Row] = {}
    for row in store.read(PLAYLISTS).where(F.col("kind") == kind).select(*names).collect():
        found.setdefault(row["playlist_id"], {})[row["genre_id"]] = row
    return found


def _newest(store: Reader, table: Table) -> DataFrame:
    """Rows of the newest snapshot of each genre."""
    rows = store.read(table)
    newest = rows.groupBy("genre_id").agg(F.max("snapshot").alias("snapshot"))
    return rows.join(newest, ["genre_id", "snapshot"], "left_semi")


def _genres(store: Reader, section: SpotifySection) -> dict[str, Genre]:
    """Chosen genres of the newest map, most popular first, at most ``spotify.max_genres``."""
    rows = newest_genres(store).select("genre_id", "name", "rank", "weight")
    popular = rows.orderBy(F.asc_nulls_last("rank"), F.desc_nulls_last("weight"), "genre_id").collect()
    genres = [Genre(row["genre_id"], row["name"]) for row in popular]
    chosen = [genre for genre in genres if is_chosen(genre, section.genres)]
    return {genre.genre_id: genre for genre in chosen[: section.max_genres or None]}


def _everynoise(store: Reader, section: SpotifySection, genres: Mapping[str, Genre]) -> list[NamedList]:
    rows = _newest(store, EVERYNOISE_PLAYLISTS).select("genre_id", "role", "playlist_id").collect()
    found = {(row["genre_id"], row["role"], row["playlist_id"]) for row in rows}
    ranked = sorted(
        (section.roles.index(role), genre_id, playlist_id)
        for genre_id, role, playlist_id in found
        if genre_id in genres and role in section.roles
    )
    return [NamedList(playlist, genres[genre], "everynoise", section.roles[place]) for place, genre, playlist in ranked]


def _artists(store: Reader, genres: Mapping[str, Genre]) -> list[NamedArtist]:
    rows = _newest(store, EVERYNOISE_ARTISTS).select("genre_id", "name", "spotify_artist_id", "weight")
    wanted = store.spark.createDataFrame([(genre_id,) for genre_id in genres], "genre_id string")
    found = rows.join(wanted, "genre_id", "left_semi").collect()
    heaviest: dict[str, float] = {}
    for row in found:
        heaviest[row["genre_id"]] = max(heaviest.get(row["genre_id"], 0.0), row["weight"] or 0.0)
    return [
        NamedArtist(
            genres[row["genre_id"]],
            row["name"],
            row["spotify_artist_id"],
            (row["weight"] or 0.0) / heaviest[row["genre_id"]] if heaviest[row["genre_id"]] else 1.0,
        )
        for row in found
    ]


_FIELDS = ("ability", "allowed", "value", "http_status", "detail")


def find_access(store: Store, section: SpotifySection, spotify: Spotify, playlists: list[str]) -> dict[str, Ability]:
    """Abilities by name. They are tested again if they are old or incomplete, and printed as a table.

    Parameters
    ----------
    playlists : ids of playlists of other users that are to be read.

    Raises
    ------
    LimitReachedError : Spotify's rate limit pauses requests.
    """
    app = read_credentials(section).app_key(section)
    stored = store.read(SPOTIFY_ACCESS).where(F.col("app") == app).collect()
    known = {row["ability"]: Ability(*(row[name] for name in _FIELDS)) for row in stored}
    needed = {"search_page"} | ({"playlist_items"} if playlists else set())
    needed |= {"audio_features"} if section.audio_features else set()
    needed |= {"audio_analysis"} if section.audio_analysis else set()
    fresh = datetime.now(UTC) - timedelta(days=section.probe_days)
    old = any(row["probed_at"].astimezone(UTC) < fresh for row in stored)
    if old or any(name not in known or known[name].allowed is None for name in needed):
        try:
            found = probe(spotify, _spread(playlists), section.audio_analysis)
        except ProviderPausedError as error:
            raise LimitReachedError(f"{error.detail} Nothing was read.") from None
        now = datetime.now(UTC)
        rows = [vars(ability) | {"app": app, "probed_at": now} for ability in found]
        store.upsert(SPOTIFY_ACCESS, rows, update=True, compare=("probed_at",))
        known |= {ability.ability: ability for ability in found}
    print(shown("\n".join(describe(known[name] for name in ABILITIES if name in known))), flush=True)
    return known


def _spread(playlists: list[str]) -> list[str]:
    """Three playlists far apart in sorted order, because neighbours may have the same problem."""
    found = sorted(playlists)
    return list(dict.fromkeys(found[place] for place in (0, len(found) // 2, -1))) if found else []
