"""Deal groups that have no part (or no fold) yet over parts, as their genres need them."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from genreatlas.config import SplitsSection
from genreatlas.ids import stable_id
from genreatlas.splits.groups import stack
from genreatlas.splits.stratify import stratify


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
