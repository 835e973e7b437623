"""Sections of where clips of songs come from."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from genreatlas.config.sections import Positive, Section

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
    max_file_mb: Positive = Field(16, description="Longer files are not fetched.")
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
    api_url: str = Field("https://api.deezer.com", description="API.")
    hosts: tuple[str, ...] = Field(("*.dzcdn.net",), description="Hosts that the previews themselves come from.")
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
