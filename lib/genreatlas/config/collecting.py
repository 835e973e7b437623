"""Configuration sections for external services: rates, credentials, terms and addresses."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from genreatlas.config.sections import EXPERT, Positive, Section, seed_of


class HostLimit(Section):
    """Rate limit of one host (or of all hosts under one pattern together) for the whole run."""

    requests: int = Field(0, ge=0, description="Maximum requests to a host in any window of window_s; 0: no limit.")
    window_s: float = Field(1.0, gt=0.0, description="Length of the rolling window of a rate limit, in seconds.")
    concurrency: Positive = Field(4, description="Maximum requests to a host at the same time.")


#: Default rate limits: those that the services publish, or conservative values. Loopback has no request rate.
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
    """Requests to external services; rates apply to the whole run, not to each task."""

    runner: Literal["driver", "executors"] = Field(
        "driver",
        description="Where requests are made. driver: a thread pool of the driver (also on Spark Connect and "
        "serverless); executors: Spark tasks.",
    )
    hosts: Annotated[dict[str, HostLimit], AfterValidator(_over_defaults)] = Field(
        HOSTS,
        description="Rate limit by host, host:port or *.domain (all its hosts together); * is every other host. "
        "Entries replace or extend the defaults.",
    )
    threads: Positive = Field(
        16, description="Items that the driver fetches at the same time.", json_schema_extra=EXPERT
    )
    partitions: int = Field(
        0, ge=0, description="Spark tasks if runner = executors; 0: the number of cores.", json_schema_extra=EXPERT
    )
    tries: Positive = Field(
        4, description="Maximum requests for one fetch, if failures are transient.", json_schema_extra=EXPERT
    )
    backoff_s: float = Field(
        1.0,
        ge=0.0,
        description="Initial wait of the exponential back-off with full jitter, in seconds; it doubles with each try.",
        json_schema_extra=EXPERT,
    )
    backoff_cap_s: float = Field(
        30.0, ge=0.0, description="Maximum back-off between two tries, in seconds.", json_schema_extra=EXPERT
    )
    retry_after_cap_s: float = Field(
        120.0,
        ge=0.0,
        description="Longest Retry-After, in seconds, that a run waits for; for longer ones, the provider's work is "
        "left for a later run.",
        json_schema_extra=EXPERT,
    )
    max_attempts: Positive = Field(
        5, description="Maximum attempts to fetch an item, over all runs.", json_schema_extra=EXPERT
    )
    retry_delay_s: float = Field(
        600.0,
        ge=0.0,
        description="Seconds after which a failed item is fetched again; doubled with each attempt.",
        json_schema_extra=EXPERT,
    )
    breaker_failures: Positive = Field(
        10, description="Consecutive failures after which requests to a host are paused.", json_schema_extra=EXPERT
    )
    breaker_wait_s: float = Field(
        30.0,
        ge=0.0,
        description="Seconds without requests to a host after repeated failures; then one request tests it.",
        json_schema_extra=EXPERT,
    )
    breaker_probes: Positive = Field(
        4,
        description="Failed tests of a paused host after which its provider's work is left for a later run.",
        json_schema_extra=EXPERT,
    )
    pause_s: float = Field(
        900.0,
        ge=0.0,
        description="Seconds for which a provider is paused if its response gives no time to wait.",
        json_schema_extra=EXPERT,
    )
    max_pause_days: float = Field(
        7.0,
        gt=0.0,
        le=366.0,
        description="Maximum pause of a provider in days, even if a server requests a longer one.",
        json_schema_extra=EXPERT,
    )
    connect_s: float = Field(
        10.0, gt=0.0, description="Time limit for opening a connection, in seconds.", json_schema_extra=EXPERT
    )
    read_s: float = Field(
        20.0, gt=0.0, description="Time limit between two reads of a response, in seconds.", json_schema_extra=EXPERT
    )
    total_s: float = Field(
        120.0,
        gt=0.0,
        description="Time limit for one request with its whole body, in seconds.",
        json_schema_extra=EXPERT,
    )
    max_body_mb: Positive = Field(64, description="Largest body of a response, in MB.", json_schema_extra=EXPERT)
    max_redirects: int = Field(
        5, ge=0, description="Maximum redirects followed for one request.", json_schema_extra=EXPERT
    )
    chunk_rows: Positive = Field(
        500, description="Items per commit; at most this many are repeated after a crash.", json_schema_extra=EXPERT
    )
    chunk_mb: Positive = Field(
        128, description="Maximum size of one commit by the driver, in MB.", json_schema_extra=EXPERT
    )
    private_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts on this machine or in a private network that requests may go to, also by plain http: host, "
        "host:port or *.domain. Hosts of configured addresses (spotify.api_url, every_noise.map, ...), of http.hosts "
        "and of deezer.hosts need no entry; everything else is fetched by https from public addresses only.",
    )
    refuse_unresolved: bool = Field(
        False,
        description="Behind a proxy, refuse hosts that this machine cannot resolve, unless private_hosts or another "
        "section names them; false: the proxy decides.",
        json_schema_extra=EXPERT,
    )
    user_agent: str = Field(
        "", description="User-Agent of every request; empty: genreatlas and its version.", json_schema_extra=EXPERT
    )


_SLUG = "{slug}"


class EveryNoiseSection(Section):
    """Every Noise At Once: addresses of its pages, or saved pages."""

    map: str = Field("https://everynoise.com/engenremap.html", description="The map page: address or saved file.")
    list: str = Field("", description="The list of all genres (everynoise1d.html): address or saved file; empty: none.")
    genre_pages: bool = Field(
        False, description="Also read the page of each genre: artists, neighbouring genres, playlists."
    )
    pages: str = Field(
        "https://everynoise.com/engenremap-{slug}.html",
        description="Genre pages: an address that contains {slug}, or a folder with saved pages.",
    )
    genres: tuple[str, ...] = Field((), description="Slugs or names of the genres whose pages are read; empty: all.")
    floor: Positive = Field(
        1000,
        description="Minimum number of genres of a valid map; with fewer, the step fails and writes nothing.",
        json_schema_extra=EXPERT,
    )
    snapshot: str = Field(
        "",
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        description="Date of the map (YYYY-MM-DD); empty: the date in the file's name, or else the file's date or, for "
        "an address, the day on which its content was first read.",
    )

    replace: bool = Field(
        False,
        description="For one run, to correct wrong rows: replace the stored rows of the snapshot by the content of the "
        "pages that are read: genres of the map; artists, neighbours and playlists of genre pages.",
        json_schema_extra=EXPERT,
    )

    @field_validator("pages")
    @classmethod
    def _address_has_a_place_for_the_slug(cls, value: str) -> str:
        if "://" in value and _SLUG not in value:
            raise ValueError("an address must contain {slug}, such as https://everynoise.com/engenremap-{slug}.html")
        return value


Route = Literal["everynoise", "configuration", "search", "artists"]
#: Kind of a playlist on a genre's page of Every Noise.
PlaylistRole = Literal["sound", "intro", "pulse", "edge", "year", "other"]


class PlaylistsEntry(Section):
    """One entry of ``[[playlists]]``: a genre and its Spotify playlists (links or URIs)."""

    genre: str = Field(min_length=1)
    uris: tuple[str, ...] = Field(min_length=1)


class SearchEntry(Section):
    """One entry of ``[[spotify.searches]]``: the first playlists found by a search provide songs of a genre."""

    genre: str = Field(min_length=1)
    subgenre: str = Field(
        "", description="Subgenre to search for; it is stored as the genre, with genre as its parent."
    )
    query: str = Field("", description="Text to search for; empty: the subgenre, or else the genre.")
    playlists: Positive = Field(20, description="Number of playlists read from the results of a search.")


class SpotifySection(Section):
    """Songs from the Spotify Web API; SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET come from the environment."""

    acknowledge_terms: bool = Field(
        False,
        description="Confirms that you have read https://developer.spotify.com/terms, which forbid training models on "
        "Spotify's content, and that your use is allowed. Nothing is requested from Spotify before this is "
        "true.",
    )
    routes: tuple[Route, ...] = Field(
        ("everynoise", "configuration", "search", "artists"),
        description="Sources of a genre's songs: everynoise (playlists on its Every Noise page), configuration "
        "([[playlists]]), search ([[spotify.searches]]), artists (searches for songs by the artists on its Every Noise "
        "page, if the other sources give no songs).",
    )
    roles: tuple[PlaylistRole, ...] = Field(
        ("sound",),
        description="Kinds of playlists to read from an Every Noise page: sound, intro, pulse, edge, year, other.",
    )
    genres: tuple[str, ...] = Field((), description="Genres of Every Noise to collect (name or slug); empty: all.")
    max_genres: int = Field(0, ge=0, description="Maximum number of genres of Every Noise, by rank; 0: all.")
    songs_per_genre: Positive = Field(150, description="Maximum songs per genre, divided among its playlists.")
    max_entries: Positive = Field(1000, description="Maximum entries read from a playlist.", json_schema_extra=EXPERT)
    artists_per_genre: Positive = Field(15, description="Artists per genre to search songs of (route artists).")
    tracks_per_artist: Positive = Field(10, description="Songs per artist to search for (route artists).")
    searches: tuple[SearchEntry, ...] = Field((), description="Searches for playlists.")
    market: str = Field("", pattern=r"^([A-Z]{2})?$", description="Country code of the catalogue, such as DE.")
    seed: int = seed_of("the choice of songs from playlists")
    audio_features: bool = Field(True, description="Read audio features, if the app has access to them.")
    audio_analysis: bool = Field(
        False, description="Read audio analyses, one request per song, if the app has access to them."
    )
    analysis_path: Path | None = Field(None, description="File or folder of saved analyses for import_analyses.")
    authorisation: Literal["app", "user"] = Field(
        "app",
        description="Authorisation at Spotify. app: client credentials; user: SPOTIFY_REFRESH_TOKEN, or else login in "
        "a browser.",
    )
    redirect_uri: str = Field(
        "http://127.0.0.1:8888/callback",
        description="Redirect URI of the app, for the user's authorisation.",
        json_schema_extra=EXPERT,
    )
    probe_days: int = Field(
        7,
        ge=0,
        description="Days after which the app's access to the Web API is tested again.",
        json_schema_extra=EXPERT,
    )
    api_url: str = Field(
        "https://api.spotify.com/v1", description="Address of Spotify's Web API.", json_schema_extra=EXPERT
    )
    accounts_url: str = Field(
        "https://accounts.spotify.com",
        description="Address of Spotify's account service, which issues tokens.",
        json_schema_extra=EXPERT,
    )


PreviewProvider = Literal["spotify", "deezer", "every_noise", "http"]
#: Meanings of the columns of a list of addresses.
ListColumn = Literal[
    "url", "genre", "song", "title", "artist", "album", "album_artist", "isrc", "licence", "split", "sha256", "md5"
]


class FetchPreviewsSection(Section):
    """Providers of clips, and how long audio is kept."""

    providers: tuple[PreviewProvider, ...] = Field(
        ("spotify", "deezer"),
        description="Providers in order of use: spotify (the preview link stored with a song), deezer (by "
        "ISRC), every_noise (the example on its map), http (files of a list of addresses, see [http]).",
    )
    retention: Literal["keep", "features"] = Field(
        "keep",
        description="How long audio is stored. keep: without limit; features: extract_features deletes it once all "
        "configured feature sets are extracted.",
    )
    refetch: bool = Field(
        False, description="Fetch deleted audio of clips again if a configured feature set lacks them."
    )
    max_file_mb: Positive = Field(16, description="Maximum size of a file to fetch, in MB.")
    examples_per_genre: int = Field(
        0,
        ge=0,
        description="Provider every_noise: artists per genre page whose examples are fetched, in addition to the "
        "example of the genre itself.",
    )


class DeezerSection(Section):
    """Previews of 30 s from Deezer, found by ISRC."""

    acknowledge_terms: bool = Field(
        False,
        description="Confirms that you have read https://developers.deezer.com/termsofuse, which restrict downloads "
        "and other than private use, and that your use is allowed. Nothing is requested from Deezer before this is "
        "true.",
    )
    api_url: str = Field("https://api.deezer.com", description="Address of Deezer's API.", json_schema_extra=EXPERT)
    hosts: tuple[str, ...] = Field(
        ("*.dzcdn.net",), description="Hosts that serve Deezer's previews.", json_schema_extra=EXPERT
    )
    licence: str = Field("Deezer preview, all rights reserved", description="Licence stored with each clip.")


class HttpSection(Section):
    """Audio files from a list of addresses, such as those of FMA, Jamendo or the Internet Archive."""

    manifest: Path | None = Field(
        None, description="List of addresses: a CSV or Parquet file with an address and a genre in each row."
    )
    columns: dict[ListColumn, str] = Field(
        {},
        description='Column name in the list by meaning, such as {url = "download_url"}. Meanings: url, genre, song, '
        "title, artist, album, album_artist, isrc, licence, split, sha256, md5. A column whose name is its meaning "
        "needs no entry.",
    )
    genre_aliases: dict[str, str] = Field({}, description='Genre by spelling, such as {"hip-hop/rap" = "hip hop"}.')
    encoding: str = Field("auto", description="Encoding of the list; auto: UTF-8, UTF-16 or Windows-1252.")
    label_separator: str = Field(
        "auto",
        min_length=1,
        description='Separator of several genres in a cell; "auto": detected; "none": cells are not divided.',
    )
    licence: str = Field("", description="Licence stored where the list states none.")
    hosts: tuple[str, ...] = Field(
        (),
        description="Hosts of the addresses in the list. Executors divide the rates of these hosts; addresses on this "
        "machine or in a private network are fetched only from hosts listed here or in fan_out.private_hosts.",
    )


class PurgeSection(Section):
    """Permanent removal of audio by the job `purge`."""

    provider: Literal["", PreviewProvider] = Field(
        "", description="Provider whose audio is removed: spotify, deezer, every_noise or http."
    )
