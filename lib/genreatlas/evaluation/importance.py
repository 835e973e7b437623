"""Permutation importance: what a model loses when one feature is taken from another song.

The feature of every judged clip is replaced by that of a clip drawn without replacement, so that its
values stay real while their tie to the genre is cut. A feature that repeats what others say loses
little; importances of correlated features must be read together. Columns of one category
(``key=0``, ``key=1``, ...) are replaced at once.

References: Breiman 2001, "Random forests", sec. 10; Fisher, Rudin & Dominici 2019 for any model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas.evaluation.judge import totals
from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.evaluation.rows import figure_rows, no_figures
from genreatlas.ids import stable_id
from genreatlas.metrics.figures import totals_figure
from genreatlas.metrics.ranking import average_precision
from genreatlas.metrics.resampling import group_weights, interval

PERMUTATION = "importance_permutation"

#: Predictions of clips behind the importances of one model: features × shuffles × songs. Half a
#: million take a random forest some minutes; more songs would narrow intervals that are narrow by then.
MAX_PREDICTIONS = 500_000
#: Values that these predictions read: with 6,373 columns, 1,000 variants of 300 songs.
MAX_VALUES = 2_000_000_000
MAX_SONGS = 1_000
LEAST_SONGS = 50


@dataclass(frozen=True)
class Block:
    """Columns of the matrix that are replaced at once: a feature, or all columns of a category."""

    feature: str
    columns: tuple[int, ...]


def feature_blocks(features: Sequence[str]) -> list[Block]:
    """One block per feature, in the order of the matrix; ``name=value`` columns share one."""
    columns: dict[str, list[int]] = {}
    for place, name in enumerate(features):
        columns.setdefault(name.partition("=")[0], []).append(place)
    return [Block(name, tuple(places)) for name, places in columns.items()]


def most_weighty(blocks: Sequence[Block], weights: NDArray[np.float64], most: int) -> list[Block]:
    """The blocks with the largest sums of weights, in the order of the matrix; equal ones by their place.

    Parameters
    ----------
    weights : (n_features,) per column of the matrix.
    """
    sums = np.array([weights[list(block.columns)].sum() for block in blocks])
    return [blocks[place] for place in sorted(np.argsort(-sums, kind="stable")[:most])]


def sampled_songs(songs: Sequence[str], n_variants: int, seed: int, width: int = 1) -> list[str]:
    """Songs that importances rest on: all of them while few, else the first in an order of hashes.

    ``n_variants`` is what every song costs: features × shuffles (× genres where every score is needed); ``width`` is
    the number of features that a prediction reads.
    """
    room = min(MAX_SONGS, MAX_PREDICTIONS // max(1, n_variants), MAX_VALUES // max(1, n_variants * width))
    room = max(LEAST_SONGS, room)
    return sorted(sorted(songs, key=lambda song: stable_id("importance", str(seed), song))[:room])


def donors(clips: Sequence[str], repeats: int, seed: int) -> pd.DataFrame:
    """Whose feature each clip gets in each shuffle: clip_id, repeat, donor_id.

    A permutation of the clips per shuffle, the same for every feature, from the seed alone.
    """
    names = np.asarray(sorted(clips), dtype=object)
    drawn = [np.random.default_rng([seed, repeat]).permutation(len(names)) for repeat in range(repeats)]
    return pd.DataFrame(
        {
            "clip_id": np.tile(names, repeats),
            "repeat": np.repeat(np.arange(repeats), len(names)),
            "donor_id": np.concatenate([names[order] for order in drawn]) if drawn else names[:0],
        }
    )


def importance_rows(
    intact: Outcomes,
    shuffled: Mapping[str, Sequence[Outcomes]],
    metric: str,
    *,
    n_samples: int = 1000,
    min_groups: int = 5,
    seed: int = 7,
) -> pd.DataFrame:
    """How much of a metric is lost without each feature, with intervals over groups.

    Parameters
    ----------
    intact : outcomes with features as they are.
    shuffled : feature = outcomes of the same songs, one per shuffle.
    metric : accuracy, balanced_accuracy, macro_f1 or weighted_f1.

    Returns
    -------
    One row per feature (in ``other``): metric of ``intact`` minus the mean over shuffles.
    """
    whole = np.ones((intact.n_groups, 1))
    blocks = list(group_weights(intact.n_groups, n_samples, seed)) if intact.n_groups else []

    def samples(outcomes: Outcomes) -> NDArray[np.float64]:
        return np.concatenate([_metric(outcomes, metric, weights) for weights in (whole, *blocks)])

    base, rows = samples(intact), []
    for feature, shuffles in shuffled.items():
        lost = base - np.mean([samples(one) for one in shuffles], axis=0)
        low, high = interval(lost[1:])
        rows.append(
            figure_rows(
                PERMUTATION,
                lost[0],
                intact.n,
                intact.n_groups,
                others=[feature],
                ends=(low, high),
                min_groups=min_groups,
            )
        )
    return pd.concat(rows, ignore_index=True) if rows else no_figures()


def ranking_importance_rows(
    intact: NDArray[np.float64],
    shuffled: Mapping[str, Sequence[NDArray[np.float64]]],
    truth: NDArray[np.bool_],
    n_groups: int,
) -> pd.DataFrame:
    """The same for songs with several genres, in macro average precision and without intervals.

    Parameters
    ----------
    intact : (n, n_classes) scores with features as they are.
    shuffled : feature = scores of the same songs, one array per shuffle.
    truth : (n, n_classes).
    """

    def macro(scores: NDArray[np.float64]) -> float:
        return float(np.mean([average_precision(s, t) for s, t in zip(scores.T, truth.T, strict=True) if t.any()]))

    base = macro(intact)
    rows = [
        figure_rows(
            PERMUTATION, base - np.mean([macro(one) for one in shuffles]), len(truth), n_groups, others=[feature]
        )
        for feature, shuffles in shuffled.items()
    ]
    return pd.concat(rows, ignore_index=True) if rows else no_figures()


def _metric(outcomes: Outcomes, metric: str, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    drawn = totals(outcomes, weights)
    return totals_figure(metric, drawn.right, drawn.predicted, drawn.support)
