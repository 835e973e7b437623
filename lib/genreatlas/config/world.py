"""The section ``[world]``: the sandbox's own Every Noise, Spotify, Deezer and clip server."""

from typing import Literal

from pydantic import Field

from genreatlas.config.sections import Positive, Section, Share

App = Literal["legacy", "extended", "development"]


class WorldSection(Section):
    """The sandbox world: a server on this machine that speaks Every Noise, Spotify, Deezer and a clip CDN."""

    start: bool = Field(False, description="Serve the world for as long as a job runs; one that is there is used.")
    port: int = Field(8440, ge=0, le=65530, description="First of four ports; 0: any that are free.")
    genres: int = Field(0, ge=0, description="Genres to make up; 0: the composed library as it is.")
    songs: Positive = Field(150, description="Songs of a made-up genre; their clips are the library's.")
    seed: int = Field(7, description="Seed of every name and number.")
    app: App = Field(
        "legacy",
        description="What the app may do: legacy (audio features, previews), extended (neither), or development "
        "(items of own playlists only, pages of 10 results, no batches).",
    )
    preview_lifetime_s: float = Field(900.0, gt=0.0, description="Preview links are dead after this.")
    token_lifetime_s: float = Field(3600.0, gt=0.0, description="Access tokens are dead after this.")
    fault_share: Share = Field(0.0, description="Share of requests that go wrong in one of the ways that pass.")
