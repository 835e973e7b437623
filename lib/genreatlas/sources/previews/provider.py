"""Interface of providers of previews, and the terms under which they can be used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from genreatlas.config import Config, FanOutSection


@dataclass(frozen=True)
class Preview:
    """Audio of a provider.

    Parameters
    ----------
    data : bytes of the file.
    reference : displayed name of the source, never an address with a signature.
    licence : licence stated by the provider.
    declared_s : length in seconds stated by the provider; None if not stated.
    """

    data: bytes
    reference: str
    licence: str | None = None
    declared_s: float | None = None


#: Minimum length of previews of Spotify and Deezer in seconds; the preview of a shorter song is the whole song.
USUAL_PREVIEW_S = 29.0


def usual_length(song_s: float | None) -> float:
    """Usual length in seconds of a preview of a song of ``song_s`` seconds."""
    return min(USUAL_PREVIEW_S, song_s) if song_s else USUAL_PREVIEW_S


#: Function that finds and fetches the preview of a song (with :data:`SONG_COLUMNS`) at once, because addresses expire.
PreviewOf: TypeAlias = Callable[[Mapping[str, object]], Preview]

#: Attributes of a song for providers. ``example_url`` is an example on Every Noise, ``file_url`` is from a manifest.
SONG_COLUMNS = (
    "title", "artist", "isrc", "duration_ms", "preview_url", "example_url", "file_url", "checksum", "licence",
)  # fmt: skip


class Provider(Protocol):
    """Interface of a provider."""

    @property
    def name(self) -> str:
        """Name in ``fetch_previews.providers`` and in tables."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of requests, as in ``[fan_out] hosts``."""

    def open(self, settings: FanOutSection) -> PreviewOf:
        """Create the sessions of a process; the returned function raises FetchError if a song has no preview."""


def terms(name: str, config: Config) -> str | None:
    """Message why a provider is disabled, with its terms; None if it is enabled."""
    without = "To go on without it, remove it from fetch_previews.providers."
    if name in ("spotify", "every_noise") and not config.spotify.acknowledge_terms:
        whose = (
            "Spotify's previews" if name == "spotify" else "The examples on Every Noise are Spotify's previews: they"
        )
        return (
            f"fetch_previews: {name} is off. {whose} may not be stored or used to train models, under "
            "https://developer.spotify.com/terms, unless Spotify permits it. If it does, set "
            f"spotify.acknowledge_terms = true. {without}"
        )
    if name == "deezer" and not config.deezer.acknowledge_terms:
        return (
            "fetch_previews: deezer is off. The terms at https://developers.deezer.com/termsofuse restrict downloads "
            "and non-private use of its previews. If they permit your use, set deezer.acknowledge_terms = true. "
            f"{without}"
        )
    if name == "http" and config.http.manifest is None:
        return f"fetch_previews: http has no list of files. Set http.manifest. {without}"
    return None
