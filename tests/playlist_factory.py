"""Generated songs for playlists: genres on a line, artists with several songs, copies of recordings."""

from typing import Any

import numpy as np
import pandas as pd

from genreatlas.config import PlaylistRecipe
from genreatlas.playlists.music import Songs


def recipe(kind: str = "around", *seeds: str, **changes: Any) -> PlaylistRecipe:
    """A recipe; the arguments after the kind are its seeds."""
    return PlaylistRecipe(**({"name": "A list", "kind": kind, "seeds": seeds, "variety": 0.0} | changes))


def songs(n: int = 200, seed: int = 0, genres: int = 4, per_artist: int = 5, copies: int = 0, **columns: Any) -> Songs:
    """Songs of genres whose centres are on a line, 4 apart. Song i is of genre i % genres.

    Parameters
    ----------
    copies : number of last songs that are copies of the first ones, by the same artists.
    columns : (n,) values that replace generated ones: tempo, key, minor, loudness, energy, seconds, ...
    """
    random = np.random.default_rng(seed)
    genre = np.arange(n) % genres
    vectors = random.normal(0, 0.5, (n, 3))
    vectors[:, 0] += 4.0 * genre
    recording, performer = np.arange(n), np.arange(n) // genres // per_artist * genres + genre
    if copies:
        recording[n - copies :] = recording[:copies]
        performer[n - copies :] = performer[:copies]
        genre[n - copies :] = genre[:copies]
        vectors[n - copies :] = vectors[:copies]
    number = {f"artist{artist}": place for place, artist in enumerate(sorted(set(performer.tolist())))}
    performer = np.array([number[f"artist{artist}"] for artist in performer])
    made: dict[str, Any] = {
        "tempo": random.uniform(80, 160, n),
        "key": random.integers(0, 12, n).astype(float),
        "minor": random.integers(0, 2, n).astype(float),
        "loudness": random.normal(-12, 3, n),
        "energy": random.random(n),
        "vectors": vectors.astype(np.float32),
        "recording": recording,
        "performer": performer,
    }
    facts = pd.DataFrame(
        {
            "song_id": [f"song{i:05d}" for i in range(n)],
            "title": [f"Title {recording[i]}" for i in range(n)],
            "artist": [f"Artist {performer[i]}" for i in range(n)],
            "album": None,
            "isrc": [f"XX00000{recording[i]:05d}" for i in range(n)],
            "spotify_id": [f"{i:022d}" for i in range(n)],
            "uri": None,
            "seconds": columns.pop("seconds", random.uniform(120, 300, n)),
        }
    )
    names = tuple(f"genre {g}" for g in range(genres))
    made |= {key: np.asarray(value) for key, value in columns.items()}
    return Songs(
        facts=facts,
        genre_ids=tuple(name.replace(" ", "") for name in names),
        genre_names=names,
        labels=np.column_stack([np.arange(n), genre]),
        credits=np.column_stack([np.arange(n), made["performer"]]),
        artist_keys=number,
        **made,
    )


def rows_of(playlist: Any) -> list[int]:
    """Rows of a playlist's songs, in order."""
    return [entry.row for entry in playlist.entries]
