"""Parse Spotify's audio features (one row per track) and audio analyses.

Both are closed to apps that were created since 2024-11-27. An analysis has the bars, beats, sections and segments of
one track. Saved analyses are files with the same bodies. A body does not contain the id of its track, so the id is
taken from the file's name, ``<track id>.json``, or from the address of a recorded response (``{"request": {"uri": …},
"body": …}``).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genreatlas.sources.json_values import (
    UnexpectedBody,
    encodable,
    identifier,
    integer,
    mapping,
    mappings,
    number,
    text,
)
from genreatlas.values import Row, RowView

_ADDRESS = re.compile(r"/audio-analysis/([0-9A-Za-z]{22})(?:$|[?#/])")
_ID = re.compile(r"[0-9A-Za-z]{22}")
_WHOLE = ("duration", "loudness", "tempo", "tempo_confidence", "time_signature_confidence", "key_confidence",
          "mode_confidence", "end_of_fade_in", "start_of_fade_out")  # fmt: skip
_SECTION = ("loudness", "tempo", "tempo_confidence", "key_confidence", "mode_confidence", "time_signature_confidence")
#: Columns with a unit in their name, by the API's name without it.
_SECONDS = {
    "duration": "duration_s", "end_of_fade_in": "end_of_fade_in_s", "start_of_fade_out": "start_of_fade_out_s",
}  # fmt: skip
_PITCHES = 12


def parse_analysis(body: object) -> dict[str, object]:
    """Parse an analysis; the result has the columns of ``spotify_audio_analysis`` except its key.

    Intervals without start or duration, and segments without twelve pitches and timbres, are left out.

    Raises
    ------
    UnexpectedBody : the body is not an analysis, or the analyser reported a failure.
    """
    given = mapping(body)
    track, meta = mapping(given.get("track")), mapping(given.get("meta"))
    if not track or not isinstance(given.get("segments"), list):
        raise UnexpectedBody("an audio analysis was requested, but the body has no track and segments")
    if integer(meta.get("status_code")) not in (0, None):
        raise UnexpectedBody(
            f"the analysis failed: {text(meta.get('detailed_status')) or integer(meta.get('status_code'))}"
        )
    row: Row = {"analyzer_version": text(meta.get("analyzer_version"))}
    row |= {_SECONDS.get(name, name): number(track.get(name)) for name in _WHOLE}
    row |= _tonality(track)
    row |= {name: [i for i in map(_interval, mappings(given.get(name))) if i] for name in ("bars", "beats", "tatums")}
    row["sections"] = [section for section in map(_section, mappings(given.get("sections"))) if section]
    row["segments"] = [segment for segment in map(_segment, mappings(given.get("segments"))) if segment]
    return row


def read_analysis_file(path: Path) -> tuple[str, dict[str, object]]:
    """Read a saved analysis: its key (the track's id, otherwise the file's name without suffix) and its columns.

    Raises
    ------
    UnexpectedBody : the file is not JSON, or not an analysis.
    OSError : the file cannot be read.
    """
    try:
        body = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnexpectedBody(f"not JSON: {error}") from None
    key = encodable(path.name.removesuffix(".json"))
    if isinstance(body, dict) and "segments" not in body and isinstance(body.get("body"), dict):
        found = _ADDRESS.search(text(mapping(body.get("request")).get("uri")) or "")
        key, body = found.group(1) if found else key, body["body"]
    return key, parse_analysis(body)


def is_track_id(key: str) -> bool:
    """Whether a key has the form of a track's id."""
    return _ID.fullmatch(key) is not None


def _interval(given: Mapping[str, object]) -> dict[str, object] | None:
    start, duration = number(given.get("start")), number(given.get("duration"))
    if start is None or duration is None:
        return None
    return {"start_s": start, "duration_s": duration, "confidence": number(given.get("confidence"))}


def _section(given: Mapping[str, object]) -> dict[str, object] | None:
    interval = _interval(given)
    if interval is None:
        return None
    interval |= {name: number(given.get(name)) for name in _SECTION}
    return interval | _tonality(given)


def _tonality(given: Mapping[str, object]) -> dict[str, int | None]:
    """Key (0 is C), mode and time signature; None if not detected (-1, or a time signature of 0)."""
    found = {name: integer(given.get(name)) for name in ("key", "mode", "time_signature")}
    lowest = {"key": 0, "mode": 0, "time_signature": 1}
    return {name: value if value is not None and value >= lowest[name] else None for name, value in found.items()}


def _segment(given: Mapping[str, object]) -> dict[str, object] | None:
    interval, pitches, timbre = _interval(given), _twelve(given.get("pitches")), _twelve(given.get("timbre"))
    if interval is None or pitches is None or timbre is None:
        return None
    interval |= {name: number(given.get(name)) for name in ("loudness_start", "loudness_max", "loudness_end")}
    return interval | {
        "loudness_max_time_s": number(given.get("loudness_max_time")),
        "pitches": pitches,
        "timbre": timbre,
    }


def _twelve(value: object) -> list[float] | None:
    numbers = [number(item) for item in value] if isinstance(value, list) else []
    found = [item for item in numbers if item is not None]
    return found if len(found) == _PITCHES == len(numbers) else None


#: Features with values between 0 and 1.
_SHARES = (
    "danceability", "energy", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
)  # fmt: skip
#: Audio features in the order of the API's reference.
FEATURES = (
    "danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness",
    "liveness", "valence", "tempo", "time_signature",
)  # fmt: skip


@dataclass(frozen=True)
class AudioFeatures:
    """Audio features of a track; values that were not detected (key -1, tempo 0, time signature 0) are None."""

    spotify_id: str
    values: Mapping[str, float | int | None]


def parse_audio_features(body: object) -> tuple[AudioFeatures, ...]:
    """Parse the audio features of one or several tracks; tracks without features (null) are left out.

    Raises
    ------
    UnexpectedBody : the body has no audio features.
    """
    given = mapping(body)
    several = given.get("audio_features")
    if not isinstance(several, list):
        if "danceability" not in given:
            raise UnexpectedBody("audio features were requested, but the body has no audio_features")
        several = [given]
    if several and not any(row is None or (isinstance(row, dict) and row.keys() & {"id", "error"}) for row in several):
        raise UnexpectedBody("audio features were requested, but the body's rows are not audio features")
    found = ((identifier(row.get("id")), _features(row)) for row in mappings(several))
    return tuple(
        AudioFeatures(identity, values)
        for identity, values in found
        if identity is not None and any(value is not None for value in values.values())
    )


def _features(row: RowView) -> dict[str, float | int | None]:
    values: dict[str, float | int | None] = {name: number(row.get(name), 0.0, 1.0) for name in _SHARES}
    values["loudness"] = number(row.get("loudness"), -200.0, 200.0)
    values["key"] = integer(row.get("key"), 0, 11)
    values["mode"] = integer(row.get("mode"), 0, 1)
    values["tempo"] = number(row.get("tempo"), 1e-9, 10_000.0)
    values["time_signature"] = integer(row.get("time_signature"), 1, 100)
    return {name: values[name] for name in FEATURES}
