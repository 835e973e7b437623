"""Generated data for the site, in the form that ``publish_site`` reads."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from genreatlas.audio.uris import path_to_uri
from genreatlas.neighbours.search import SCALE_OF, local_scale, nearest
from genreatlas.web.site_data import SiteData, SongFeatures, SongVectors
from map_factory import map_data
from one_file_models import sound

HOSTILE = "</script><script>window.hurt=1</script><img src=x onerror='hurt=1'>\"'&\u202egnp.exe\x1b{{7*7}}${7*7}"
GENRES = {"ambient": "Ambient", "house": "House", "deephouse": "Deep House", "techno": "Techno"}
FEATURES = ("tempo", "loudness", "brightness")
UNITS = ("bpm", "LUFS", "Hz")
_WORDS = ("night", "river", "glass", "Señor", "Ocean", "light", "machine", "blue", "road", "heart", "東京", "Zürich")


def site_data(n: int = 120, seed: int = 7, files: Path | None = None, **changes: object) -> SiteData:
    """Songs of four genres by n / 6 artists, each with three albums; every seventh song is under two genres.

    Song 0 has a hostile title, artist, album and playlist; song 1 has the same title as song 2. With ``files`` the
    first dozen songs are WAV files in this folder; the next dozen were fetched.
    """
    rng = np.random.default_rng(seed)
    ids = [f"song{number:06d}" for number in range(n)]
    titles = [f"{_WORDS[a]} {_WORDS[b]} {number}" for number, (a, b) in enumerate(rng.integers(0, len(_WORDS), (n, 2)))]
    titles[0], titles[1], titles[2] = HOSTILE, "Twice", "Twice"
    artist = np.arange(n) // 6
    names = [f"{_WORDS[number % len(_WORDS)].title()} Band {number}" for number in range(n // 6 + 1)]
    names[0] = f"Artist {HOSTILE}"
    album = [f"Album {number // 2}" for number in range(n)]
    album[0] = album[1] = f"Album {HOSTILE}"
    genre_ids = list(GENRES)
    genre = artist % len(genre_ids)
    labels = [(ids[number], genre_ids[genre[number]]) for number in range(n)]
    labels += [(ids[number], genre_ids[(genre[number] + 1) % len(genre_ids)]) for number in range(3, n, 7)]
    values = np.column_stack(
        [90 + 20 * genre + rng.normal(0, 3, n), -20 + 4 * genre + rng.normal(0, 1, n), 1000 + 500 * rng.random(n)]
    ).astype(np.float32)
    values[5, 0] = np.nan
    clips, audio = _clips(ids, files)
    vectors = ((values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)).astype(np.float32)
    vectors[5, 0] = 0.0
    near = _nearest(vectors, 10) if n <= 5000 else rng.integers(0, n, (n, 10))
    tables = {
        "songs": pa.table({
            "song_id": ids, "title": titles, "artist": [names[one] for one in artist], "album": album,
            "year": pa.array([1970 + number % 50 for number in range(n)], pa.int32()),
            "popularity": pa.array([100 - number % 100 if number % 3 else None for number in range(n)], pa.int32()),
            "track_number": pa.array([1 + number % 2 for number in range(n)], pa.int32()),
            "duration_s": np.full(n, 200.0), "isrc": [f"XX{number:010d}" for number in range(n)],
            "spotify_id": [f"{number:022d}" if number % 2 else None for number in range(n)],
            "source": ["spotify" if number % 4 == 1 else "folder" for number in range(n)],
        }),
        "artists": pa.table({"artist_id": [f"a{number}" for number in range(len(names))], "name": names}),
        "song_artists": pa.table({
            "song_id": ids, "position": pa.array([0] * n, pa.int32()), "artist_id": [f"a{one}" for one in artist],
        }),
        "song_genres": pa.table({
            "song_id": [song for song, _ in labels], "genre_id": [one for _, one in labels],
            "genre": [GENRES[one] for _, one in labels],
        }),
        "genre_parents": pa.table({"genre_id": ["deephouse"], "parent_id": ["house"], "parent": ["House"]}),
        "clips": pa.Table.from_pylist(clips) if clips else pa.table({"song_id": pa.array([], pa.string())}),
        "playlists": pa.table({
            "playlist_id": ["p1", "p2"], "name": ["The Sound of House", f"List {HOSTILE}"],
            "kind": ["playlist", "recipe"],
        }),
        "playlist_songs": pa.table({
            "playlist_id": ["p1"] * 5 + ["p2"], "position": pa.array([4, 3, 2, 1, 0, 1], pa.int32()),
            "song_id": [*ids[6:11], ids[0]], "reason": [None] * 5 + [f"because {HOSTILE}"],
        }),
        "neighbours": pa.table({
            "song_id": np.repeat(ids, near.shape[1]),
            "rank": np.tile(np.arange(1, near.shape[1] + 1, dtype=np.int32), n),
            "neighbour_song_id": np.asarray(ids)[near.ravel()],
            "similarity": np.tile(np.linspace(0.9, 0.3, near.shape[1]), n),
        }),
        "predictions": pa.table({
            "song_id": ids[:20], "predicted": ["house"] * 20, "confidence": [0.75] * 20,
            "scores": pa.array([[("house", 0.75), ("techno", 0.25)]] * 20, pa.map_(pa.string(), pa.float64())),
            "heard_in_training": [False] * 10 + [True] * 10,
        }),
        "places": pa.table({
            "genre_id": genre_ids, "x": [0.1, 0.5, 0.6, 0.9], "y": [0.2, 0.4, 0.5, 0.8],
            "region": ["Calm"] + ["Club"] * 3,
        }),
        "rhythms": pa.Table.from_pylist([rhythm(one["clip_id"]) for one in clips[:20]]),
        "measures": pa.table({
            "song_id": ids, "tempo": values[:, 0].astype(np.float64), "key": np.arange(n) % 12.0,
            "minor": np.arange(n) % 2.0, "loudness": values[:, 1].astype(np.float64),
            "energy": values[:, 2].astype(np.float64),
        }),
        "genre_edges": pa.table({"genre_id": ["deephouse", "techno"], "parent_id": ["house", "house"]}),
        "genre_neighbours": pa.table({
            "genre_id": ["house", "house"], "rank": pa.array([1, 2], pa.int32()),
            "neighbour_id": ["deephouse", "techno"],
            "similarity": [0.9, 0.6],
        }),
    }  # fmt: skip
    order = rng.permutation(n)
    features = SongFeatures("made_up", FEATURES, UNITS, np.asarray(ids)[order], values[order])
    made = {
        "tables": tables, "features": features, "vectors": song_vectors(ids, vectors), "audio": audio,
        "map_content": map_content(), "title": "Made-up lake", "month": "2026-11", "versions": {"songs": 3},
    }  # fmt: skip
    return SiteData(**(made | changes))


def rhythm(clip_id: str) -> dict:
    """Beats of a clip at 240 bpm from 0.05 s of its cut, in bars of four from the second beat."""
    beats = [round(0.05 + 0.25 * number, 3) for number in range(6)]
    pattern = [1.0 if step % 4 == 0 else 0.1 for step in range(16)] + [0.5] * 16 + [float("nan")] * 16
    return {"clip_id": clip_id, "tracked_beat_times": beats, "downbeat_times": beats[1::4], "tempo_tracked": 240.0,
            "beats_per_bar": 4.0, "bar_confidence": 0.8, "swing_ratio": None, "pattern": pattern}  # fmt: skip


def song_vectors(ids: list[str], vectors: np.ndarray, recordings: list[str | None] | None = None) -> SongVectors:
    """Songs in a space, each a separate recording, with local scales as computed by ``find_neighbours``."""
    n = len(ids)
    scales = np.zeros(n)
    if n <= 5000:
        places = np.arange(n, dtype=np.int32)
        scales = local_scale(nearest(vectors, places, places, SCALE_OF), n)
    return SongVectors(np.asarray(ids), vectors, recordings or [None] * n, scales, np.ones(n, dtype=bool))


def map_content() -> str:
    """Data of a map as prepared by ``publish_site``."""
    from genreatlas.report.map_page import map_content

    drawn = map_data(60)
    about = {"title": drawn.title, "drawn_from": drawn.drawn_from, "source": drawn.source, "missing": ["nothing"]}
    return json.dumps(about | {"n_genres": 60, "content": map_content(drawn)})


def _nearest(vectors: np.ndarray, k: int) -> np.ndarray:
    away = np.square(vectors[:, None] - vectors[None]).sum(axis=2)
    np.fill_diagonal(away, np.inf)
    return np.argsort(away, axis=1, kind="stable")[:, :k]


def _clips(ids: list[str], files: Path | None) -> tuple[list[dict], dict[str, bytes]]:
    if files is None:
        return [], {}
    clips, audio = [], {}
    for number, song_id in enumerate(ids[:24]):
        content = sound(("tone", "noise")[number % 2], seconds=3.0, seed=number)
        digest = hashlib.sha256(content).hexdigest()
        uri = f"clip_audio:clip{number}"
        if number < 12:
            path = files / f"{number} #1?.wav"
            path.write_bytes(content)
            uri = path_to_uri(path)
        else:
            audio[digest] = content
        clips.append({"song_id": song_id, "clip_id": f"clip{number}", "uri": uri, "sha256": digest, "start_s": 1.0,
                      "length_s": 1.5, "duration_s": 3.0, "mime": "audio/wav", "provider": "folder"})  # fmt: skip
    return clips, audio
