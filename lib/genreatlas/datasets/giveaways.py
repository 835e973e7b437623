"""Detect columns of imported feature tables that leak the label, by their values, independent of their names.

Every column is tested alone. First, the genres of each fold are predicted from the column's values in the other folds.
Second, its values are checked for patterns that no measured feature has: one value (or one narrow band) for all songs
of a genre, one value for all songs of an artist, or a number that counts the rows. A column that predicts genres and
has such a pattern is a copy of the label and is left out. A column that only predicts genres well may be a very good
feature: it is kept and reported.

The thresholds are based on measurements. Of GTZAN's 57 features, the best single one reaches a mean recall of .21 on
all ten genres, .85 on three genres and .98 on two (metal and pop by ``mfcc4_mean``); of twelve Spotify features the
best reaches .29 on six genres and .88 on two of 24. None has the pattern of a copy. Copies of a label with 1 % of
errors reach .98 and more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

#: Mean recall over genres from which a column is considered to predict genres alone.
TELLS = 0.95
#: Number of genres from which no measured feature predicts all genres alone: a column that does is left out.
MANY_GENRES = 4
#: Minimum share of songs with their genre's value (or narrow band) for a column to be a function of the genre.
ONE_VALUE = 0.95
_ERRORS_OF_ONE = 0.1  # maximum share of other values in a single genre, which may be small
#: Maximum width of a genre's band of values, as a share of the gap to the next band, for a label code with noise. The
#: second, less strict value applies if there are many genres or several genres share a band.
_BAND, _BAND_OF_SEVERAL = 0.05, 0.15
#: Maximum distance of the medians of two genres from whole numbers for a label code with noise.
_CLOSE = 0.02
#: Mean recall from which a counting column is considered a row number; row numbers err at the borders of genres.
_TELLS_BY_ROW = 0.8
#: Minimum number of songs of a genre, of groups of songs (such as artists), and of rows for the tests.
_LEAST = 5
_LEAST_GROUPS = 10
_LEAST_ROWS = 50
_MOST_ROWS = 20_000
_BLOCK = 4_000_000  # values per block: 32 MB for each of a few arrays


@dataclass(frozen=True)
class Giveaway:
    """A suspicious column: whether it is left out or only reported (named), and why."""

    feature: str
    verdict: Literal["left out", "named"]
    why: str


def find_giveaways(
    x: np.ndarray,
    y: np.ndarray,
    fold: np.ndarray,
    song: np.ndarray,
    tied: Mapping[str, np.ndarray],
    features: Sequence[str],
) -> list[Giveaway]:
    """Test every column alone.

    Parameters
    ----------
    x : (n_rows, n_features) values, NaN = missing; may be memory-mapped. Of more than 20,000 rows, 20,000 evenly
        spaced rows are used.
    y : (n_rows,) genre index of each row from 0, or (n_rows, n_genres) bool.
    fold, song : (n_rows,) int, fold and song of each row.
    tied : (n_rows,) int by kind of group (such as artist): group of each row, negative if unknown.
    features : (n_features,) names of the columns.

    Returns
    -------
    The suspicious columns.
    """
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_ROWS)).astype(int)) if len(x) else np.zeros(0, int)
    if len(rows) < 2 * _LEAST:
        return []
    rows = np.random.default_rng(0).permutation(rows)  # rows sorted by genre would bias the order of equal values
    judge = _Judge(
        y[rows],
        np.asarray(fold)[rows],
        np.asarray(song)[rows],
        {name: np.asarray(code)[rows] for name, code in tied.items()},
        len(x),
    )
    found = []
    step = max(1, _BLOCK // len(rows))
    for start in range(0, len(features), step):
        block = np.asarray(x[:, start : start + step])[rows].astype(float)
        for place, verdict, why in judge.columns(block):
            found.append(Giveaway(features[start + place], verdict, why))
    return found


def giveaway_lines(feature_set: str, found: Sequence[Giveaway], most: int = 20) -> tuple[str, ...]:
    """Lines for the user: which columns are left out or only reported, and what to do about them."""
    lines = []
    for one in found[:most]:
        if one.verdict == "left out":
            advice = f'left out: {one.why} (train.keep_features = ["{one.feature}"] keeps it)'
        else:
            advice = (
                f"{one.why}. It is kept; make sure that it is measured from the audio and not derived from the genre"
            )
        lines.append(f"{feature_set}, {one.feature}: {advice}")
    if len(found) > most:
        gone = sum(one.verdict == "left out" for one in found[most:])
        lines.append(f"{feature_set}: {len(found) - most} more such features, {gone} of them left out")
    return tuple(lines)


_Verdict = Literal["left out", "named"]


class _Judge:
    """Data shared by the tests of all columns: genres, folds and songs of the rows, and groups of songs."""

    def __init__(
        self, y: np.ndarray, fold: np.ndarray, song: np.ndarray, tied: Mapping[str, np.ndarray], n_all: int
    ) -> None:
        self.multi = y.ndim == 2
        self.y = y.astype(bool) if self.multi else np.unique(y, return_inverse=True)[1]
        self.counts = np.bincount(self.y) if not self.multi else np.zeros(0, int)
        self.fold, self.n_all = fold, n_all
        _, first = np.unique(song, return_index=True)
        self.song_rows = _runs_of_several(song, np.arange(len(song)))
        known = {name: first[code[first] >= 0] for name, code in tied.items()}
        self.tied_rows = {name: _runs_of_several(tied[name][rows], rows) for name, rows in known.items()}
        self.singles = len(first) == len(song)

    def columns(self, block: np.ndarray) -> Iterator[tuple[int, _Verdict, str]]:
        """Index, verdict and reason of the suspicious columns of a block."""
        missing = ~np.isfinite(block)
        block = _with_missing_as_a_value(block, missing)
        order = np.argsort(block, axis=0)
        ordered = np.take_along_axis(block, order, axis=0)
        distinct = 1 + (np.diff(ordered, axis=0) > 0).sum(axis=0)
        numbers = self._numbered(block, ordered, distinct)
        labels = self.y.T.astype(int) if self.multi else [self.y]
        follows = np.any([_follows(block, one) for one in labels], axis=0)
        gaps = np.zeros(block.shape[1], bool)
        if some := np.flatnonzero(missing.any(axis=0)).tolist():
            gaps[some] = np.any([_follows(missing[:, some].astype(float), one) for one in labels], axis=0)
        recall = np.zeros(block.shape[1]) if self.multi else self.mean_recall(order, ordered)
        for place in np.flatnonzero(distinct > 1).tolist():
            if place in numbers:
                yield place, "left out", numbers[place]
            elif follows[place]:
                yield place, "left out", "its value follows from the genre"
            elif gaps[place]:
                yield place, "left out", "whether it is missing follows from the genre"
            elif found := self._told(block[:, place], ordered[:, place], int(distinct[place]), float(recall[place])):
                yield place, *found

    def mean_recall(self, order: np.ndarray, ordered: np.ndarray) -> np.ndarray:
        """Mean recall over genres if each row is given the genre of the row nearest in value from another fold."""
        n = len(order)
        fold, y = self.fold[order], self.y[order]
        changed = np.vstack([np.ones((1, fold.shape[1]), bool), fold[1:] != fold[:-1]])
        index = np.arange(n, dtype=np.int32)[:, None]
        left = np.maximum.accumulate(np.where(changed, index, 0), axis=0) - 1
        last = np.vstack([changed[1:], np.ones((1, fold.shape[1]), bool)])
        right = np.minimum.accumulate(np.where(last, index, n)[::-1], axis=0)[::-1] + 1
        before, after = np.maximum(left, 0), np.minimum(right, n - 1)
        low = np.where(left >= 0, ordered - np.take_along_axis(ordered, before, axis=0), np.inf)
        high = np.where(right < n, np.take_along_axis(ordered, after, axis=0) - ordered, np.inf)
        hit = np.take_along_axis(y, np.where(low <= high, before, after), axis=0) == y
        shares: np.ndarray = np.where(hit, 1.0 / (self.counts * len(self.counts))[y], 0.0).sum(axis=0)
        return shares

    def _told(
        self, values: np.ndarray, ordered: np.ndarray, distinct: int, recall: float
    ) -> tuple[_Verdict, str] | None:
        n_genres = len(self.counts)
        said = f"it alone separates {n_genres} genres with a mean recall of {recall:.3f} on held-out folds"
        if recall >= _TELLS_BY_ROW and _counts_up(ordered, distinct):
            return "left out", f"{said}, and its values increase like the row numbers of a sorted table"
        if recall < TELLS:
            return None
        if n_genres >= MANY_GENRES:
            return "left out", said
        if _evenly_spaced(values, self.y):
            return "left out", f"{said}, and its values are codes of the genres plus noise"
        return "named", said

    def _numbered(self, block: np.ndarray, ordered: np.ndarray, distinct: np.ndarray) -> dict[int, str]:
        """Reason by index of the columns that number artists, songs or rows."""
        found: dict[int, str] = {}
        whole = (ordered == np.round(ordered)).all(axis=0)
        if self.singles and len(block) >= _LEAST_ROWS:
            dense = whole & (ordered[-1] - ordered[0] <= 4 * self.n_all) & (distinct >= 0.99 * len(block))
            found |= dict.fromkeys(np.flatnonzero(dense).tolist(), "its values are row numbers")
        ties = [("song", self.song_rows), *self.tied_rows.items()]
        for name, (rows, starts) in ties:
            if len(starts) < _LEAST_GROUPS:
                continue
            low = np.minimum.reduceat(block[rows], starts, axis=0)
            same = (low == np.maximum.reduceat(block[rows], starts, axis=0)).mean(axis=0) >= 0.99
            for place in np.flatnonzero(same & (distinct >= _LEAST_GROUPS)).tolist():
                values, counts = np.unique(low[:, place], return_counts=True)
                if name == "song" and whole[place] and len(values) >= 0.99 * len(starts):
                    found[place] = "its values are numbers of songs"
                elif name != "song" and len(values) >= _LEAST_GROUPS and counts.max() <= len(starts) / 2:
                    found[place] = f"it has one value for all songs of an {name}"
        return found


def _with_missing_as_a_value(block: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Replace missing values by one value below all others, because missingness can depend on the genre, too."""
    low = np.where(missing, np.inf, block).min(axis=0)
    high = np.where(missing, -np.inf, block).max(axis=0)
    below = np.where(np.isfinite(low), low - (high - low) - 1.0, 0.0)
    return np.where(missing, below, block)


def _follows(block: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether each column is a function of the genre.

    Such a column has one value, or a narrow band of values, for nearly all songs of each genre, and not the same value
    for all genres.
    """
    parts = [np.sort(block[y == genre], axis=0) for genre in np.unique(y)]
    parts = [part for part in parts if len(part) >= _LEAST]
    if len(parts) < 2:
        return np.zeros(block.shape[1], bool)
    centre = np.stack([part[len(part) // 2] for part in parts])
    other = np.stack([(part != part[len(part) // 2]).sum(axis=0) for part in parts])
    sizes = np.array([[len(part)] for part in parts])
    alike = (other <= np.maximum(1, _ERRORS_OF_ONE * sizes)).all(axis=0)
    alike &= other.sum(axis=0) <= (1 - ONE_VALUE) * sizes.sum()
    coded = alike & (centre != centre[0]).any(axis=0)
    edge = (1 - ONE_VALUE) / 2
    width = np.stack([part[int((1 - edge) * (len(part) - 1))] - part[int(edge * len(part))] for part in parts])
    gaps, width = np.diff(np.sort(centre, axis=0), axis=0), width.max(axis=0)
    band = np.where((gaps <= width).any(axis=0) | (len(parts) >= MANY_GENRES), _BAND_OF_SEVERAL, _BAND)
    wide = gaps * band >= width
    told: np.ndarray = coded | (wide.any(axis=0) & (wide | (gaps <= width)).all(axis=0))
    return told


def _evenly_spaced(values: np.ndarray, y: np.ndarray) -> bool:
    """Whether genres are at even steps with noise, as label codes are; two genres: at consecutive whole numbers."""
    parts = [part for genre in np.unique(y) if len(part := values[y == genre]) >= _LEAST]
    if len(parts) < 2:
        return False
    centres = np.sort([np.median(part) for part in parts])
    gaps = np.diff(centres)
    width = max(np.quantile(part, 0.95) - np.quantile(part, 0.05) for part in parts)
    if len(parts) > 2:
        return bool(gaps.max() <= 1.15 * gaps.min() and width <= gaps.min())
    # The standard error of a median is 1.25 standard deviations / sqrt(n); the width is 3.3 standard deviations.
    close = min(_CLOSE, 3 * 1.25 * width / 3.3 / np.sqrt(min(map(len, parts))))
    whole = np.round(centres)
    return bool(whole[1] - whole[0] == 1 and np.abs(centres - whole).max() <= close and 3 * width <= 1)


def _counts_up(ordered: np.ndarray, distinct: int) -> bool:
    """Whether values are like row numbers: nearly all different, and whole numbers or on a straight line."""
    if distinct < 0.9 * len(ordered):
        return False
    rank = np.arange(len(ordered))
    return bool((ordered == np.round(ordered)).all() or np.corrcoef(rank, ordered)[0, 1] ** 2 >= 0.9995)


def _runs_of_several(key: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of keys that have several rows, sorted by key, and the start of each key."""
    order = np.argsort(key, kind="stable")
    _, sizes = np.unique(key, return_counts=True)
    kept, several = np.repeat(sizes > 1, sizes), sizes[sizes > 1]
    return rows[order][kept], np.cumsum(several) - several
