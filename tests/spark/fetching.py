"""A picklable fetch for tests of the fan-out, on the driver and in executors."""

from dataclasses import dataclass

from genreatlas.errors import FetchError, Reason
from genreatlas.sources.http import checked, polite_session


@dataclass(frozen=True)
class PageFetch:
    """Requests the page ``url/provider/key`` from a local server."""

    url: str
    host: str
    providers: tuple[str, ...] = ("first",)
    columns: str = "body binary, words array<string>"

    @property
    def hosts(self) -> tuple[str, ...]:
        return (self.host,)

    def open(self, settings):
        sessions = {provider: polite_session(settings, provider, "audio") for provider in self.providers}

        def fetch(row, provider):
            response = checked(sessions[provider].get(f"{self.url}/{provider}/{row['key']}?sig=s3cret"))
            if response.content == b"nonsense":
                raise ValueError(f"cannot read {response.url}")
            if response.content == b"mismatch":
                raise FetchError(Reason.BAD_VALUE, "another one")
            return {"body": response.content, "words": [row["word"]]}

        return fetch
