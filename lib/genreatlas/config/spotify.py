"""Sections of the Spotify source: which lists are read for which genre, and how much of them."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from genreatlas.config.sections import Positive, Section

Route = Literal["everynoise", "configuration", "search", "artists"]
#: What a playlist on a genre's page of Every Noise is.
PlaylistRole = Literal["sound", "intro", "pulse", "edge", "year", "other"]


class PlaylistsEntry(Section):
    """One entry of ``[[playlists]]``: a genre, and playlists of it in any form of link or URI."""

    genre: str = Field(min_length=1)
    uris: tuple[str, ...] = Field(min_length=1)


class SearchEntry(Section):
    """One entry of ``[[spotify.searches]]``: the first playlists that a search finds stand for a genre."""

    genre: str = Field(min_length=1)
    subgenre: str = Field("", description="What is searched for and stored as the genre, with genre as its parent.")
    query: str = Field("", description="Words to search for; empty: the subgenre, or else the genre.")
    playlists: Positive = Field(20, description="The first so many results are read.")


class SpotifySection(Section):
    """Songs from the Spotify Web API; SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET come from the environment."""

    acknowledge_terms: bool = Field(
        False,
        description="You have read https://developer.spotify.com/terms, which forbid to train models on Spotify's "
        "content, and what you do is allowed to you. Nothing is asked before this is true.",
    )
    routes: tuple[Route, ...] = Field(
        ("everynoise", "configuration", "search", "artists"),
        description="Where lists of a genre come from: playlists on Every Noise's pages, [[playlists]], "
        "[[spotify.searches]]; genres that these give no songs: the artists on their Every Noise pages.",
    )
    roles: tuple[PlaylistRole, ...] = Field(
        ("sound",), description="Playlists of an Every Noise page: sound, intro, pulse, edge, year, other."
    )
    genres: tuple[str, ...] = Field((), description="Genres of Every Noise to collect (name or slug); empty: all.")
    max_genres: int = Field(0, ge=0, description="The first so many genres of Every Noise by rank; 0: all.")
    songs_per_genre: Positive = Field(150, description="At most so many songs of a genre, shared among its playlists.")
    max_entries: Positive = Field(1000, description="Entries of a playlist that are read; more are left.")
    artists_per_genre: Positive = Field(15, description="Artists of a genre that are searched for.")
    tracks_per_artist: Positive = Field(10, description="Songs of each.")
    searches: tuple[SearchEntry, ...] = Field((), description="Searches for playlists.")
    market: str = Field("", pattern=r"^([A-Z]{2})?$", description="Country whose catalogue counts, such as DE.")
    seed: int = Field(7, description="Seed of the choice among a list's songs.")
    audio_features: bool = Field(True, description="Read audio features where the app still may.")
    audio_analysis: bool = Field(False, description="Read audio analyses, one request a song, where the app still may.")
    analysis_path: Path | None = Field(None, description="File or folder of saved analyses for import_analyses.")
    authorisation: Literal["app", "user"] = Field(
        "app", description="app: client credentials; user: SPOTIFY_REFRESH_TOKEN, or a browser where there is one."
    )
    redirect_uri: str = Field(
        "http://127.0.0.1:8888/callback", description="Redirect URI of the app, for the user's authorisation."
    )
    probe_days: int = Field(7, ge=0, description="What the app may do is asked again after so many days.")
    api_url: str = Field("https://api.spotify.com/v1", description="Web API.")
    accounts_url: str = Field("https://accounts.spotify.com", description="Where tokens come from.")
