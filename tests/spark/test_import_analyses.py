"""Saved audio analyses become rows; a rerun finds nothing to do."""

import json

import pytest

from conftest import make_config
from genreatlas.errors import ConfigError
from genreatlas.sources.spotify.song_rows import song_id
from genreatlas.steps import import_analyses
from genreatlas.tables import QUARANTINE, SPOTIFY_AUDIO_ANALYSIS
from stored_rows import rows

TRACK = "0000000000000000000one"
INTERVAL = {"start": 0.25, "duration": 0.5, "confidence": 1}


def test_saved_analyses_are_imported_and_a_rerun_finds_nothing_to_do(store, tmp_path):
    folder = tmp_path / "analyses"
    folder.mkdir()
    segment = INTERVAL | {"pitches": [0.5] * 12, "timbre": [1.5] * 12}
    body = {"meta": {}, "track": {"tempo": 120.5, "key": 9}, "beats": [INTERVAL], "segments": [segment]}
    (folder / f"{TRACK}.json").write_text(json.dumps(body))
    (folder / "other.json").write_text(json.dumps({"body": body}))
    (folder / "broken.json").write_text("{")
    config = make_config(tmp_path, f'spotify.analysis_path="{folder}"')
    counts = import_analyses.run(store, config)
    assert (counts.read, counts.written, counts.failed) == (3, 2, 1)
    found = rows(store, SPOTIFY_AUDIO_ANALYSIS).set_index("track_key")
    stored = store.read(SPOTIFY_AUDIO_ANALYSIS).where("track_key = 'other'").select("segments").collect()[0]["segments"]
    assert found.song_id.to_dict() == {TRACK: song_id(TRACK), "other": None}
    assert (
        found.tempo.tolist() == [120.5, 120.5]
        and found.source.str.startswith(("other.json (", f"{TRACK}.json (")).all()
    )
    assert [segment.asDict() for segment in stored] == [
        {"start_s": 0.25, "duration_s": 0.5, "confidence": 1.0, "loudness_start": None, "loudness_max_time_s": None,
         "loudness_max": None, "loudness_end": None, "pitches": [0.5] * 12, "timbre": [1.5] * 12}
    ]  # fmt: skip
    assert rows(store, QUARANTINE)[["key", "reason"]].values.tolist() == [["broken.json", "bad_value"]]
    assert import_analyses.run(store, config).read == 0


def test_without_a_path_it_says_what_is_missing(store, tmp_path):
    with pytest.raises(ConfigError, match="analysis_path is not set"):
        import_analyses.run(store, make_config(tmp_path))
