"""A small library with known features, written directly to the tables that training reads."""

import numpy as np

from genreatlas.audio.feature_sets import Feature
from genreatlas.config import Config
from genreatlas.store import Store
from genreatlas.tables import (
    CLIPS,
    FEATURE_SETS,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    SPLITS,
    Column,
    frame_table,
    summary_table,
)

FEATURES = (Feature("tempo"), Feature("energy"), Feature("key", kind="categorical"), Feature("noise"))
FRAME_WIDTH = 3
SET = summary_table("plain", "A set for tests.", [Column(one.name, "double", "") for one in FEATURES])
FRAMES = frame_table("plain_frames", "A frame set for tests.")
GENRES = ("blues", "jazz", "rock")


def song(number, genre, **changes):
    """A song of its own artist. The number determines fold or test; the features depend on the genre, with noise."""
    place = GENRES.index(genre)
    random = np.random.default_rng([number, place])
    part = "test" if number % 4 == 3 else "train"
    row = {
        "song_id": f"{genre}{number:03}",
        "genres": (genre,),
        "group_id": f"artist-{genre}{number:03}",
        "part": part,
        "fold": number % 4 if part == "train" else None,
        "isrc": None,
        "sha256": f"sha-{genre}{number:03}",
        "features": {
            "tempo": 100.0 + 20 * place + random.normal(0, 8),
            "energy": None if number % 7 == 0 else place % 2 + random.normal(0, 0.3),
            "key": float(number % 3),
            "noise": random.normal(),
        },
        "frames": (place + random.normal(0, 0.7, (10, FRAME_WIDTH))).astype("f4"),
    }
    return row | changes


def library(songs_per_genre=12, genres=GENRES):
    """Songs of each genre."""
    return [song(number, genre) for genre in genres for number in range(songs_per_genre)]


def fill(store: Store, songs, version="1", clips=True, frames=True):
    """Write songs, genres, split, clips and features."""

    def put(table, rows):
        store.append(table, store.frame(table, rows))

    put(SONGS, [{"song_id": s["song_id"], "source": "test", "isrc": s["isrc"], "title": s["song_id"]} for s in songs])
    put(
        SONG_ARTISTS,
        [{"song_id": s["song_id"], "position": 0, "artist_id": s["group_id"], "role": "primary"} for s in songs],
    )
    put(
        SONG_GENRES,
        [
            {"song_id": s["song_id"], "genre_id": genre, "source": "test", "genre": genre.title(), "weight": 1.0}
            for s in songs
            for genre in s["genres"]
        ],
    )
    put(
        SPLITS,
        [
            {"split": "default", "split_version": 1, "grouped_by": "artist"}
            | {name: s[name] for name in ("song_id", "group_id", "part", "fold")}
            for s in songs
        ],
    )
    if clips:
        put(CLIPS, [clip_row(s) for s in songs])
    key = {"set_version": version, "preprocessing_id": "prep"}
    put(SET, [{"clip_id": f"clip-{s['song_id']}", "song_id": s["song_id"], **key, **s["features"]} for s in songs])
    named = [("plain", one.name, one.kind, "summary") for one in FEATURES]
    if frames:
        named += [("plain_frames", f"mfcc{k}", "numeric", "frames") for k in range(FRAME_WIDTH)]
        put(
            FRAMES,
            [
                {
                    "clip_id": f"clip-{s['song_id']}",
                    "song_id": s["song_id"],
                    **key,
                    "n_frames": len(s["frames"]),
                    "width": FRAME_WIDTH,
                    "hop_s": 0.02,
                    "frames": s["frames"].ravel().tolist(),
                }
                for s in songs
            ],
        )
    put(
        FEATURE_SETS,
        [
            {
                "feature_set": name,
                "set_version": version,
                "position": position,
                "feature": feature,
                "kind": kind,
                "axis": axis,
                "unit": "",
                "preprocessing_id": "prep",
                "source": "test",
            }
            for position, (name, feature, kind, axis) in enumerate(named)
        ],
    )


def clip_row(song):
    """A clip of a song. Rock has a higher sample rate, so that the technical baseline can detect it."""
    return {
        "clip_id": f"clip-{song['song_id']}",
        "ingest_batch": "1",
        "song_id": song["song_id"],
        "provider": "folder",
        "audio_id": song["sha256"],
        "sha256": song["sha256"],
        "uri": f"file:///{song['song_id']}.mp3",
        "window_rule": "middle:30",
        "start_s": 0.0,
        "length_s": 30.0,
        "mime": "audio/mpeg",
        "codec": "MPEG_LAYER_III",
        "sample_rate": 48000 if song["genres"][0] == "rock" else 44100,
        "channels": 2,
        "bit_rate": 128000,
        "duration_s": 180.0,
        "bytes": 1,
    }


def with_train(config: Config, **settings) -> Config:
    """The configuration with settings of ``[train]``; small by default."""
    small = {"feature_sets": ("plain",), "min_songs": 4, "frames_per_song": 4}
    return config.model_copy(update={"train": type(config.train).model_validate(small | settings)})
