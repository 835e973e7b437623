"""Sections of what is fetched from the outside world: rates, credentials, terms and addresses."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from genreatlas.config.sections import EXPERT, Positive, Section, seed_of


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
    """Requests to external services; rates apply to the whole run, not to each task."""

    runner: Literal["driver", "executors"] = Field(
        "driver", description="driver: a pool of threads here (Connect, serverless); executors: Spark tasks."
    )
    hosts: Annotated[dict[str, HostLimit], AfterValidator(_over_defaults)] = Field(
        HOSTS,
        description="Limit of each host, host:port or *.domain (all its hosts together); * is each other host. Entries "
        "replace those of the defaults, or are added to them.",
    )
    threads: Positive = Field(
        16, description="Items that the driver fetches at the same time.", json_schema_extra=EXPERT
    )
    partitions: int = Field(
        0, ge=0, description="Tasks of the runner executors; 0: as many as there are cores.", json_schema_extra=EXPERT
    )
    tries: Positive = Field(
        4, description="Most requests for one fetch, if failures are transient.", json_schema_extra=EXPERT
    )
    backoff_s: float = Field(
        1.0,
        ge=0.0,
        description="First wait of the full-jitter back-off, in seconds; it doubles.",
        json_schema_extra=EXPERT,
    )
    backoff_cap_s: float = Field(
        30.0, ge=0.0, description="Maximum back-off between two tries, in seconds.", json_schema_extra=EXPERT
    )
    retry_after_cap_s: float = Field(
        120.0,
        ge=0.0,
        description="Longest Retry-After, in seconds, that a run waits for; above it, the provider is left for a later "
        "run.",
        json_schema_extra=EXPERT,
    )
    max_attempts: Positive = Field(
        5, description="Most attempts to fetch an item, over all runs.", json_schema_extra=EXPERT
    )
    retry_delay_s: float = Field(
        600.0,
        ge=0.0,
        description="Seconds after which a failed item is fetched again; doubled with each attempt.",
        json_schema_extra=EXPERT,
    )
    breaker_failures: Positive = Field(
        10, description="Failures in a row after which requests to a host are paused.", json_schema_extra=EXPERT
    )
    breaker_wait_s: float = Field(
        30.0,
        ge=0.0,
        description="Seconds without requests to a host after repeated failures; then one request probes it.",
        json_schema_extra=EXPERT,
    )
    breaker_probes: Positive = Field(
        4,
        description="Failed probes of a paused host after which its provider is left for a later run.",
        json_schema_extra=EXPERT,
    )
    pause_s: float = Field(
        900.0,
        ge=0.0,
        description="Seconds for which a provider is paused if it does not say how long to wait.",
        json_schema_extra=EXPERT,
    )
    max_pause_days: float = Field(
        7.0,
        gt=0.0,
        le=366.0,
        description="Longest pause in days, whatever a server asks for.",
        json_schema_extra=EXPERT,
    )
    connect_s: float = Field(
        10.0, gt=0.0, description="Time limit for opening a connection, in seconds.", json_schema_extra=EXPERT
    )
    read_s: float = Field(
        20.0, gt=0.0, description="Time limit for the next bytes of a response, in seconds.", json_schema_extra=EXPERT
    )
    total_s: float = Field(
        120.0,
        gt=0.0,
        description="Time limit for one request with its whole body, in seconds.",
        json_schema_extra=EXPERT,
    )
    max_body_mb: Positive = Field(64, description="Largest body of a response, in MB.", json_schema_extra=EXPERT)
    max_redirects: int = Field(5, ge=0, description="Most redirects that are followed.", json_schema_extra=EXPERT)
    chunk_rows: Positive = Field(
        500, description="Items in one commit; a crash repeats at most this many.", json_schema_extra=EXPERT
    )
    chunk_mb: Positive = Field(128, description="Size of one commit by the driver, in MB.", json_schema_extra=EXPERT)
    private_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts on this machine or in a private network that may be asked, with plain http too: host, "
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
    """Every Noise At Once: addresses, or pages that were saved as files."""

    map: str = Field("https://everynoise.com/engenremap.html", description="The map page: address or saved file.")
    list: str = Field("", description="The list of all genres (everynoise1d.html): address or saved file; empty: none.")
    genre_pages: bool = Field(False, description="Read each genre's own page, too: artists, neighbours, playlists.")
    pages: str = Field(
        "https://everynoise.com/engenremap-{slug}.html",
        description="Genre pages: an address with {slug} in it, or a folder with saved pages.",
    )
    genres: tuple[str, ...] = Field((), description="Slugs or names of the genres whose pages are read; empty: all.")
    floor: Positive = Field(
        1000,
        description="Fewest genres of a valid map; with fewer, the step fails and writes nothing.",
        json_schema_extra=EXPERT,
    )
    snapshot: str = Field(
        "",
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        description="Day of the map's state; empty: the date in the file's name, or the day on which it was new.",
    )

    replace: bool = Field(
        False,
        description="For one run: replace what is stored of the snapshot by what the pages say, where it was wrong. "
        "The map's genres, and artists, neighbours and playlists of the genre pages that are read.",
        json_schema_extra=EXPERT,
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
        description="Confirms that you have read https://developer.spotify.com/terms, which forbid training models on "
        "Spotify's content, and that your use is allowed. Nothing is requested from Spotify before this is "
        "true.",
    )
    routes: tuple[Route, ...] = Field(
        ("everynoise", "configuration", "search", "artists"),
        description="Sources of a genre's songs: everynoise (playlists on its Every Noise page), configuration "
        "([[playlists]]), search ([[spotify.searches]]), artists (those on its Every Noise page, if the "
        "others give no songs).",
    )
    roles: tuple[PlaylistRole, ...] = Field(
        ("sound",),
        description="Playlists of an Every Noise page that are read: sound, intro, pulse, edge, year, other.",
    )
    genres: tuple[str, ...] = Field((), description="Genres of Every Noise to collect (name or slug); empty: all.")
    max_genres: int = Field(0, ge=0, description="Most genres of Every Noise, by rank; 0: all.")
    songs_per_genre: Positive = Field(150, description="Most songs of a genre, shared among its playlists.")
    max_entries: Positive = Field(
        1000, description="Most entries of a playlist that are read.", json_schema_extra=EXPERT
    )
    artists_per_genre: Positive = Field(15, description="Artists of a genre that are searched for.")
    tracks_per_artist: Positive = Field(10, description="Songs of each artist that are searched for.")
    searches: tuple[SearchEntry, ...] = Field((), description="Searches for playlists.")
    market: str = Field("", pattern=r"^([A-Z]{2})?$", description="Country code of the catalogue, such as DE.")
    seed: int = seed_of("the choice among a list's songs")
    audio_features: bool = Field(True, description="Read audio features, if the app has access to them.")
    audio_analysis: bool = Field(
        False, description="Read audio analyses, one request a song, if the app has access to them."
    )
    analysis_path: Path | None = Field(None, description="File or folder of saved analyses for import_analyses.")
    authorisation: Literal["app", "user"] = Field(
        "app", description="app: client credentials; user: SPOTIFY_REFRESH_TOKEN, or a browser where there is one."
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
#: What is known of a file in a list of addresses.
ListColumn = Literal[
    "url", "genre", "song", "title", "artist", "album", "album_artist", "isrc", "licence", "split", "sha256", "md5"
]


class FetchPreviewsSection(Section):
    """Providers of clips, and how long audio is kept."""

    providers: tuple[PreviewProvider, ...] = Field(
        ("spotify", "deezer"),
        description="Providers in the order of use: spotify (the preview that came with a song), deezer (by "
        "ISRC), every_noise (the example on its map), http (files that a list names, see [http]).",
    )
    retention: Literal["keep", "features"] = Field(
        "keep", description="features: extract_features drops the audio once every configured set has it."
    )
    refetch: bool = Field(False, description="Fetch clips again whose audio is gone and which lack a configured set.")
    max_file_mb: Positive = Field(16, description="Files larger than this, in MB, are not fetched.")
    examples_per_genre: int = Field(
        0,
        ge=0,
        description="Provider every_noise: artists on a genre's page whose example is fetched, besides the "
        "genre's own.",
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
    """Audio files that a list names by their addresses, such as FMA, Jamendo or the Internet Archive."""

    manifest: Path | None = Field(None, description="CSV or Parquet with an address and a genre in each row.")
    columns: dict[ListColumn, str] = Field(
        {},
        description="Columns of the list: the meaning, and the list's own name of the column, such as {url = "
        '"download_url"}. Meanings: url, genre, song, title, artist, album, album_artist, isrc, licence, '
        "split, sha256, md5. A column with such a name needs no entry.",
    )
    genre_aliases: dict[str, str] = Field(
        {}, description='Spellings, and the genre that each stands for, such as {"hip-hop/rap" = "hip hop"}.'
    )
    encoding: str = Field("auto", description="Encoding of the list; auto: UTF-8, UTF-16 or Windows-1252.")
    label_separator: str = Field(
        "auto",
        min_length=1,
        description='Separator of several genres in a cell; "auto": detected; "none": cells are not divided.',
    )
    licence: str = Field("", description="Licence stored where the list states none.")
    hosts: tuple[str, ...] = Field(
        (),
        description="Hosts of the addresses, whose rates executors divide; addresses on this machine or in a private "
        "network are fetched only from hosts that are named here or in fan_out.private_hosts.",
    )


class PurgeSection(Section):
    """Permanent removal of audio by the job `purge`."""

    provider: Literal["", PreviewProvider] = Field(
        "", description="Provider whose audio is removed: spotify, deezer, every_noise or http."
    )
