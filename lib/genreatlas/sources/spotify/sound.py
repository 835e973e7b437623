"""What Spotify says of a track's sound: audio features, one row a track, and the audio analysis.

Both are closed to apps that were made since 2024-11-27.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genreatlas.sources.spotify.values import UnexpectedBody, integer, mapping, mappings, number, text

#: Numbers between 0 and 1, and the loudness in dB.
_PLAIN = (
    "danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
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
    found = ((text(row.get("id")), _features(row)) for row in mappings(several))
    return tuple(
        AudioFeatures(identity, values)
        for identity, values in found
        if identity is not None and any(value is not None for value in values.values())
    )


def _features(row: Mapping[str, Any]) -> dict[str, float | int | None]:
    key, mode, meter, tempo = (integer(row.get("key")), integer(row.get("mode")), integer(row.get("time_signature")),
                               number(row.get("tempo")))  # fmt: skip
    values: dict[str, float | int | None] = {name: number(row.get(name)) for name in _PLAIN}
    values["key"] = key if key is not None and 0 <= key <= 11 else None
    values["mode"] = mode if mode in (0, 1) else None
    values["tempo"] = tempo if tempo and tempo > 0 else None
    values["time_signature"] = meter if meter and meter > 0 else None
    return {name: values[name] for name in FEATURES}
