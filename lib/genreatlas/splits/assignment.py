"""Place the songs that have no place yet; move none that has.

Groups are dealt over parts, and those of train over folds, as their genres need them: by iterative stratification.
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
    """What is known of all songs.

    ``songs`` has song_id, source, artist, declared_split; ``genres`` song_id, genre_id; ``links``
    song_id, kind, key from :func:`genreatlas.splits.song_links`; ``judged`` song_id, genre_id of the
    labels that training would use (None: ``genres``).
    """

    songs: pd.DataFrame
    genres: pd.DataFrame
    links: pd.DataFrame
    judged: pd.DataFrame | None = None

    def in_order(self) -> "Library":
        """The same, independent of the order in which rows were read."""
        genres = self.genres[["song_id", "genre_id"]].drop_duplicates()
        return Library(
            self.songs.drop_duplicates("song_id").sort_values("song_id", ignore_index=True),
            genres.sort_values(["song_id", "genre_id"], ignore_index=True),
            self.links,  # their order decides nothing
            genres if self.judged is None else self.judged[["song_id", "genre_id"]].drop_duplicates(),
        )

    @property
    def recording(self) -> pd.Series:
        """Number of each song's recording, by song id: copies have one."""
        songs = self.songs["song_id"]
        return pd.Series(recordings(self.links, songs), index=songs.to_numpy())

    @property
    def counted(self) -> pd.DataFrame:
        """``genres`` in which each recording has each of its genres once."""
        labelled = self.genres.assign(recording=self.genres["song_id"].map(self.recording))
        return labelled.drop_duplicates(["recording", "genre_id"]).drop(columns="recording")

    @property
    def artists(self) -> pd.Series:
        """The credit that people know a song by, by song id."""
        return self.songs.set_index("song_id")["artist"]


@dataclass(frozen=True)
class Assignment:
    """New rows of one split version: song_id, group_id, grouped_by, part, fold, reason; sorted by song.

    ``pending`` counts the songs that had no row, ``withdrawn`` those that were placed and are
    excluded now because a later link ties them to another place.
    """

    rows: pd.DataFrame
    pending: int
    withdrawn: int


def assign(library: Library, placed: pd.DataFrame, settings: SplitsSection, min_songs: int = 1) -> Assignment:
    """Divide the songs that have a genre and no row yet; the order of any input makes no difference.

    Songs whose source assigns parts keep them ([splits] declared = "honour"). In such a source, a
    song that is in none of its parts is left out (``not_declared``) where the source names a
    training part, as filtered lists do, and trains where it names only the others.

    Parameters
    ----------
    library : all songs, placed or not.
    placed : current rows of the split (:func:`genreatlas.splits.current`), empty at first.
    settings : [splits].
    min_songs : judged genres with at least so many songs must have a group for every part.

    Raises
    ------
    SplitError : a genre with fewer groups than parts, or a group above ``max_group_share``.
    SplitLeakError : declared parts that divide a group.
    ConfigError : folds or grouping that differ from those of the rows already there.
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
    """Songs keep the part that their source assigns; folds are dealt to the groups of train."""
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
    """Songs join the group that is placed, or their new group goes where its genres are short."""
    if free.empty:
        return _excluded([], Reason.BRIDGES_GROUPS)
    joined = join(free, active, library.links)
    rows = joined.groups.assign(reason=None)
    groups = stack(active, rows).set_index("song_id")["group_id"]
    leaks.check_group_share(groups, rows["group_id"], library.artists, settings.max_group_share)
    # Songs whose source names the parts say nothing about the shares of the others.
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
    """Divide the placed songs into those that stay and rows that exclude the others."""
    lost = later_links(active[active["reason"] != Reason.DECLARED_LEAK.value], links)
    rows = lost.assign(part="excluded", fold=None, reason=Reason.BRIDGES_GROUPS.value)
    return active[~active["song_id"].isin(lost["song_id"])], rows


def _declared_parts(songs: pd.DataFrame, settings: SplitsSection) -> pd.Series:
    """Per song: its declared part, ``not_declared`` where its source leaves it out, None where it is free."""
    frame = songs.set_index("song_id")
    parts, source = frame["declared_split"].astype(object), frame["source"]
    if settings.declared == "ignore":
        return pd.Series(None, index=frame.index, dtype=object)
    rest = dict.fromkeys(source[parts.notna()], "train")
    rest |= dict.fromkeys(source[parts == "train"], Reason.NOT_DECLARED.value)
    return parts.where(parts.notna(), source.map(rest).astype(object))


def _name_what_grouped(rows: pd.DataFrame, active: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Fill ``grouped_by`` where it is empty: artist or album, else recording (copies) or song."""
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
    advice = f'Rows of a split never move: name another one, such as [splits] name = "{settings.name}-2".'
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
    """Share of each part that has one; where a group is needed equally, the first part gets it."""
    shares = {
        "train": 1.0 - settings.test - settings.promotion,
        "test": settings.test,
        "promotion": settings.promotion,
    }
    return {part: share for part, share in shares.items() if share > 0}


def deal_folds(rows: pd.DataFrame, active: pd.DataFrame, genres: pd.DataFrame, settings: SplitsSection) -> pd.DataFrame:
    """Fill ``fold`` of train songs that have none; songs outside train have none.

    Parameters
    ----------
    rows : song_id, group_id, part, fold of new songs.
    active : the same of songs placed earlier.
    genres : song_id, genre_id.
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
    """Fill the empty cells of `column` group by group, in the order of a hash of group and seed.

    Parameters
    ----------
    rows : song_id, group_id and `column`; a group is filled in all its rows or in none.
    column : ``part`` or ``fold``.
    held : song_id, group_id and `column` of songs that have their place.
    genres : song_id, genre_id.
    shares : place -> share of the songs.
    seed : [splits] seed.
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
    """Place every group where its rarest genre is shortest of songs.

    The genre with the fewest songs left to place is dealt out first, so that small genres are
    divided as evenly as large ones. Groups follow `order`, except that groups which hold more of
    the genre than the smallest part should get come first, the largest ahead: placed late, they
    would overshoot it. While a genre has no more groups left than parts without one, its groups
    go to those parts.

    Parameters
    ----------
    songs : (n_groups, n_genres) songs of each group under each genre.
    shares : (n_parts,) share of the songs that each part should hold; they sum to 1.
    order : (n_groups,) the groups, in the pseudo-random order in which they are placed.
    placed : (n_parts, n_genres) songs that the parts hold already; they never move.
    placed_groups : (n_parts, n_genres) groups that the parts hold already.

    Returns
    -------
    (n_groups,) int64 part of each group.

    References
    ----------
    Sechidis, Tsoumakas, Vlahavas 2011, On the stratification of multi-label data, ECML PKDD.
    """
    n_groups, n_genres = songs.shape
    n_parts = len(shares)
    held = np.zeros((n_parts, n_genres)) if placed is None else placed.astype(float)
    totals = np.asarray(songs.sum(axis=0)).ravel()
    # Lists of floats: the loop below touches single cells, where numpy is ten times slower.
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
