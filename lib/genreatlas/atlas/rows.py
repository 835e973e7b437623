"""Rows of the tables of the atlas, from profiles and maps."""

import math
from collections.abc import Iterator

import numpy as np

from genreatlas.atlas.ages import evolve
from genreatlas.atlas.drawing import Charted, Drawn
from genreatlas.atlas.genealogy import Tree
from genreatlas.atlas.reading import GenreSongs
from genreatlas.atlas.typical import typical_songs
from genreatlas.config import Config
from genreatlas.values import Row


def profile_rows(found: GenreSongs, charted: Charted) -> Iterator[dict[str, object]]:
    """Rows of ``genre_profiles``: all genres, including those that are not on the map."""
    profiles = charted.profiles
    at = {int(genre): place for place, genre in enumerate(charted.placed)}
    for genre, (genre_id, name) in enumerate(zip(found.genre_ids, found.names, strict=True)):
        place = at.get(genre)
        row = {
            "profile_id": charted.profile_id,
            "genre_id": genre_id,
            "genre": name,
            "placed": place is not None,
            "n_songs": int(profiles.songs[genre]),
            "n_artists": int(profiles.artists[genre]),
            "effective_songs": number_or_null(profiles.effective[genre]),
        }
        if charted.ages is not None:
            row |= {
                "n_dated": int(charted.ages.dated[genre]),
                "born": number_or_null(charted.ages.born[genre]),
                "born_low": number_or_null(charted.ages.low[genre]),
                "born_high": number_or_null(charted.ages.high[genre]),
            }
        if place is not None:
            row |= {
                "own": number_or_null(profiles.own[genre]),
                "mean": [number_or_null(value) for value in profiles.mean[genre]],
                "spread": [number_or_null(value) for value in profiles.spread[genre]],
                "region": int(charted.regions.coarse[place]),
                "subregion": int(charted.regions.fine[place]),
            }
        yield row


def neighbour_rows(found: GenreSongs, charted: Charted) -> Iterator[dict[str, object]]:
    """Rows of ``genre_neighbours``."""
    ids = [found.genre_ids[genre] for genre in charted.placed]
    names = [found.names[genre] for genre in charted.placed]
    for place, others in enumerate(charted.neighbours):
        for rank, other in enumerate(others):
            yield {
                "profile_id": charted.profile_id,
                "genre_id": ids[place],
                "rank": rank + 1,
                "neighbour_id": ids[other],
                "neighbour": names[other],
                "distance": float(charted.distances[place, rank]),
                "similarity": float(charted.similarity[place, rank]),
            }


def tree_rows(found: GenreSongs, charted: Charted, tree: Tree) -> Iterator[dict[str, object]]:
    """Rows of ``genre_tree``: possible parents with their evidence."""
    ids = [found.genre_ids[genre] for genre in charted.placed]
    names = [found.names[genre] for genre in charted.placed]
    for row, (child, parent) in enumerate(zip(tree.child, tree.parent, strict=True)):
        yield {
            "profile_id": charted.profile_id,
            "genre_id": ids[child],
            "rank": int(tree.rank[row]),
            "genre": names[child],
            "parent_id": ids[parent],
            "parent": names[parent],
            "probability": float(tree.probability[row]),
            "by_sound": number_or_null(tree.by_sound[row]),
            "name_head": bool(tree.name_head[row]),
            "known": bool(tree.known[row]),
            "influence": bool(tree.influence[row]),
            "drawn": bool(tree.drawn[row]),
            "distance": float(tree.distance[row]),
            "size_difference": number_or_null(tree.size_difference[row]),
            "artist_containment": number_or_null(tree.artist_containment[row]),
            "years_older": number_or_null(tree.years_older[row]),
        }


def typical_rows(found: GenreSongs, charted: Charted) -> Iterator[dict[str, object]]:
    """Rows of ``genre_typical_songs``."""
    typical = typical_songs(found.songs, charted.profiles.mean, charted.placed)
    for genre, rank, row, distance in zip(typical.genre, typical.rank, typical.row, typical.distance, strict=True):
        yield {
            "profile_id": charted.profile_id,
            "genre_id": found.genre_ids[genre],
            "rank": int(rank),
            "song_id": found.song_ids[row],
            "distance": float(distance),
        }


def region_rows(found: GenreSongs, charted: Charted) -> Iterator[dict[str, object]]:
    """Rows of ``genre_regions``, coarse and fine."""
    names = [found.names[genre] for genre in charted.placed]
    labels = charted.regions
    for resolution, of, named in (
        ("coarse", labels.coarse, charted.coarse_names),
        ("fine", labels.fine, charted.fine_names),
    ):
        for region, name in enumerate(named):
            members = np.flatnonzero(of == region)
            yield {
                "profile_id": charted.profile_id,
                "resolution": resolution,
                "region": region,
                "inside": int(labels.coarse[members[0]]) if resolution == "fine" else None,
                "name": name.name,
                "words": list(name.words),
                "largest": [names[genre] for genre in name.largest],
                "n_genres": len(members),
            }


def evolution_rows(config: Config, found: GenreSongs, charted: Charted, drawn: Drawn, map_id: str) -> Iterator[Row]:
    """Rows of ``genre_evolution``: positions of a genre's songs of each decade on the map ``map_id``."""
    settings = config.map
    moved = evolve(
        found.songs,
        found.years,
        charted.profiles,
        drawn.placed,
        drawn.places,
        settings.artist_share,
        settings.min_songs,
    )
    for row, genre in enumerate(moved.genre.tolist()):
        yield {
            "map_id": map_id,
            "genre_id": found.genre_ids[genre],
            "decade": int(moved.decade[row]),
            "genre": found.names[genre],
            "n_songs": int(moved.songs[row]),
            "x": float(moved.places[row, 0]),
            "y": float(moved.places[row, 1]),
            "distance": number_or_null(moved.distance[row]),
            "distance_by_chance": number_or_null(moved.by_chance[row]),
        }


def number_or_null(value: float | None) -> float | None:
    """Convert a number for a column; None (NULL) if it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)
