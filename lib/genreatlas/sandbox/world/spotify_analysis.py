"""A small audio analysis in the form of Spotify's: bars, beats, tatums, sections, and segments with timbre."""

import random
from typing import Any

_SECONDS = 30.0


def analysis(features: dict[str, Any]) -> dict[str, Any]:
    """Analysis that agrees with the audio features of the same track."""
    draw = random.Random(str(features["id"]))
    beat = 60.0 / features["tempo"]
    track = {
        "duration": features["duration_ms"] / 1000,
        "num_samples": int(features["duration_ms"] * 22.05),
        "analysis_sample_rate": 22050,
        "end_of_fade_in": 0.0,
        "loudness": features["loudness"],
        "tempo": features["tempo"],
        "tempo_confidence": 0.8,
        "time_signature": features["time_signature"],
        "time_signature_confidence": 0.9,
        "key": features["key"],
        "key_confidence": 0.6,
        "mode": features["mode"],
        "mode_confidence": 0.6,
    }
    section = {key: track[key] for key in ("loudness", "tempo", "key", "mode", "time_signature")}
    return {
        "meta": {"analyzer_version": "4.0.0", "status_code": 0, "detailed_status": "OK"},
        "track": track,
        "bars": _steps(beat * features["time_signature"]),
        "beats": _steps(beat),
        "tatums": _steps(beat / 2),
        "sections": [{"start": 0.0, "duration": track["duration"], "confidence": 1.0} | section],
        "segments": [
            step
            | {
                "loudness_start": round(draw.uniform(-30, -10), 3),
                "loudness_max": round(draw.uniform(-12, -3), 3),
                "loudness_max_time": 0.05,
                "loudness_end": 0.0,
                "pitches": [round(draw.random(), 3) for _ in range(12)],
                "timbre": [round(draw.gauss(0, 40), 3) for _ in range(12)],
            }
            for step in _steps(0.5)
        ],
    }


def _steps(length: float) -> list[dict[str, Any]]:
    places = range(int(_SECONDS / length))
    return [{"start": round(n * length, 5), "duration": round(length, 5), "confidence": 0.7} for n in places]
