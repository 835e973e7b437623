"""What Spotify says of a track's sound: audio features, one row a track, and the audio analysis.

Both are closed to apps that were made since 2024-11-27.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genreatlas.sources.spotify.values import UnexpectedBody, identifier, integer, mapping, mappings, number

#: Numbers between 0 and 1.
_SHARES = (
    "danceability", "energy", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
)  # fmt: skip
#: Features in the order of the API's reference.
FEATURES = (
    "danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness",
    "liveness", "valence", "tempo", "time_signature",
)  # fmt: skip


@dataclass(frozen=True)
class AudioFeatures:
    """Audio features of a track; what could not be told (key -1, tempo 0, time signature 0) is None."""

    spotify_id: str
    values: Mapping[str, float | int | None]


def parse_audio_features(body: Any) -> tuple[AudioFeatures, ...]:
    """Read the audio features of several tracks, or of one; tracks without any (null) are left out.

    Raises
    ------
    UnexpectedBody : the body has no audio features.
    """
    given = mapping(body)
    several = given.get("audio_features")
    if not isinstance(several, list):
        if "danceability" not in given:
            raise UnexpectedBody("audio features were asked for, and the body has no audio_features")
        several = [given]
    if several and not any(row is None or (isinstance(row, dict) and row.keys() & {"id", "error"}) for row in several):
        raise UnexpectedBody("audio features were asked for, and the body's rows are something else")
    found = ((identifier(row.get("id")), _features(row)) for row in mappings(several))
    return tuple(
        AudioFeatures(identity, values)
        for identity, values in found
        if identity is not None and any(value is not None for value in values.values())
    )


def _features(row: Mapping[str, Any]) -> dict[str, float | int | None]:
    values: dict[str, float | int | None] = {name: number(row.get(name), 0.0, 1.0) for name in _SHARES}
    values["loudness"] = number(row.get("loudness"), -200.0, 200.0)
    values["key"] = integer(row.get("key"), 0, 11)
    values["mode"] = integer(row.get("mode"), 0, 1)
    values["tempo"] = number(row.get("tempo"), 1e-9, 10_000.0)
    values["time_signature"] = integer(row.get("time_signature"), 1, 100)
    return {name: values[name] for name in FEATURES}
