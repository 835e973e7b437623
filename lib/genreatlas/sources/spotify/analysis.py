"""Audio analyses: bars, beats, sections and segments of one track, as the API gave them until 2024.

Saved analyses are the same bodies in files. A body does not say whose analysis it is, so the file's name
does: ``<track id>.json``; a recorded answer (``{"request": {"uri": …}, "body": …}``) says it by its address.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genreatlas.sources.spotify.values import UnexpectedBody, encodable, integer, mapping, mappings, number, text

_ADDRESS = re.compile(r"/audio-analysis/([0-9A-Za-z]{22})(?:$|[?#/])")
_ID = re.compile(r"[0-9A-Za-z]{22}")
_WHOLE = ("duration", "loudness", "tempo", "tempo_confidence", "time_signature_confidence", "key_confidence",
          "mode_confidence", "end_of_fade_in", "start_of_fade_out")  # fmt: skip
_SECTION = ("loudness", "tempo", "tempo_confidence", "key_confidence", "mode_confidence", "time_signature_confidence")
#: Names of the table's columns whose unit the API leaves out of the name.
_SECONDS = {
    "duration": "duration_s", "end_of_fade_in": "end_of_fade_in_s", "start_of_fade_out": "start_of_fade_out_s",
}  # fmt: skip
_PITCHES = 12


def parse_analysis(body: Any) -> dict[str, Any]:
    """Read an analysis; the result has the columns of ``spotify_audio_analysis`` but its key.

    Intervals without a start or duration are left out, as are segments without twelve pitches and timbres.

    Raises
    ------
    UnexpectedBody : the body is no analysis, or the analyser reported that it failed.
    """
    given = mapping(body)
    track, meta = mapping(given.get("track")), mapping(given.get("meta"))
    if not track or not isinstance(given.get("segments"), list):
        raise UnexpectedBody("an audio analysis was asked for, and the body has no track and segments")
    if integer(meta.get("status_code")) not in (0, None):
        raise UnexpectedBody(
            f"the analysis failed: {text(meta.get('detailed_status')) or integer(meta.get('status_code'))}"
        )
    row: dict[str, Any] = {"analyzer_version": text(meta.get("analyzer_version"))}
    row |= {_SECONDS.get(name, name): number(track.get(name)) for name in _WHOLE}
    row |= _tonality(track)
    row |= {name: [i for i in map(_interval, mappings(given.get(name))) if i] for name in ("bars", "beats", "tatums")}
    row["sections"] = [section for section in map(_section, mappings(given.get("sections"))) if section]
    row["segments"] = [segment for segment in map(_segment, mappings(given.get("segments"))) if segment]
    return row


def read_analysis_file(path: Path) -> tuple[str, dict[str, Any]]:
    """Read a saved analysis: its key (the track's id, or else the file's name without suffix) and its columns.

    Raises
    ------
    UnexpectedBody : the file is not JSON, or no analysis.
    OSError : it cannot be read.
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
    """Whether a key is a track's id and not only a file's name."""
    return _ID.fullmatch(key) is not None


def _interval(given: Mapping[str, Any]) -> dict[str, Any] | None:
    start, duration = number(given.get("start")), number(given.get("duration"))
    if start is None or duration is None:
        return None
    return {"start_s": start, "duration_s": duration, "confidence": number(given.get("confidence"))}


def _section(given: Mapping[str, Any]) -> dict[str, Any] | None:
    interval = _interval(given)
    if interval is None:
        return None
    interval |= {name: number(given.get(name)) for name in _SECTION}
    return interval | _tonality(given)


def _tonality(given: Mapping[str, Any]) -> dict[str, int | None]:
    """Key (0 is C), mode and time signature; None where the analyser could not tell (-1, or 0 beats a bar)."""
    found = {name: integer(given.get(name)) for name in ("key", "mode", "time_signature")}
    lowest = {"key": 0, "mode": 0, "time_signature": 1}
    return {name: value if value is not None and value >= lowest[name] else None for name, value in found.items()}


def _segment(given: Mapping[str, Any]) -> dict[str, Any] | None:
    interval, pitches, timbre = _interval(given), _twelve(given.get("pitches")), _twelve(given.get("timbre"))
    if interval is None or pitches is None or timbre is None:
        return None
    interval |= {name: number(given.get(name)) for name in ("loudness_start", "loudness_max", "loudness_end")}
    return interval | {
        "loudness_max_time_s": number(given.get("loudness_max_time")),
        "pitches": pitches,
        "timbre": timbre,
    }


def _twelve(value: Any) -> list[float] | None:
    numbers = [number(item) for item in value] if isinstance(value, list) else []
    found = [item for item in numbers if item is not None]
    return found if len(found) == _PITCHES == len(numbers) else None
