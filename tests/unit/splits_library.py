"""Small libraries for tests of splits, one line per song."""

import pandas as pd

from genreatlas.config import SplitsSection
from genreatlas.splits import Library, assign, current, song_links
from genreatlas.splits.groups import stack

COLUMNS = ["song_id", "group_id", "grouped_by", "part", "fold", "reason", "split_version"]
NOTHING_PLACED = pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})


def song(
    song_id, genres="rock", artist=None, isrc=None, audio=None, declared=None, album=None, guests=(), source="folder",
    by=None, compilation=None,
):  # fmt: skip
    """One song as returned by a source. Tests set only the arguments that matter."""
    return {
        "song_id": song_id, "genres": genres.split(), "artist": artist, "isrc": isrc, "audio": audio,
        "declared_split": declared, "album": album, "guests": guests, "source": source,
        "album_artist": by, "compilation": compilation,
    }  # fmt: skip


TOLD = ["song_id", "source", "artist", "isrc", "album", "album_artist", "compilation", "declared_split"]


def table_of(songs):
    return pd.DataFrame([{key: row[key] for key in TOLD} for row in songs], columns=TOLD, dtype=object)


def library(songs, group_by="artist"):
    table = table_of(songs)
    genres = pd.DataFrame(
        [(row["song_id"], g) for row in songs for g in row["genres"]], columns=["song_id", "genre_id"]
    )
    credits = [
        (row["song_id"], position, artist)
        for row in songs if row["artist"]
        for position, artist in enumerate([row["artist"], *row["guests"]])
    ]  # fmt: skip
    song_artists = pd.DataFrame(credits, columns=["song_id", "position", "artist_id"])
    clips = pd.DataFrame(
        [(row["song_id"], row["audio"]) for row in songs if row["audio"]], columns=["song_id", "sha256"]
    )
    return Library(table, genres, song_links(table, song_artists, clips, group_by))


def split(songs, placed=NOTHING_PLACED, min_songs=1000, **settings):
    """Current rows of the split after adding one version."""
    section = SplitsSection(**settings)
    version = int(placed["split_version"].max()) + 1 if len(placed) else 1
    made = assign(library(songs, section.group_by), placed, section, min_songs)
    rows = made.rows.assign(split_version=version)
    return current(stack(placed, rows))


def parts(rows):
    return dict(zip(rows["song_id"], rows["part"], strict=True))
