"""The interface of a provider of previews, and the terms under which each may be asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from genreatlas.config import Config, FanOutSection


@dataclass(frozen=True)
class Preview:
    """Audio as a provider gave it.

    Parameters
    ----------
    data : the file's bytes.
    reference : the provider's own name of it, for people: never an address with a signature.
    licence : what the provider says about its use.
    declared_s : how long the provider says that it is, in seconds; None where it says nothing.
    """

    data: bytes
    reference: str
    licence: str | None = None
    declared_s: float | None = None


#: Least length of the previews of Spotify and Deezer, in seconds; of a shorter song they are the whole.
USUAL_PREVIEW_S = 29.0


def usual_length(song_s: float | None) -> float:
    """How long a preview of a song of so many seconds usually is."""
    return min(USUAL_PREVIEW_S, song_s) if song_s else USUAL_PREVIEW_S


#: Given a song (see :data:`SONG_COLUMNS`), find and fetch its preview in one go, because addresses expire.
PreviewOf: TypeAlias = Callable[[Mapping[str, object]], Preview]

#: What a provider is told of a song. ``example_url`` is an example on Every Noise, ``file_url`` stands in a list.
SONG_COLUMNS = (
    "title", "artist", "isrc", "duration_ms", "preview_url", "example_url", "file_url", "checksum", "licence",
)  # fmt: skip


class Provider(Protocol):
    """One provider: a module of this package has a class like this."""

    @property
    def name(self) -> str:
        """Its name in ``fetch_previews.providers`` and in tables."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts that are asked, as ``[fan_out] hosts`` names them."""

    def open(self, settings: FanOutSection) -> PreviewOf:
        """Make what a process needs; what comes back raises FetchError where a song has no preview here."""


def terms(name: str, config: Config) -> str | None:
    """Why a provider is off, naming its terms; None where it is on."""
    without = "Take it out of fetch_previews.providers to do without."
    if name in ("spotify", "every_noise") and not config.spotify.acknowledge_terms:
        whose = (
            "Spotify's previews" if name == "spotify" else "The examples on Every Noise are Spotify's previews: they"
        )
        return (
            f"fetch_previews: {name} is off. {whose} may not be stored, nor models be trained on them, under "
            "https://developer.spotify.com/terms unless Spotify allows it to you. If it does, set "
            f"spotify.acknowledge_terms = true. {without}"
        )
    if name == "deezer" and not config.deezer.acknowledge_terms:
        return (
            "fetch_previews: deezer is off. https://developers.deezer.com/termsofuse restrict downloads and other "
            "than private use of its previews. If what you do is allowed to you, set deezer.acknowledge_terms = "
            f"true. {without}"
        )
    if name == "http" and config.http.manifest is None:
        return f"fetch_previews: http has no list. Set http.manifest. {without}"
    return None
