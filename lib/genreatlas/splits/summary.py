"""Text summary of a split."""

import pandas as pd

from genreatlas.errors import Reason
from genreatlas.splits.groups import PARTS
from genreatlas.splits.leaks import Shared, featured_share, grouping, unknown_artist_share

_GENRES_SHOWN = 30  # about a screen; longer tables can be queried by SQL


def describe(
    rows: pd.DataFrame,
    genres: pd.DataFrame,
    songs: pd.DataFrame,
    name: str,
    version: int,
    withdrawn: int = 0,
    shared: Shared | None = None,
    copies: pd.DataFrame | None = None,
) -> tuple[str, ...]:
    """Describe a split in lines of text: sizes of the parts, grouping, and warnings.

    Parameters
    ----------
    rows : current rows of the split.
    genres : song_id, genre_id, genre.
    songs : song_id, title, artist.
    name : name of the split.
    version : version of the split.
    withdrawn : number of songs that were assigned earlier and are excluded now.
    shared : performers and recordings in several parts or folds (:func:`genreatlas.splits.find_shared`).
    copies : song_id, recording_id of songs that are copies of a recording, which count once in each part.
    """
    used = rows[rows["part"] != "excluded"].sort_values("song_id", ignore_index=True)
    known = {} if copies is None else dict(zip(copies["song_id"], copies["recording_id"], strict=True))
    used = used.assign(recording=used["song_id"].map(known).fillna(used["song_id"]))
    n_copies = int(used.duplicated(["recording", "part"]).sum())
    sizes = [
        f"{part} {found['recording'].nunique()} songs in {found['group_id'].nunique()} groups"
        for part in PARTS
        if len(found := used[used["part"] == part])
    ]
    lines = [f"split {name!r}, version {version}: {', '.join(sizes)}", *_grouping_lines(rows, shared or Shared())]
    if n_copies:
        lines.append(
            f"{n_copies} songs are copies of another song's recording, by ISRC or by their sound, and are not counted"
        )
    for reason, count in sorted(rows.loc[rows["part"] == "excluded", "reason"].value_counts().items()):
        lines.append(f"{count} songs are excluded: {_EXCLUDED[str(reason)]}")
    if withdrawn:
        lines.append(
            f"{withdrawn} songs of earlier versions were withdrawn, because they are now linked to another part. "
            "Train again; models of earlier versions may have been trained on copies of songs on which they are "
            "evaluated"
        )
    share = featured_share(rows, songs)
    if share is None:
        lines.append('no song is in the test part. Set [evaluate] part = "promotion", or assign a test part')
    elif share:
        lines.append(f"{share:.1%} of test songs feature a guest or partner who performs a training song")
    return (*lines, *_genre_lines(used, genres))


_EXCLUDED = {
    Reason.BRIDGES_GROUPS.value: "they link groups of different parts or folds (bridges_groups)",
    Reason.NOT_DECLARED.value: "their source assigns parts, but none to these songs (not_declared)",
}


def _grouping_lines(rows: pd.DataFrame, shared: Shared) -> list[str]:
    word, unknown = grouping(rows, shared), unknown_artist_share(rows)
    leaking = int((rows["reason"] == Reason.DECLARED_LEAK.value).sum())
    lines = [f"grouping: {word}"]
    if word == "song-grouped":
        lines = [f"grouping: song-grouped, not artist-safe: {unknown:.1%} of songs are not grouped by artist"]
    elif word == "leaky" and leaking:
        lines = [f"grouping: leaky: the declared parts divide groups of {leaking} songs; every figure is flagged"]
    if shared.recordings:
        lines.append(f"{shared.recordings} recordings with the same audio are in several parts or folds")
    if shared.performers:
        lines.append(
            f"{shared.performers} performers of {shared.songs} songs are in several parts or folds, such as "
            f"{', '.join(shared.examples)}"
        )
    return lines


def _genre_lines(used: pd.DataFrame, genres: pd.DataFrame) -> list[str]:
    labelled = used.merge(genres, on="song_id").drop_duplicates(["recording", "part", "genre_id"])
    counts = labelled.pivot_table(index="genre_id", columns="part", values="song_id", aggfunc="count", fill_value=0)
    parts = [part for part in PARTS if part in counts]
    bare = counts.index[(counts[parts] == 0).any(axis=1)]
    lines = []
    if len(bare):
        listed = ", ".join(bare[:10]) + (", ..." if len(bare) > 10 else "")
        lines.append(f"{len(bare)} of {len(counts)} genres are not in every part: {listed}")
    if len(counts) <= _GENRES_SHOWN:
        width = max(map(len, ["songs", *counts.index]))
        lines.append(f"{'songs':<{width}} " + " ".join(f"{part:>9}" for part in parts))
        lines.extend(
            f"{genre:<{width}} " + " ".join(f"{count:>9}" for count in row)
            for genre, row in zip(counts.index, counts[parts].to_numpy().tolist(), strict=True)
        )
    return lines
