"""Assign new songs to parts and folds; songs that are assigned already never move.

Groups are distributed over parts, and groups of the training part over folds, by iterative stratification of genres.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from genreatlas.config import SplitsSection
from genreatlas.errors import ConfigError, Reason
from genreatlas.ids import stable_id
from genreatlas.splits import leaks
from genreatlas.splits.groups import PARTS, components, join, later_links, recordings, stack

_COLUMNS = ["song_id", "group_id", "grouped_by", "part", "fold", "reason"]


@dataclass(frozen=True)
class Library:
    """All songs with their genres and links.

    Attributes
    ----------
    songs : song_id, source, artist, declared_split.
    genres : song_id, genre_id.
    links : song_id, kind, key, from :func:`genreatlas.splits.song_links`.
    judged : song_id, genre_id of the labels that training would use; None: ``genres``.
    """

    songs: pd.DataFrame
    genres: pd.DataFrame
    links: pd.DataFrame
    judged: pd.DataFrame | None = None

    def in_order(self) -> "Library":
        """Return a copy with sorted rows and without duplicates, independent of the order of reading."""
        genres = self.genres[["song_id", "genre_id"]].drop_duplicates()
        return Library(
            self.songs.drop_duplicates("song_id").sort_values("song_id", ignore_index=True),
            genres.sort_values(["song_id", "genre_id"], ignore_index=True),
            self.links,  # their order has no effect
            genres if self.judged is None else self.judged[["song_id", "genre_id"]].drop_duplicates(),
        )

    @property
    def recording(self) -> pd.Series:
        """Index of each song's recording, by song id; copies of a recording have the same index."""
        songs = self.songs["song_id"]
        return pd.Series(recordings(self.links, songs), index=songs.to_numpy())

    @property
    def counted(self) -> pd.DataFrame:
        """``genres`` without duplicates of recording and genre."""
        labelled = self.genres.assign(recording=self.genres["song_id"].map(self.recording))
        return labelled.drop_duplicates(["recording", "genre_id"]).drop(columns="recording")

    @property
    def artists(self) -> pd.Series:
        """Artist credit of each song, by song id."""
        return self.songs.set_index("song_id")["artist"]


@dataclass(frozen=True)
class Assignment:
    """New rows of one split version.

    Attributes
    ----------
    rows : song_id, group_id, grouped_by, part, fold, reason; sorted by song.
    pending : number of songs that had no row.
    withdrawn : number of songs that were assigned earlier and are excluded now, because a later link connects them
        with songs in another part or fold.
    """

    rows: pd.DataFrame
    pending: int
    withdrawn: int


def assign(library: Library, placed: pd.DataFrame, settings: SplitsSection, min_songs: int = 1) -> Assignment:
    """Assign the songs that have a genre and no row yet; the result does not depend on the order of rows.

    Songs whose source declares parts keep them ([splits] declared = "honour"). A song of such a source without a
    declared part is excluded (``not_declared``) if the source declares a training part, as filtered lists do; if it
    declares other parts only, the song is assigned to the training part.

    Parameters
    ----------
    library : all songs, assigned or not.
    placed : current rows of the split (:func:`genreatlas.splits.current`), empty for a new split.
    settings : section [splits].
    min_songs : genres with at least this number of songs need a group for every part.

    Raises
    ------
    SplitError : a genre has fewer groups than there are parts, or a group is above ``max_group_share``.
    SplitLeakError : declared parts divide a group.
    ConfigError : folds or grouping differ from those of the existing rows.
    """
    library = library.in_order()
    _check_settings(placed, settings)
    active = placed[placed["part"] != "excluded"].sort_values("song_id", ignore_index=True)
    active, withdrawn = _withdraw(active, library.links)
    songs = library.songs
    fresh = songs[songs["song_id"].isin(library.genres["song_id"]) & ~songs["song_id"].isin(placed["song_id"])]
    ids = fresh["song_id"].reset_index(drop=True)
    declared = _declared_parts(songs, settings).reindex(ids)
    listed = declared[declared.isin(PARTS)].rename("part").reset_index()
    by_list = _place_declared(listed, active, library, settings)
    left_out = _excluded(declared.index[declared == Reason.NOT_DECLARED.value], Reason.NOT_DECLARED)
    active = stack(active, by_list[by_list["part"] != "excluded"])
    free = ids[declared.isna().to_numpy()].reset_index(drop=True)
    dealt = _place_free(free, active, library, settings, min_songs)
    made = stack(withdrawn, by_list, left_out, dealt)
    made = _name_what_grouped(made, active, library.links).sort_values("song_id", ignore_index=True)
    return Assignment(made[_COLUMNS], len(fresh), len(withdrawn))


def _place_declared(
    listed: pd.DataFrame, active: pd.DataFrame, library: Library, settings: SplitsSection
) -> pd.DataFrame:
    """Assign songs to the parts that their source declares, and groups of the training part to folds."""
    if listed.empty:
        return _excluded([], Reason.BRIDGES_GROUPS)
    both = pd.concat([active[["song_id", "part"]], listed], ignore_index=True)
    links = library.links[library.links["song_id"].isin(both["song_id"])]
    torn = leaks.torn_links(both, links, listed["song_id"])
    if len(torn) and not settings.allow_declared_leak:
        raise leaks.declared_leak(torn, library.artists)
    component = pd.Series(components(links, both["song_id"])[len(active) :], index=listed.index)
    leaky = component.isin(component[listed["song_id"].isin(torn["song_id"])])
    sound = join(listed.loc[~leaky, "song_id"].reset_index(drop=True), active, links)
    rows = sound.groups.drop(columns="part").merge(listed, on="song_id").assign(reason=None)
    divided = listed[leaky].assign(reason=Reason.DECLARED_LEAK.value, fold=None)
    first = divided.groupby(component[leaky])["song_id"].transform("min")
    divided["group_id"] = [stable_id("group", song_id) for song_id in first]
    rows = deal_folds(stack(rows, divided), active, library.counted, settings)
    return stack(rows, _excluded(sound.bridging, Reason.BRIDGES_GROUPS))


def _place_free(
    free: pd.Series, active: pd.DataFrame, library: Library, settings: SplitsSection, min_songs: int
) -> pd.DataFrame:
    """Assign songs to the part of their existing group, and new groups by stratification."""
    if free.empty:
        return _excluded([], Reason.BRIDGES_GROUPS)
    joined = join(free, active, library.links)
    rows = joined.groups.assign(reason=None)
    groups = stack(active, rows).set_index("song_id")["group_id"]
    leaks.check_group_share(groups, rows["group_id"], library.artists, settings.max_group_share)
    # Songs of sources with declared parts do not count for the shares of other songs.
    songs = library.songs
    listing = songs.loc[songs["declared_split"].notna(), "source"]
    listed = songs.loc[songs["source"].isin(listing), "song_id"]
    counted = active[~active["song_id"].isin(listed)] if settings.declared == "honour" else active
    shares = part_shares(settings)
    labels = library.judged if library.judged is not None else library.genres
    counts = leaks.count_groups(labels, stack(counted, rows), rows["song_id"], library.recording)
    leaks.check_divisible(counts[counts["songs"] >= min_songs], [str(part) for part in shares], settings.group_by)
    held = stack(counted, rows[rows["part"].notna()])
    genres = library.counted
    rows["part"] = deal(rows, "part", held, genres, shares, settings.seed)
    rows = deal_folds(rows, active, genres, settings)
    return stack(rows, _excluded(joined.bridging, Reason.BRIDGES_GROUPS))


def _withdraw(active: pd.DataFrame, links: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the assigned songs that stay, and rows that exclude songs that later links connect with other parts."""
    lost = later_links(active[active["reason"] != Reason.DECLARED_LEAK.value], links)
    rows = lost.assign(part="excluded", fold=None, reason=Reason.BRIDGES_GROUPS.value)
    return active[~active["song_id"].isin(lost["song_id"])], rows


def _declared_parts(songs: pd.DataFrame, settings: SplitsSection) -> pd.Series:
    """By song: its declared part, ``not_declared`` if its source excludes it, None if it can be assigned freely."""
    frame = songs.set_index("song_id")
    parts, source = frame["declared_split"].astype(object), frame["source"]
    if settings.declared == "ignore":
        return pd.Series(None, index=frame.index, dtype=object)
    rest = dict.fromkeys(source[parts.notna()], "train")
    rest |= dict.fromkeys(source[parts == "train"], Reason.NOT_DECLARED.value)
    return parts.where(parts.notna(), source.map(rest).astype(object))


def _name_what_grouped(rows: pd.DataFrame, active: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Fill empty cells of ``grouped_by``: artist or album, else recording (copies) or song."""
    kinds = links[links["kind"].isin(["artist", "album"])].drop_duplicates("song_id").set_index("song_id")["kind"]
    sizes = stack(active, rows).drop_duplicates("song_id")["group_id"].value_counts()
    alone = rows["group_id"].map(sizes) == 1
    named = rows["song_id"].map(kinds).astype(object)
    named = named.where(named.notna(), alone.map({True: "song", False: "recording"}))
    known = rows["grouped_by"] if "grouped_by" in rows else pd.Series(None, index=rows.index, dtype=object)
    return rows.assign(grouped_by=known.where(known.notna(), named))


def _excluded(song_ids: pd.Index | list[str], reason: Reason) -> pd.DataFrame:
    rows = pd.DataFrame({"song_id": list(song_ids)}, dtype=object)
    rows["group_id"] = [stable_id("group", song_id) for song_id in rows["song_id"]]
    return rows.assign(part="excluded", fold=pd.array([pd.NA] * len(rows), "Int64"), reason=reason.value)


def _check_settings(placed: pd.DataFrame, settings: SplitsSection) -> None:
    advice = f'Assigned rows of a split never change. Choose another name, such as [splits] name = "{settings.name}-2".'
    folds = placed["fold"].dropna()
    if len(folds) and int(folds.max()) >= settings.folds:
        raise ConfigError(
            f"[splits] folds = {settings.folds}, but split {settings.name!r} has {int(folds.max()) + 1}. {advice}"
        )
    foreign = {"artist": {"album"}, "album": set[str](), "song": {"artist", "album"}}[settings.group_by]
    if made_by := sorted(foreign & set(placed["grouped_by"])):
        raise ConfigError(
            f"[splits] group_by = {settings.group_by!r}, but split {settings.name!r} was grouped by {made_by[0]}. "
            f"{advice}"
        )


def part_shares(settings: SplitsSection) -> dict[Hashable, float]:
    """Shares of the parts with a share above 0; ties in stratification go to the first part."""
    shares = {
        "train": 1.0 - settings.test - settings.promotion,
        "test": settings.test,
        "promotion": settings.promotion,
    }
    return {part: share for part, share in shares.items() if share > 0}


def deal_folds(rows: pd.DataFrame, active: pd.DataFrame, genres: pd.DataFrame, settings: SplitsSection) -> pd.DataFrame:
    """Assign folds to songs of the training part that have none; other parts have no folds.

    Parameters
    ----------
    rows : song_id, group_id, part, fold of new songs.
    active : song_id, group_id, part, fold of songs assigned earlier.
    genres : song_id, genre_id.
    settings : section [splits].

    Returns
    -------
    ``rows`` with ``fold``.
    """
    rows = rows.assign(fold=rows["fold"].astype("Int64"))
    train = rows[rows["part"] == "train"]
    held = stack(active[active["part"] == "train"], train[train["fold"].notna()])
    even: dict[Hashable, float] = dict.fromkeys(range(settings.folds), 1 / settings.folds)
    rows.loc[train.index, "fold"] = deal(train, "fold", held, genres, even, settings.seed).astype("Int64")
    return rows


def deal(
    rows: pd.DataFrame,
    column: str,
    held: pd.DataFrame,
    genres: pd.DataFrame,
    shares: Mapping[Hashable, float],
    seed: int,
) -> pd.Series:
    """Fill the empty cells of ``column`` by stratification of groups, in the order of a hash of group and seed.

    Parameters
    ----------
    rows : song_id, group_id and ``column``; either all or none of the rows of a group have a value.
    column : ``part`` or ``fold``.
    held : song_id, group_id and ``column`` of songs that are assigned already.
    genres : song_id, genre_id.
    shares : part or fold = share of the songs.
    seed : [splits] seed.

    Returns
    -------
    The filled column.
    """
    values = rows[column].astype(object)
    waiting = rows.loc[values.isna(), ["song_id", "group_id"]]
    if waiting.empty:
        return values
    places = list(shares)
    groups, genre_ids = pd.Index(sorted(set(waiting["group_id"]))), pd.Index(sorted(set(genres["genre_id"])))
    placed = held[held[column].isin(places)].merge(genres, on="song_id")
    apart = placed.drop_duplicates(["group_id", column, "genre_id"])
    chosen = stratify(
        _count(waiting.merge(genres, on="song_id"), "group_id", groups, genre_ids),
        list(shares.values()),
        np.argsort([stable_id(seed, column, group) for group in groups], kind="stable"),
        _count(placed, column, pd.Index(places), genre_ids).toarray(),
        _count(apart, column, pd.Index(places), genre_ids).toarray(),
    )
    choice = pd.Series([places[place] for place in chosen], index=groups, dtype=object)
    return values.where(values.notna(), rows["group_id"].map(choice))


def _count(rows: pd.DataFrame, by: str, index: pd.Index, genre_ids: pd.Index) -> sparse.csr_matrix:
    cells = (index.get_indexer(pd.Index(rows[by])), genre_ids.get_indexer(pd.Index(rows["genre_id"])))
    ones = np.ones(len(rows), dtype=np.int64)
    return sparse.coo_matrix((ones, cells), shape=(len(index), len(genre_ids))).tocsr()


def stratify(
    songs: sparse.csr_matrix,
    shares: Sequence[float],
    order: np.ndarray,
    placed: np.ndarray | None = None,
    placed_groups: np.ndarray | None = None,
) -> np.ndarray:
    """Iterative stratification: assign each group to the part that lacks most songs of the group's rarest genre.

    Genres are processed from the one with the fewest unassigned songs on, so that small genres are divided as evenly as
    large ones. Groups follow ``order``, except that groups with more songs of the genre than the smallest part should
    get come first, the largest ahead, as they would exceed its share later. If a genre has no more unassigned groups
    than there are parts without a group of it, its groups are assigned to these parts.

    Parameters
    ----------
    songs : (n_groups, n_genres) number of songs of each group and genre.
    shares : (n_parts,) target share of the songs in each part; the sum is 1.
    order : (n_groups,) indices of the groups in pseudo-random order.
    placed : (n_parts, n_genres) number of songs assigned to the parts already.
    placed_groups : (n_parts, n_genres) number of groups assigned to the parts already.

    Returns
    -------
    (n_groups,) int64, part of each group; -1 for groups without songs.

    References
    ----------
    Sechidis, Tsoumakas, Vlahavas 2011, On the stratification of multi-label data, ECML PKDD.
    """
    n_groups, n_genres = songs.shape
    n_parts = len(shares)
    held = np.zeros((n_parts, n_genres)) if placed is None else placed.astype(float)
    totals = np.asarray(songs.sum(axis=0)).ravel()
    # Lists instead of arrays: the loop below accesses single cells, for which numpy is ten times slower.
    want = (np.asarray(shares)[:, None] * (held.sum(axis=0) + totals) - held).tolist()
    want_all = [sum(row) for row in want]
    groups_in = (np.zeros((n_parts, n_genres), dtype=int) if placed_groups is None else placed_groups).tolist()
    rank = np.empty(n_groups, dtype=np.int64)
    rank[order] = np.arange(n_groups)
    by_genre = songs.tocsc()
    pointers, genres_of, counts_of = songs.indptr.tolist(), songs.indices.tolist(), songs.data.tolist()
    large = np.floor(min(shares) * (held.sum(axis=0) + totals))
    part = np.full(n_groups, -1, dtype=np.int64)
    left = np.where(totals > 0, totals, np.inf)
    while np.isfinite(genre_left := left[genre := int(left.argmin())]) and genre_left > 0:
        column = slice(by_genre.indptr[genre], by_genre.indptr[genre + 1])
        groups, counts = by_genre.indices[column], by_genre.data[column]
        free = part[groups] < 0
        groups, counts = groups[free], counts[free]
        first = np.where(counts > large[genre], -counts, 0)
        waiting = groups[np.lexsort((rank[groups], first))].tolist()
        for dealt, group in enumerate(waiting):
            bare = [p for p in range(n_parts) if not groups_in[p][genre]]
            options: Sequence[int] = bare if bare and len(waiting) - dealt <= len(bare) else range(n_parts)
            best = max(options, key=lambda p: (want[p][genre], want_all[p], -p))
            part[group] = best
            for cell in range(pointers[group], pointers[group + 1]):
                other, count = genres_of[cell], counts_of[cell]
                want[best][other] -= count
                want_all[best] -= count
                groups_in[best][other] += 1
                left[other] -= count
        left[genre] = np.inf
        left[left <= 0] = np.inf
    return part
