"""Audio analyses: whole rows, from bodies and from saved files."""

import json

import pytest

from genreatlas.sources.json_values import UnexpectedBody
from genreatlas.sources.spotify.analysis import is_track_id, parse_analysis, read_analysis_file

TRACK = "0000000000000000000one"
TWELVE = [0.5] * 12
INTERVAL = {"start": 0.25, "duration": 0.5, "confidence": 1}
READ = {"start_s": 0.25, "duration_s": 0.5, "confidence": 1.0}
WHOLE = {
    "tempo": 151.5, "tempo_confidence": 0.5, "loudness": -5.25, "time_signature_confidence": 1.0,
    "key_confidence": 0.25, "mode_confidence": 0.75,
}  # fmt: skip
SAID = {"time_signature": 4, "key": 9, "mode": 0}


def body(**changes):
    return {
        "meta": {"analyzer_version": "4.0.0", "status_code": 0, "detailed_status": "OK"},
        "track": {"duration": 226.5, "end_of_fade_in": 0.25, "start_of_fade_out": 217.5, "codestring": "eJx"}
        | WHOLE
        | SAID,
        "bars": [INTERVAL, {"start": None, "duration": 1}],
        "beats": [INTERVAL, INTERVAL],
        "tatums": None,
        "sections": [INTERVAL | WHOLE | {"key": -1, "mode": -1, "time_signature": 0}],
        "segments": [
            INTERVAL
            | {"loudness_start": -60, "loudness_max_time": 0.125, "loudness_max": -50, "loudness_end": 0}
            | {"pitches": TWELVE, "timbre": TWELVE},
            INTERVAL | {"pitches": TWELVE[1:], "timbre": TWELVE},
        ],
    } | changes


ROW = {
    "analyzer_version": "4.0.0", "duration_s": 226.5, "end_of_fade_in_s": 0.25, "start_of_fade_out_s": 217.5,
    **WHOLE, **SAID,
    "bars": [READ], "beats": [READ, READ], "tatums": [],
    "sections": [READ | WHOLE | {"key": None, "mode": None, "time_signature": None}],
    "segments": [
        READ | {"loudness_start": -60.0, "loudness_max": -50.0, "loudness_end": 0.0, "loudness_max_time_s": 0.125,
                "pitches": TWELVE, "timbre": TWELVE}
    ],
}  # fmt: skip


def test_an_analysis_is_read_whole_and_what_is_incomplete_is_left_out():
    assert parse_analysis(body()) == ROW


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"error": {"status": 404, "message": "analysis not found"}}, "no track and segments"),
        (body(meta={"status_code": 2, "detailed_status": "Decoder failed"}), "Decoder failed"),
        ([], "no track and segments"),
    ],
)
def test_what_is_no_analysis_is_refused(given, message):
    with pytest.raises(UnexpectedBody, match=message):
        parse_analysis(given)


def test_a_saved_analysis_is_known_by_its_file_name_or_by_the_address_it_was_recorded_from(tmp_path):
    named = tmp_path / f"{TRACK}.json"
    named.write_text(json.dumps(body()))
    assert read_analysis_file(named) == (TRACK, ROW)
    recorded = tmp_path / "recorded.json"
    uri = f"https://api.spotify.com/v1/audio-analysis/{TRACK}"
    recorded.write_text(json.dumps({"request": {"uri": uri}, "status": 200, "body": body()}))
    assert read_analysis_file(recorded) == (TRACK, ROW)
    recorded.write_text(json.dumps({"body": body()}))
    assert read_analysis_file(recorded) == ("recorded", ROW)
    assert is_track_id(TRACK) and not is_track_id("recorded")
    recorded.write_text("<html>")
    with pytest.raises(UnexpectedBody, match="not JSON"):
        read_analysis_file(recorded)
