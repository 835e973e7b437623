"""Providers of clips: one module per provider, with a common interface."""

from genreatlas.config import Config
from genreatlas.errors import ConfigError
from genreatlas.sources.previews.provider import Preview, PreviewOf, Provider, terms

__all__ = ["Preview", "PreviewOf", "Provider", "open_provider", "terms"]


def open_provider(name: str, config: Config) -> Provider:
    """Create a provider by name, if its terms were acknowledged.

    Raises
    ------
    ConfigError : the provider's terms were not acknowledged, or its configuration is incomplete.
    """
    # Imported here, so that checking the terms does not load an HTTP client.
    from genreatlas.sources.hosts import hosts_of
    from genreatlas.sources.previews.addresses import EveryNoisePreviews, HttpFiles, SpotifyPreviews
    from genreatlas.sources.previews.deezer import DeezerPreviews

    if (reason := terms(name, config)) is not None:
        raise ConfigError(reason)
    largest = config.fetch_previews.max_file_mb
    if name == "spotify":
        return SpotifyPreviews(largest, hosts_of(config.spotify.api_url))
    if name == "every_noise":
        return EveryNoisePreviews(largest, hosts_of(config.every_noise.map))
    if name == "deezer":
        return DeezerPreviews(config.deezer, largest)
    return HttpFiles(config.http, largest)
