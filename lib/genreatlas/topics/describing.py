"""Describe topics by their words, and by genres and songs of the training part in which their share is large."""

from typing import Any

import numpy as np
import pandas as pd

from genreatlas.audio.audio_words import Array

_WORDS, _GENRES, _EXAMPLES = 10, 5, 3


def describe(
    probabilities: Array, shares: Array, songs: pd.DataFrame, labels: pd.DataFrame, min_songs: int
) -> list[dict[str, Any]]:
    """Rows of the table ``topics``, without the columns of the feature set.

    Parameters
    ----------
    probabilities : (n_topics, n_words) probabilities of words in topics.
    shares : (n_songs, n_topics) shares of topics in songs of the training part.
    songs : song_id and group_id of these songs, sorted by song_id.
    labels : song_id, genre_id, genre.
    min_songs : minimum number of songs of a genre to be listed.
    """
    mean = shares.mean(axis=0)
    place = pd.Series(np.arange(len(songs)), index=songs["song_id"])
    mine = labels[labels["song_id"].isin(place.index)].drop_duplicates(["song_id", "genre_id"])
    mine = mine.sort_values(["genre_id", "song_id"])
    genres = [
        (genre, rows["genre"].iloc[0], shares[place[rows["song_id"]].to_numpy()].mean(axis=0))
        for genre, rows in mine.groupby("genre_id", sort=True)
        if len(rows) >= min_songs
    ]
    found = []
    for topic in range(len(probabilities)):
        words = np.argsort(-probabilities[topic], kind="stable")[:_WORDS]
        order = np.argsort([-values[topic] for _, _, values in genres], kind="stable")[:_GENRES]
        largest = [genres[place] for place in order]
        examples = _examples(shares[:, topic], songs["group_id"].tolist())
        found.append({
            "topic": topic + 1,
            "share": float(mean[topic]),
            "words": words.tolist(),
            "word_weights": probabilities[topic, words].tolist(),
            "genres": [genre for genre, _, _ in largest],
            "genre_names": [str(name) for _, name, _ in largest],
            "genre_shares": [float(values[topic]) for _, _, values in largest],
            "genre_lifts": [float(values[topic] / mean[topic]) for _, _, values in largest],
            "examples": songs["song_id"].iloc[examples].tolist(),
            "example_shares": shares[examples, topic].tolist(),
        })  # fmt: skip
    return found


def _examples(share: Array, groups: list[str]) -> list[int]:
    """Indices of the songs with the largest shares, one per group."""
    found: dict[str, int] = {}
    for place in np.argsort(-share, kind="stable"):
        found.setdefault(groups[place], int(place))
        if len(found) == _EXAMPLES:
            break
    return list(found.values())
