"""Fetch the preview of one song from a provider, and check its audio in the fetching process."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from genreatlas.audio.inspection import check_arrival
from genreatlas.config import ClipSection, Config, FanOutSection
from genreatlas.errors import ClipError, FetchError, Reason
from genreatlas.fanout import FetchOne
from genreatlas.sources.previews import Preview, Provider, open_provider
from genreatlas.values import Row, RowView

#: Faults of audio that a broken transfer may have caused, so that they are transient.
_MAY_PASS = frozenset({Reason.NOT_AUDIO, Reason.EMPTY_FILE, Reason.DECODE_FAILED, Reason.TRUNCATED, Reason.TOO_SHORT})
#: Columns that are written to ``clips`` unchanged.
FACTS = (
    "sha256", "sound_sha256", "audio_id", "start_s", "length_s", "mime", "codec", "sample_rate", "channels", "bit_rate",
    "duration_s", "quality_flags",
)  # fmt: skip


@dataclass(frozen=True)
class PreviewFetch:
    """Previews of songs, from providers in order; see :mod:`genreatlas.fanout`."""

    asked: tuple[Provider, ...]
    clip: ClipSection

    columns = (
        "audio binary, reference string, licence string, sha256 string, sound_sha256 string, audio_id string, "
        "start_s double, length_s double, mime string, codec string, sample_rate int, channels int, bit_rate int, "
        "duration_s double, quality_flags array<string>"
    )

    @classmethod
    def of(cls, config: Config) -> "PreviewFetch":
        """Create the fetch with the configured providers.

        Raises
        ------
        ConfigError : the terms of a provider were not acknowledged.
        """
        asked = tuple(open_provider(name, config) for name in dict.fromkeys(config.fetch_previews.providers))
        return cls(asked, config.clip)

    @property
    def providers(self) -> tuple[str, ...]:
        """Names of the providers, in order."""
        return tuple(provider.name for provider in self.asked)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Distinct hosts of all providers."""
        return tuple(dict.fromkeys(host for provider in self.asked for host in provider.hosts))

    def host_of(self, song: RowView, provider: str) -> str:
        """Host of a listed file, because files of a manifest are on unrelated hosts; empty for other providers."""
        if provider != "http" or not song["file_url"]:
            return ""
        try:
            return urlsplit(str(song["file_url"])).netloc.rpartition("@")[2].lower()
        except ValueError:
            return ""

    def open(self, settings: FanOutSection) -> FetchOne:
        """Create the sessions of every provider, and return the function that fetches a preview."""
        preview_of = {provider.name: provider.open(settings) for provider in self.asked}

        def fetch(song: RowView, provider: str) -> RowView:
            preview = preview_of[provider](song)
            return self._facts(preview) | {
                "audio": preview.data,
                "reference": preview.reference,
                "licence": preview.licence,
            }

        return fetch

    def _facts(self, preview: Preview) -> Row:
        try:
            return check_arrival(preview.data, self.clip, preview.declared_s)
        except ClipError as error:
            raise FetchError(error.reason, error.detail, transient=error.reason in _MAY_PASS) from None
