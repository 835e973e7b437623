"""A small store with known contents for tests of SQL, written without Spark.

Three genres of four artists each, two songs per artist; one song in eight is under two genres. Techno is fast and loud,
Ambient slow and quiet. The best model predicts House for some Techno; the loudness baseline is worse.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from genreatlas.audio.feature_sets import FEATURE_SETS as REGISTRY
from genreatlas.audio.feature_sets import table_of
from genreatlas.audio.layouts import VECTOR
from genreatlas.tables import (
    GENERATED_PLAYLIST_SONGS,
    GENERATED_PLAYLISTS,
    GENRE_EVOLUTION,
    GENRE_NEIGHBOURS,
    GENRE_POSITIONS,
    GENRE_PROFILES,
    GENRE_REGIONS,
    GENRE_TREE,
    GENRE_TYPICAL_SONGS,
    MAP_COMPARISONS,
    MAPS,
    NEIGHBOUR_SONGS,
    NEIGHBOUR_SPACES,
    PLAYLIST_RECIPES,
    PUBLISHED_PLAYLISTS,
    SONG_NEIGHBOURS,
    TABLES,
    TOPIC_MODELS,
    TOPICS,
    Table,
)

GENRES = {"ambient": "Ambient", "house": "House", "techno": "Techno"}
TEMPO = {"ambient": 70.0, "house": 115.0, "techno": 135.0}
LUFS = {"ambient": -24.0, "house": -9.0, "techno": -8.0}
PARTS = ("train", "train", "promotion", "test")  # of the artists of a genre
TABLE = {table.name: table for table in TABLES}
#: Described features, a subset of the 57: each takes a second in the tests of views.
KNOWN = ("rms_mean", "spectral_centroid_mean", "tempo", "mfcc1_mean")
THEN = datetime(2026, 11, 1, 12, tzinfo=UTC)
CLIP = {"preprocessing_id": "p2"}
_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_type(spark_type: str) -> pa.DataType:
    """Arrow type of a column of a described table."""
    if match := re.fullmatch(r"array<(.*)>", spark_type):
        return pa.list_(arrow_type(match[1]))
    if match := re.fullmatch(r"map<(\w+),(.*)>", spark_type):
        return pa.map_(arrow_type(match[1]), arrow_type(match[2]))
    return _ARROW[spark_type]


def write(home: Path, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append rows to a table below ``home``; missing columns are NULL."""
    rows = list(rows)
    assert not {key for row in rows for key in row} - set(table.column_names), table.name
    schema = pa.schema([(column.name, arrow_type(column.type)) for column in table.columns])
    columns = [pa.array([_pairs(row.get(field.name)) for row in rows], type=field.type) for field in schema]
    write_deltalake(str(home / table.name), pa.table(columns, schema=schema), mode="append")


def _pairs(value: Any) -> Any:
    return list(value.items()) if isinstance(value, dict) else value


def write_store(home: Path) -> Path:
    """Write the store below ``home`` and return it."""
    rng = np.random.default_rng(7)
    songs = [(g, a, k) for g in GENRES for a in range(4) for k in range(2)]
    ids = {song: f"song-{song[0]}-{song[1]}-{song[2]}" for song in songs}
    doubles = [s for i, s in enumerate(songs) if i % 8 == 5]
    other = {"ambient": "house", "house": "techno", "techno": "house"}
    write(home, TABLE["songs"], [
        {"song_id": ids[s], "source": "folder", "source_key": ids[s], "title": f"{GENRES[s[0]]} no. {s[1]}{s[2]}",
         "artist": f"{GENRES[s[0]]} Artist {s[1]}", "added_at": THEN} for s in songs
    ])  # fmt: skip
    write(home, TABLE["artists"], [
        {"artist_id": f"{genre}{n}", "name": f"{name} Artist {n}"} for genre, name in GENRES.items() for n in range(4)
    ])  # fmt: skip
    write(home, TABLE["song_artists"], [
        {"song_id": ids[s], "position": 0, "artist_id": f"{s[0]}{s[1]}", "role": "primary"} for s in songs
    ])  # fmt: skip
    labels = [(s, s[0]) for s in songs] + [(s, other[s[0]]) for s in doubles]
    write(home, TABLE["song_genres"], [
        {"song_id": ids[s], "genre_id": g, "source": source, "genre": GENRES[g], "weight": 1.0}
        for s, g in labels for source in (("tags", "manifest") if s[1] == 0 else ("tags",))
    ])  # fmt: skip
    write(home, TABLE["splits"], [
        {"split": "default", "song_id": ids[s], "split_version": 1, "group_id": f"{s[0]}{s[1]}", "grouped_by": "artist",
         "part": PARTS[s[1]], "fold": s[1] if PARTS[s[1]] == "train" else None, "assigned_at": THEN} for s in songs
    ] + [
        {"split": "default", "song_id": ids[songs[0]], "split_version": 2, "group_id": "ambient0", "part": "excluded",
         "grouped_by": "artist", "reason": "bridges_groups", "assigned_at": THEN},
    ])  # fmt: skip
    write(home, TABLE["clips"], [
        {"clip_id": f"clip of {ids[s]}", "ingest_batch": "b", "song_id": ids[s], "provider": "folder",
         "audio_id": ids[s], "sha256": ids[s], "uri": f"file:///{ids[s]}.mp3", "path": f"{ids[s]}.mp3",
         "window_rule": "middle:30", "start_s": 10.0, "length_s": 30.0, "mime": "audio/mpeg", "sample_rate": 44100,
         "channels": 2, "bit_rate": 128000, "duration_s": 180.0 + 60 * k, "bytes": 1000, "fetched_at": THEN}
        for k, s in enumerate(songs)
    ] + [
        {"clip_id": "old clip", "ingest_batch": "a", "song_id": ids[songs[0]], "provider": "folder", "audio_id": "old",
         "sha256": "old", "uri": "file:///old.mp3", "window_rule": "middle:30", "start_s": 0.0, "length_s": 30.0,
         "mime": "audio/mpeg", "sample_rate": 44100, "channels": 2, "duration_s": 30.0, "bytes": 1,
         "replaced_by": f"clip of {ids[songs[0]]}", "fetched_at": THEN},
    ])  # fmt: skip
    tries = [("a", 1, "retry", "timeout"), ("a", 2, "ok", None), ("b", 1, "retry", "timeout"), ("c", 1, "ok", None)]
    write(home, TABLE["fetch_attempts"], [
        {"task": "fetch_previews", "key": key, "provider": "deezer", "attempt": n, "status": status, "reason": reason,
         "at": THEN, "next_retry_at": THEN if status == "retry" else None} for key, n, status, reason in tries
    ])  # fmt: skip
    write(home, TABLE["genres"], [
        {"genre_id": g, "snapshot": day, "name": n, "map_position": i, "rank": i + 1, "source": "saved.html"}
        for day in (date(2023, 1, 1), date(2023, 11, 19)) for i, (g, n) in enumerate(GENRES.items())
    ])  # fmt: skip
    _write_features(home, songs, ids, rng)
    _write_models(home, songs, ids)
    _write_use(home)
    _write_probes(home)
    _write_links(home, ids)
    return home


def _write_features(home: Path, songs: list[tuple[str, int, int]], ids: dict, rng: np.random.Generator) -> None:
    for name in ("gtzan57", "loudness", "mfcc12_frames"):
        found = REGISTRY[name]
        write(home, TABLE["feature_sets"], [
            {"feature_set": name, "set_version": found.version, "position": i, "feature": f.name, "kind": f.kind,
             "axis": found.axis, "unit": f.unit, "preprocessing_id": "p2", "source": "registry"}
            for i, f in enumerate(f for f in found.features if name != "gtzan57" or f.name in KNOWN)
        ])  # fmt: skip
    keys = [(s, CLIP | {"clip_id": f"clip of {ids[s]}", "song_id": ids[s]}) for s in songs]
    old = CLIP | {"clip_id": "old clip", "song_id": ids[songs[0]]}
    before = keys[1][1] | {"preprocessing_id": "p1"}
    names = [f.name for f in REGISTRY["gtzan57"].features if f.name != "tempo"]
    rows = [
        key | {"tempo": TEMPO[s[0]] + s[1] + s[2] / 2} | dict(zip(names, map(float, rng.normal(size=56)), strict=True))
        for s, key in keys
    ]
    rows[0] = rows[0] | {"tempo": None}
    _write_set(home, "gtzan57", [*rows, old | {"tempo": 1.0}, before | {"tempo": 2.0}])
    _write_set(home, "loudness", [
        key | {"loudness_lufs": LUFS[s[0]] + s[2], "peak_dbfs": -1.0, "rms_dbfs": LUFS[s[0]], "gain_db": 0.0}
        for s, key in keys
    ])  # fmt: skip
    described = {"feature_set": "embedded", "set_version": "1", "kind": "numeric", "axis": VECTOR.name, "unit": "",
                 "preprocessing_id": "p2", "source": "embedded.parquet (1)"}  # fmt: skip
    write(home, TABLE["feature_sets"], [described | {"position": i, "feature": f"e{i}"} for i in range(3)])
    rows = [key | {"set_version": "1", "vector": [n, n + 0.5, -n]} for n, (_, key) in enumerate(keys)]
    write(home, VECTOR.table("embedded", "Embeddings."), rows)
    _write_set(home, "mfcc12_frames", [
        key | {"n_frames": 3, "width": 12, "hop_s": 0.5, "frames": [float(100 * f + c) for f in range(3)
                                                                     for c in range(12)]}
        for _, key in keys
    ])  # fmt: skip


def _write_set(home: Path, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    write(home, table_of(REGISTRY[name]), [{"set_version": REGISTRY[name].version, **row} for row in rows])


def _write_models(home: Path, songs: list[tuple[str, int, int]], ids: dict) -> None:
    entries = [("best", "sklearn", "linear_svc", "gtzan57", 0.9), ("loud", "baseline", "logistic", "loudness", 0.6),
               ("majority", "baseline", "majority", "gtzan57", 0.2)]  # fmt: skip
    common = {"params": "{}", "dataset_id": "d", "set_version": "1", "preprocessing_id": "p2", "split": "default",
              "split_version": 2, "level": "genre", "labels": "drop", "seed": 7, "git_commit": "abc", "run_id": "r1",
              "input_versions": {"songs": 4, "splits": 1}}  # fmt: skip
    write(home, TABLE["runs"], [{"run_id": "r1", "step": "train_models", "status": "done", "started_at": THEN,
                                 "ended_at": THEN, "n_written": 3}])  # fmt: skip
    for model, engine, estimator, feature_set, score in entries:
        row = common | {"engine": engine, "estimator": estimator, "feature_set": feature_set,
                        "candidate": f"{engine} {estimator} {feature_set}", "experiment_id": f"x-{model}"}  # fmt: skip
        write(home, TABLE["experiments"], [row | {"metric": "macro_f1", "status": "done", "n_folds": 2, "n_classes": 3,
                                                  "score_mean": score, "n_songs": 11, "n_rows": 11}])  # fmt: skip
        write(home, TABLE["models"], [row | {"model_id": model, "classes": list(GENRES), "score_kind": "probability",
                                             "class_names": list(GENRES.values()), "features": ["tempo"],
                                             "grouping": "artist-safe", "format": "skops",
                                             "fitted_at": THEN}])  # fmt: skip
        write(home, TABLE["metrics"], [
            {"model_id": model, "part": "test", "unit": "song", "metric": metric, "genre_id": "*", "other": "*",
             "value": score, "low": score - 0.1, "high": min(1.0, score + 0.1), "n_songs": 6, "n_groups": 3,
             "grouping": "artist-safe"} for metric in ("accuracy", "macro_f1", "balanced_accuracy", "weighted_f1")
        ] + ([] if model == "best" else [
            {"model_id": "best", "part": "test", "unit": "song", "metric": "p_value_holm", "genre_id": "*",
             "other": model, "value": 0.03, "n_songs": 6, "n_groups": 3, "grouping": "artist-safe"}
        ]) + ([] if model != "best" else [
            {"model_id": "best", "part": "test", "unit": "song", "metric": "recall", "genre_id": g, "other": "*",
             "value": v, "low": 0.0, "high": 1.0, "n_songs": 2, "n_groups": 1, "grouping": "artist-safe"}
            for g, v in {"ambient": 1.0, "house": 1.0, "techno": 0.0}.items()
        ]) + ([] if model != "best" else [
            {"model_id": "best", "part": "test", "unit": "song", "metric": "importance_permutation", "genre_id": "*",
             "other": f, "value": v, "n_songs": 6, "n_groups": 3, "grouping": "artist-safe"}
            for f, v in {"tempo": 0.4, "rms_mean": 0.1}.items()
        ]))  # fmt: skip
        said = {"best": lambda s: "house" if s[0] == "techno" else s[0], "loud": lambda s: "house",
                "majority": lambda s: "ambient"}[model]  # fmt: skip
        write(home, TABLE["predictions"], [
            {"model_id": model, "song_id": ids[s], "group_id": f"{s[0]}{s[1]}", "part": "test", "genres": [s[0]],
             "predicted": said(s), "confidence": 0.75, "score_kind": "probability", "n_rows": 1,
             "scores": {said(s): 0.75, **({s[0]: 0.2} if said(s) != s[0] else {})}}
            for s in songs if PARTS[s[1]] == "test"
        ])  # fmt: skip
    write(home, TABLE["training_genres"], [
        {"dataset_id": "d", "genre_id": g, "genre": n, "songs": 8, "no_features": 0, "filtered": 0, "duplicates": 0,
         "several": 1, "surplus": 0, "kept": 7, "why": ""} for g, n in GENRES.items()
    ])  # fmt: skip
    write(home, TABLE["quarantine"], [
        {"stage": "import_folder", "key": f"file:///bad{i}.mp3", "version": "1", "reason": "not_audio",
         "detail": f"bad{i}.mp3 is text", "run_id": "r1", "at": THEN} for i in range(3)
    ])  # fmt: skip


def _write_use(home: Path) -> None:
    """Write the use of models: first the loudness baseline, then the best model, with drift of tempo since."""
    rule = {"alias": "champion", "split": "default", "split_version": 2, "metric": "macro_f1", "decided_at": THEN}
    figures = {"champion_score": 0.5, "challenger_score": 0.75, "difference": 0.25, "low": 0.125, "n_songs": 6,
               "n_groups": 3, "known_champion_score": 0.5, "known_challenger_score": 0.625, "known_difference": 0.125,
               "genres_fallen": [], "n_genres_untested": 0, "n_decided_before": 0}  # fmt: skip
    write(home, TABLE["promotions"], [
        rule | {"sequence": 1, "action": "first", "model_id": "loud", "challenger_id": "loud", "reason": "The first."},
        rule | figures | {"sequence": 2, "action": "promoted", "model_id": "best", "champion_id": "loud",
                          "challenger_id": "best", "reason": "Better."},
    ])  # fmt: skip
    write(home, TABLE["drift"], [
        {"model_id": model, "population": "new_songs", "subject": subject, "name": name, "psi": psi, "ks": None,
         "share_trained": 0.0, "share_new": 0.0, "n_trained": 11, "n_new": 12, "measured_at": THEN}
        for model, subject, name, psi in (("best", "feature", "tempo", 0.5), ("best", "feature", "rms_mean", 0.125),
                                          ("best", "genre", "*", 0.0625), ("loud", "feature", "loudness_lufs", 9.0))
    ])  # fmt: skip


def _write_probes(home: Path) -> None:
    """Write probes: loudness alone is better than chance, and a lower level does not change the accuracy."""
    fixed = {"split": "default", "metric": "accuracy", "genre_id": "*", "n_songs": 11, "n_artists": 6, "n_genres": 3,
             "split_version": 2, "grouping": "artist-safe", "seed": 7, "feature_set": "gtzan57", "made_at": THEN,
             "inputs_id": "i"}  # fmt: skip
    write(home, TABLE["probes"], [
        fixed | {"kind": kind, "name": name, "probe_id": name, "model": model, "value": value, "low": low,
                 "high": high, "baseline": baseline, "baseline_name": against, "difference": value - baseline,
                 "verdict": verdict, "sentence": f"{name}: {verdict}."}
        for kind, name, model, value, low, high, baseline, against, verdict in (
            ("alone", "loudness", "forest", 0.625, 0.5, 0.75, 0.375, "the most frequent genre", "tells"),
            ("change", "gain -6 dB", "logistic regression", 0.75, 0.625, 0.875, 0.75, "as they are", "holds"),
        )
    ])  # fmt: skip


def _write_links(home: Path, ids: dict) -> None:
    """Write links: two songs of House, in different parts, are one recording; one of Techno is a remix of it."""
    first, second, remix = ids["house", 0, 0], ids["house", 3, 1], ids["techno", 1, 0]
    write(home, TABLE["recording_links"], [
        {"song_id": song, "recording_id": first, "kind": kind, "score": score, "evidence": evidence}
        for song, kind, score, evidence in (
            (first, "copy", 0.9375, "sound"), (second, "copy", 0.9375, "sound"), (remix, "remix", 0.75, "names differ"),
        )
    ])  # fmt: skip


def write_map(home: Path) -> Path:
    """Write an old and a new map of three genres to the store below ``home`` and return it."""
    names = {"house": "House", "deephouse": "Deep House", "verydeephouse": "Very Deep House"}
    for sequence, (map_id, profile_id) in enumerate((("old", "p1"), ("new", "p2")), 1):
        write(home, MAPS, [{"map_id": map_id, "profile_id": profile_id, "lens": "sound", "sequence": sequence}])
        write(home, GENRE_POSITIONS, [{"map_id": map_id, "genre_id": one, "genre": name, "x": float(x), "y": sequence}
                                      for x, (one, name) in enumerate(names.items())])  # fmt: skip
        write(home, GENRE_PROFILES, [{"profile_id": profile_id, "genre_id": one, "genre": name, "placed": True,
                                      "n_songs": 9, "region": 0, "subregion": x // 2}
                                     for x, (one, name) in enumerate(names.items())])  # fmt: skip
        write(home, GENRE_NEIGHBOURS, [
            {"profile_id": profile_id, "genre_id": "house", "rank": 1, "distance": 0.5,
             "neighbour_id": "deephouse", "neighbour": "Deep House", "similarity": 0.6}
        ])  # fmt: skip
        write(home, GENRE_REGIONS, [
            {"profile_id": profile_id, "resolution": resolution, "region": region, "name": f"{resolution} {region}",
             "largest": ["House"], "n_genres": n, "words": ["house"]}
            for resolution, region, n in (("coarse", 0, 3), ("fine", 0, 2), ("fine", 1, 1))
        ])  # fmt: skip
        write(
            home,
            GENRE_TYPICAL_SONGS,
            [
                {
                    "profile_id": profile_id,
                    "genre_id": "house",
                    "rank": rank,
                    "song_id": f"song {rank}",
                    "distance": rank / 10,
                }
                for rank in (1, 2)
            ],
        )
        write(home, GENRE_TREE, [
            {"profile_id": profile_id, "genre_id": child, "genre": names[child], "rank": rank, "parent_id": parent,
             "parent": names[parent], "probability": 0.9 / rank, "drawn": rank == 1}
            for child, rank, parent in (("deephouse", 1, "house"), ("verydeephouse", 1, "deephouse"),
                                        ("verydeephouse", 2, "house"))
        ])  # fmt: skip
    for map_id, x in (("old", 5.0), ("new", 6.0)):
        write(home, GENRE_EVOLUTION, [
            {"map_id": map_id, "genre_id": "house", "genre": "House", "decade": decade, "n_songs": 7, "x": x, "y": 0.0,
             "distance": None if decade == 1980 else 0.4, "distance_by_chance": None if decade == 1980 else 0.1}
            for decade in (1980, 1990)
        ])  # fmt: skip
    write(home, MAPS, [{"map_id": "other", "profile_id": "p3", "lens": "artists", "sequence": 1}])
    write(home, MAP_COMPARISONS, [{"map_id": one, "other_map_id": "other", "n_genres": 3, "mantel": mantel}
                                  for one, mantel in (("old", 0.1), ("new", 0.2))])  # fmt: skip
    return home


def write_listening(home: Path) -> Path:
    """Write neighbours of all songs, a playlist and topics to the store below ``home`` and return it."""
    songs = [(g, a, k) for g in GENRES for a in range(4) for k in range(2)]
    ids = {song: f"song-{song[0]}-{song[1]}-{song[2]}" for song in songs}
    _write_neighbours(home, songs, ids)
    _write_playlists(home, ids)
    write_topics(home)
    return home


def _write_neighbours(home: Path, songs: list[tuple[str, int, int]], ids: dict) -> None:
    """Write a former space without neighbour lists, and the current one, in which songs of a genre are close."""
    space = {"feature_set": "gtzan57", "set_version": "1", "preprocessing_id": "p2", "features": ["tempo"],
             "centre": [100.0], "spread": [10.0], "correction": "none", "scale_weight": 0.0, "mean": [0.0],
             "variance": 1.0, "settings": "{}", "n_fitted": 24, "n_songs": 24}  # fmt: skip
    write(home, NEIGHBOUR_SPACES, [space | {"space_id": "former", "sequence": 1},
                                   space | {"space_id": "present", "sequence": 2}])  # fmt: skip
    write(home, NEIGHBOUR_SONGS, [
        {"space_id": "present", "song_id": ids[s], "vector": [TEMPO[s[0]] / 10 - 10], "fingerprint": ids[s],
         "fitted": True, "expected": 1.0, "recording": ids[s], "artist": None if s[1] == 3 else f"{s[0]}{s[1]}"}
        for s in songs
    ])  # fmt: skip
    write(home, SONG_NEIGHBOURS, [
        {"space_id": "present", "song_id": ids[s], "rank": rank, "neighbour_song_id": ids[other], "method": "exact",
         "distance": rank / 4, "corrected": rank * rank / 16, "similarity": 1 / (1 + rank)}
        for s in songs for rank, other in enumerate([o for o in songs if o[0] == s[0] and o != s][:4], 1)
    ])  # fmt: skip


def write_topics(home: Path) -> None:
    """Write two fits of two topics. No genre with enough songs has the second topic."""
    for sequence, version in ((1, "1-a"), (2, "2-b")):
        keys = {"feature_set": "topics2", "set_version": version}
        write(home, TOPIC_MODELS, [keys | {"sequence": sequence}])
        genres = {"genres": ["house", "ambient"], "genre_names": ["House", "Ambient"], "genre_shares": [0.6, 0.1],
                  "genre_lifts": [1.5 * sequence, 0.25]}  # fmt: skip
        write(home, TOPICS, [keys | genres | {"topic": 1, "share": 0.4},
                             keys | {key: [] for key in genres} | {"topic": 2, "share": 0.6}])  # fmt: skip


def _write_playlists(home: Path, ids: dict) -> None:
    """Write a playlist of two songs and a scored file, which has an earlier version and was published."""
    write(home, PLAYLIST_RECIPES, [{"recipe_id": "r1", "name": "Slow", "sequence": 1, "kind": "around", "recipe": "{}",
                                    "feature_set": "gtzan57", "exclude": []}])  # fmt: skip
    made = {"recipe_id": "r1", "name": "Slow", "seconds": 540.0, "largest_step": 0.5, "notes": ["short"],
            "made_at": THEN}  # fmt: skip
    write(home, GENERATED_PLAYLISTS, [made | {"playlist_id": "first", "sequence": 1, "n_songs": 1},
                                      made | {"playlist_id": "second", "sequence": 2, "n_songs": 3}])  # fmt: skip
    there = [ids["ambient", 0, 0], ids["ambient", 1, 0], "file:///scored.mp3"]
    write(home, GENERATED_PLAYLIST_SONGS, [
        {"playlist_id": "second", "position": n, "song_id": song, "role": "seed" if n == 1 else "song",
         "reason": "near", "tempo": 70.0, "seconds": 180.0, "step": None if n == 1 else 0.5}
        for n, song in enumerate(there, 1)
    ])  # fmt: skip
    write(home, PUBLISHED_PLAYLISTS, [{"service": "spotify", "account": "me", "name": "Slow", "external_id": "7",
                                       "playlist_id": "second", "n_songs": 2, "n_left_out": 1}])  # fmt: skip
