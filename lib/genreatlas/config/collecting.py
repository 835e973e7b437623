"""Sections of what is fetched from the outside world: rates, credentials, terms and addresses."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from genreatlas.config.sections import Positive, Section


class HostLimit(Section):
    """What one host (or all hosts under one pattern, together) may be asked, by the whole run."""

    requests: int = Field(0, ge=0, description="Most requests to a host in any window of window_s; 0: no limit.")
    window_s: float = Field(1.0, gt=0.0, description="Length of the rolling window of a rate limit, in seconds.")
    concurrency: Positive = Field(4, description="Most requests to a host at the same time.")


#: What the services publish, or less where they publish nothing. Loopback is this machine alone.
HOSTS = {
    "*": HostLimit(requests=5, window_s=1.0, concurrency=4),
    "127.0.0.1": HostLimit(concurrency=32),
    "[::1]": HostLimit(concurrency=32),
    "localhost": HostLimit(concurrency=32),
    "everynoise.com": HostLimit(requests=1, window_s=1.0, concurrency=1),
    "accounts.spotify.com": HostLimit(requests=10, window_s=30.0, concurrency=1),
    "api.spotify.com": HostLimit(requests=90, window_s=30.0, concurrency=8),
    "p.scdn.co": HostLimit(requests=10, window_s=1.0, concurrency=8),
    "api.deezer.com": HostLimit(requests=50, window_s=5.0, concurrency=8),
    "*.dzcdn.net": HostLimit(requests=10, window_s=1.0, concurrency=8),
}


def _over_defaults(given: dict[str, HostLimit]) -> dict[str, HostLimit]:
    return HOSTS | {host.lower(): limit for host, limit in given.items()}


class FanOutSection(Section):
    """How the outside world is asked: rates are the total of the run, whoever does the work."""

    runner: Literal["driver", "executors"] = Field(
        "driver", description="driver: a pool of threads here (Connect, serverless); executors: Spark tasks."
    )
    hosts: Annotated[dict[str, HostLimit], AfterValidator(_over_defaults)] = Field(
        HOSTS,
        description="Host, host:port, or *.domain (all its hosts together) = its limit; * is each other host. "
        "What is given here is laid over the defaults.",
    )
    threads: Positive = Field(16, description="Keys that the driver works on at the same time.")
    partitions: int = Field(0, ge=0, description="Tasks of the runner executors; 0: as many as there are cores.")
    tries: Positive = Field(4, description="Requests that one fetch may cost when the outcome is transient.")
    backoff_s: float = Field(1.0, ge=0.0, description="First wait of the full-jitter back-off, in seconds; it doubles.")
    backoff_cap_s: float = Field(30.0, ge=0.0, description="Maximum back-off between two tries, in seconds.")
    retry_after_cap_s: float = Field(
        120.0, ge=0.0, description="Longest Retry-After that is waited for; above it the provider is left for later."
    )
    max_attempts: Positive = Field(5, description="How often a key is fetched, over all runs, before it is given up.")
    retry_delay_s: float = Field(
        600.0, ge=0.0, description="Seconds after which a failed key is tried again; they double with each try."
    )
    breaker_failures: Positive = Field(10, description="Failures in a row after which requests to a host are paused.")
    breaker_wait_s: float = Field(
        30.0,
        ge=0.0,
        description="Seconds for which a host is not asked after repeated failures; then one request probes it.",
    )
    breaker_probes: Positive = Field(
        4, description="Failed probes of a paused host after which its provider is left for a later run."
    )
    pause_s: float = Field(
        900.0, ge=0.0, description="Seconds for which a provider is paused where it does not say how long itself."
    )
    max_pause_days: float = Field(
        7.0, gt=0.0, le=366.0, description="Longest pause in days; what a server asks for beyond it is cut to this."
    )
    connect_s: float = Field(10.0, gt=0.0, description="Time limit for opening a connection, in seconds.")
    read_s: float = Field(20.0, gt=0.0, description="Time limit for the next bytes of a response, in seconds.")
    total_s: float = Field(120.0, gt=0.0, description="Time limit for one request with its whole body, in seconds.")
    max_body_mb: Positive = Field(64, description="Largest body of a response, in MB.")
    max_redirects: int = Field(5, ge=0, description="Most redirects that are followed.")
    chunk_rows: Positive = Field(500, description="Keys in one commit; a crash repeats at most this many.")
    chunk_mb: Positive = Field(128, description="Size of one commit by the driver, in MB.")
    private_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts on this machine or in a private network that may be asked, with plain http too: host, "
        "host:port or *.domain. Hosts of configured addresses (spotify.api_url, every_noise.map, ...), of http.hosts "
        "and of deezer.hosts need no entry; everything else is fetched by https from public addresses only.",
    )
    refuse_unresolved: bool = Field(
        False,
        description="Through a proxy, refuse hosts that this machine cannot look up itself, unless private_hosts or "
        "another section names them; off: where such a name leads is the proxy's to decide.",
    )
    user_agent: str = Field("", description="User-Agent of every request; empty: genreatlas and its version.")


_SLUG = "{slug}"


class EveryNoiseSection(Section):
    """Every Noise At Once: addresses, or pages that were saved as files."""

    map: str = Field("https://everynoise.com/engenremap.html", description="The map page: address or saved file.")
    list: str = Field("", description="The list of all genres (everynoise1d.html): address or saved file; empty: none.")
    genre_pages: bool = Field(False, description="Read each genre's own page, too: artists, neighbours, playlists.")
    pages: str = Field(
        "https://everynoise.com/engenremap-{slug}.html",
        description="Genre pages: an address with {slug} in it, or a folder with saved pages.",
    )
    genres: tuple[str, ...] = Field((), description="Slugs or names of the genres whose pages are read; empty: all.")
    floor: Positive = Field(1000, description="Fewer genres than this on the map are an error, and nothing is written.")
    snapshot: str = Field(
        "",
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        description="Day of the map's state; empty: the date in the file's name, or the day on which it was new.",
    )

    replace: bool = Field(
        False,
        description="For one run: replace what is stored of the snapshot by what the pages say, where it was wrong. "
        "The map's genres, and artists, neighbours and playlists of the genre pages that are read.",
    )

    @field_validator("pages")
    @classmethod
    def _address_has_a_place_for_the_slug(cls, value: str) -> str:
        if "://" in value and _SLUG not in value:
            raise ValueError("an address must hold {slug}, such as https://everynoise.com/engenremap-{slug}.html")
        return value


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
    subgenre: str = Field(
        "", description="Subgenre that is searched for; it is stored as the genre, with genre as its parent."
    )
    query: str = Field("", description="Words to search for; empty: the subgenre, or else the genre.")
    playlists: Positive = Field(20, description="Results of a search that are read.")


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
    max_genres: int = Field(0, ge=0, description="Most genres of Every Noise, by rank; 0: all.")
    songs_per_genre: Positive = Field(150, description="Most songs of a genre, shared among its playlists.")
    max_entries: Positive = Field(1000, description="Most entries of a playlist that are read.")
    artists_per_genre: Positive = Field(15, description="Artists of a genre that are searched for.")
    tracks_per_artist: Positive = Field(10, description="Songs of each artist that are searched for.")
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
    probe_days: int = Field(7, ge=0, description="Days after which the app's access to the Web API is probed again.")
    api_url: str = Field("https://api.spotify.com/v1", description="Address of Spotify's Web API.")
    accounts_url: str = Field(
        "https://accounts.spotify.com", description="Address of Spotify's account service, which issues tokens."
    )


PreviewProvider = Literal["spotify", "deezer", "every_noise", "http"]
#: What is known of a file in a list of addresses.
ListColumn = Literal[
    "url", "genre", "song", "title", "artist", "album", "album_artist", "isrc", "licence", "split", "sha256", "md5"
]


class FetchPreviewsSection(Section):
    """Which clips are fetched, and how long they are kept."""

    providers: tuple[PreviewProvider, ...] = Field(
        ("spotify", "deezer"),
        description="In the order in which they are asked: spotify (the preview that came with a song), deezer (by "
        "ISRC), every_noise (the example on its map), http (files that a list names, see [http]).",
    )
    retention: Literal["keep", "features"] = Field(
        "keep", description="features: extract_features drops the audio once every configured set has it."
    )
    refetch: bool = Field(False, description="Fetch clips again whose audio is gone and which lack a configured set.")
    max_file_mb: Positive = Field(16, description="Files larger than this, in MB, are not fetched.")
    examples_per_genre: int = Field(
        0, ge=0, description="every_noise: examples of so many artists of a genre's page, beside the genre's own."
    )


class DeezerSection(Section):
    """Previews of 30 s from Deezer, found by ISRC."""

    acknowledge_terms: bool = Field(
        False,
        description="You have read https://developers.deezer.com/termsofuse, which restrict downloads and other than "
        "private use, and what you do is allowed to you. Nothing is asked before this is true.",
    )
    api_url: str = Field("https://api.deezer.com", description="Address of Deezer's API.")
    hosts: tuple[str, ...] = Field(("*.dzcdn.net",), description="Hosts that serve Deezer's previews.")
    licence: str = Field("Deezer preview, all rights reserved", description="Licence stored with each clip.")


class HttpSection(Section):
    """Audio files that a list names by their addresses, such as FMA, Jamendo or the Internet Archive."""

    manifest: Path | None = Field(None, description="CSV or Parquet with an address and a genre in each row.")
    columns: dict[ListColumn, str] = Field(
        {},
        description="What it is = the list's own name of the column. Known: url, genre, song, title, artist, album, "
        "album_artist, isrc, licence, split, sha256, md5. Columns that carry these names need no entry.",
    )
    genre_aliases: dict[str, str] = Field({}, description="Spelling = genre it means.")
    encoding: str = Field("auto", description="Encoding of the list; auto: UTF-8, UTF-16 or Windows-1252.")
    label_separator: str = Field(
        "auto", min_length=1, description='What divides a cell with several genres; "auto" decides, "none" never does.'
    )
    licence: str = Field("", description="Licence stored where the list states none.")
    hosts: tuple[str, ...] = Field(
        (),
        description="Hosts of the addresses, whose rates executors divide; addresses on this machine or in a private "
        "network are fetched only from hosts that are named here or in fan_out.private_hosts.",
    )


class PurgeSection(Section):
    """What the job `purge` removes for good."""

    provider: Literal["", PreviewProvider] = Field(
        "", description="Provider whose audio is removed: spotify, deezer, every_noise or http."
    )
