"""What a split has to hold to, and what may be said of figures that rest on it."""

import pandas as pd

from genreatlas.errors import Reason, SplitError, SplitLeakError
from genreatlas.sources.credits import Performers, everybody, performers, title_guests
from genreatlas.splits.groups import key_codes
from genreatlas.splits.leaks import Shared

#: Songs of unknown artist, as a share of all, up to which a split by artist is called artist-safe:
#: one in a thousand cannot move a figure by more than a tenth of a point.
UNKNOWN_ARTISTS_TOLERATED = 0.001
#: What a grouping starts with where performers lie on both sides although songs are grouped by artist.
ARTISTS_SHARED = "artists-shared"
_NAMED = 5


def current(rows: pd.DataFrame, version: int | None = None) -> pd.DataFrame:
    """Per song of a split the row that counts at `version` (None: the newest), sorted by song.

    Parameters
    ----------
    rows : rows of the table ``splits`` of one split.
    """
    if version is not None:
        rows = rows[rows["split_version"] <= version]
    rows = rows.sort_values(["song_id", "split_version"])
    return rows.drop_duplicates("song_id", keep="last").reset_index(drop=True)


def grouping(rows: pd.DataFrame, shared: Shared | None = None) -> str:
    """Say what figures measured on a split mean.

    Parameters
    ----------
    rows : current rows of a split: group_id, grouped_by, part, reason.
    shared : what lies on both sides all the same (:func:`genreatlas.splits.find_shared`).

    Returns
    -------
    str : ``leaky`` where a group lies in several parts (a declared split that was let through), or the same audio
        does; ``album-grouped``; ``song-grouped`` where the artist is not known of all but one song in a
        thousand; ``artists-shared (2 performers, 7 songs)`` where performers are on both sides;
        else ``artist-safe``.
    """
    used = rows[rows["part"] != "excluded"]
    if (used["reason"] == Reason.DECLARED_LEAK.value).any() or len(_divided(used, "group_id", ["part"])):
        return "leaky"
    if shared and shared.recordings:
        return "leaky"
    if (used["grouped_by"] == "album").any():
        return "album-grouped"
    if unknown_artist_share(rows) > UNKNOWN_ARTISTS_TOLERATED:
        return "song-grouped"
    if shared and shared.performers:
        return f"{ARTISTS_SHARED} ({shared.performers} performers, {shared.songs} songs)"
    return "artist-safe"


def unknown_artist_share(rows: pd.DataFrame) -> float:
    """Share of the songs in use that are not grouped by artist; 1 where there are none."""
    used = rows[rows["part"] != "excluded"]
    return float((used["grouped_by"] != "artist").mean()) if len(used) else 1.0


def featured_share(rows: pd.DataFrame, songs: pd.DataFrame) -> float | None:
    """Share of test songs that credit a performer of a training song beside their own.

    Such are guests ("feat. B", also where the title names them), and partners ("A & B").

    Parameters
    ----------
    rows : current rows of a split.
    songs : song_id, artist and, where known, title.

    Returns
    -------
    float or None : None where there is no test song.
    """
    part_of = dict(zip(rows["song_id"], rows["part"], strict=True))
    trained: set[str] = set()
    tested: list[frozenset[str]] = []
    titles = songs["title"] if "title" in songs else [None] * len(songs)
    for song, artist, title in zip(songs["song_id"], songs["artist"], titles, strict=True):
        if (part := part_of.get(song)) in ("train", "test"):
            credit = performers(artist) if isinstance(artist, str) else Performers()
            if part == "train":
                trained.update(credit.sure)
            else:
                guests = everybody(title_guests(title)) if isinstance(title, str) and credit.whole else frozenset()
                tested.append((credit.named | guests) - {*credit.sure})
    n_test = int((rows["part"] == "test").sum())
    return sum(not trained.isdisjoint(names) for names in tested) / n_test if n_test else None


def check_leaks(rows: pd.DataFrame, links: pd.DataFrame | None = None, *, allow_declared: bool = False) -> None:
    """Raise if a group, or songs that share a key, lie in more than one part or fold.

    Parameters
    ----------
    rows : current rows of a split: song_id, group_id, part, fold, reason. Excluded songs do not count.
    links : song_id, kind, key from :func:`song_links`; without them only ``group_id`` is checked.
    allow_declared : let through what was let through when the split was assigned
        ([splits] allow_declared_leak); figures are flagged by :func:`grouping`.

    Raises
    ------
    SplitLeakError : naming the groups.
    """
    used = rows[rows["part"] != "excluded"]
    if allow_declared:
        used = used[used["reason"] != Reason.DECLARED_LEAK.value]
    used = used.assign(fold=used["fold"].astype("Int64").fillna(-1))
    leaks = [
        f"group {group} in {_places(cells)}" for group, cells in _divided(used, "group_id", ["part", "fold"]).items()
    ]
    if links is not None:
        tied = links.assign(code=key_codes(links)).merge(used, on="song_id")
        for cells in _divided(tied, "code", ["part", "fold"]).values():
            shared, groups = cells.iloc[0], ", ".join(sorted(set(cells["group_id"])))
            leaks.append(f"{shared['kind']} {shared['key']} (groups {groups}) in {_places(cells)}")
    if leaks:
        raise SplitLeakError(
            f"the split leaks: {_some(leaks)}. Run assign_splits, which excludes the copies outside train."
        )


def torn_links(songs: pd.DataFrame, links: pd.DataFrame, new: pd.Series) -> pd.DataFrame:
    """Find the links of new songs that declared parts tear.

    Parameters
    ----------
    songs : song_id, part of all songs that have one.
    links : song_id, kind, key.
    new : song ids; a link counts where one of these has it.

    Returns
    -------
    DataFrame : song_id, kind, key, code, part of the songs on such links.
    """
    tied = links.assign(code=key_codes(links)).merge(songs[["song_id", "part"]], on="song_id")
    parts = tied.groupby("code")["part"].nunique()
    tied = tied[tied["code"].isin(parts.index[parts > 1])]
    return tied[tied["code"].isin(tied.loc[tied["song_id"].isin(new), "code"])]


def declared_leak(torn: pd.DataFrame, artists: pd.Series) -> SplitLeakError:
    """Make the error that names the groups which a declared split divides."""
    leaks = []
    for _, cells in torn.groupby("code", sort=True):
        examples = cells.sort_values("song_id").drop_duplicates("part")
        where = [f"song {song} in {part}" for song, part in zip(examples["song_id"], examples["part"], strict=True)]
        called = artists.reindex(cells["song_id"]).dropna()
        name = f" ({called.iloc[0]})" if len(called) else ""
        leaks.append(f"{cells['kind'].iloc[0]} {cells['key'].iloc[0]}{name}: {len(cells)} songs, {', '.join(where)}")
    return SplitLeakError(
        f"the declared split divides {len(leaks)} groups: {_some(leaks)}. Mend it, set [splits] declared = "
        '"ignore" to divide anew, or allow_declared_leak = true to keep it and have every figure flagged.'
    )


def count_groups(
    labels: pd.DataFrame, songs: pd.DataFrame, new: pd.Series, recording: pd.Series | None = None
) -> pd.DataFrame:
    """Count songs and groups of every genre that new songs have: genre_id, songs, groups.

    Parameters
    ----------
    recording : recording of each song, by song id; copies of one count once.
    """
    labelled = labels.merge(songs[["song_id", "group_id"]], on="song_id")
    labelled = labelled[labelled["genre_id"].isin(labelled.loc[labelled["song_id"].isin(new), "genre_id"])]
    counted = labelled["song_id"] if recording is None else labelled["song_id"].map(recording)
    by_genre = labelled.assign(counted=counted).groupby("genre_id", as_index=False)
    return by_genre.agg(songs=("counted", "nunique"), groups=("group_id", "nunique"))


def check_group_share(groups: pd.Series, judged: pd.Series, names: pd.Series, largest: float) -> None:
    """Raise SplitError if a group holds too much of a library of 1,000 songs or more.

    Parameters
    ----------
    groups : group id of every song in use, by song id.
    judged : group ids to judge.
    names : what people call a song's artist, by song id.
    largest : largest share that a group may hold.
    """
    total = len(groups)
    if total < 1000:
        return
    sizes = groups.value_counts()
    sizes = sizes[sizes.index.isin(judged) & (sizes > largest * total)].sort_index(kind="stable")
    sizes = sizes.sort_values(ascending=False, kind="stable")
    if len(sizes):
        group = sizes.index[0]
        called = names.reindex(groups.index[groups == group]).dropna().value_counts().sort_index(kind="stable")
        artist = called.sort_values(ascending=False, kind="stable").index[0] if len(called) else "of unknown artist"
        others = f" ({len(sizes) - 1} more are too large)" if len(sizes) > 1 else ""
        raise SplitError(
            f"group {group} ({artist}) holds {sizes.iloc[0]} of {total} songs, {sizes.iloc[0] / total:.1%}, "
            f"more than [splits] max_group_share = {largest:g}{others}. If the name stands for many artists, clear it "
            "in the source; else raise max_group_share."
        )


def check_divisible(counts: pd.DataFrame, parts: list[str], group_by: str) -> None:
    """Raise SplitError if a genre has fewer groups than there are parts to put them in.

    Parameters
    ----------
    counts : genre_id, songs, groups of the genres that training would use.
    """
    short = counts[counts["groups"] < len(parts)].sort_values(["groups", "genre_id"])
    if len(short):
        listed = [f"{row.genre_id} ({row.groups} of {row.songs} songs)" for row in short.itertuples()]
        raise SplitError(
            f"grouped by {group_by}, {len(short)} of {len(counts)} genres have fewer groups than the {len(parts)} "
            f"parts ({', '.join(parts)}), so they cannot be judged; groups: {_some(listed)}. Name the genres to use in "
            "[train] genres, raise [train] min_songs above theirs, set [splits] promotion = 0, or group by less."
        )


def _divided(rows: pd.DataFrame, by: str, place: list[str]) -> dict[str, pd.DataFrame]:
    places = rows[[by, *place]].drop_duplicates()
    divided = places.loc[places[by].duplicated(), by].unique()
    return {str(name): cells for name, cells in rows[rows[by].isin(divided)].groupby(by, sort=True)}


def _places(cells: pd.DataFrame) -> str:
    named = {
        part if fold < 0 else f"{part} fold {fold}" for part, fold in zip(cells["part"], cells["fold"], strict=True)
    }
    return ", ".join(sorted(named))


def _some(items: list[str]) -> str:
    more = f"; and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return "; ".join(items[:_NAMED]) + more
