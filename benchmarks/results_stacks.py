"""Compare stacks with single models on the test part of each run of docs/results.md; writes stacks.json.

A stack is compared with the scikit-learn models on its feature sets, of which a run evaluates the one with the best
fold score per set: with the one whose macro-F1 on the test part is highest, a choice that favours it over the stack.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from deltalake import DeltaTable

from genreatlas.config.joined import members_of
from genreatlas.evaluation.comparison import compare
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics.figures import macro_f1, totals_of

FILE = Path(__file__).with_name("stacks.json")
#: Number of random swaps of the permutation test.
PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Stacked:
    """A stack and the best single model on the same test songs.

    Attributes
    ----------
    stack, single : names of the models.
    stack_f1, single_f1 : macro-F1.
    p_value : of a paired permutation test over groups; NaN with fewer than five groups.
    n_songs, n_groups : size of the test part.
    """

    stack: str
    single: str
    stack_f1: float
    single_f1: float
    p_value: float
    n_songs: int
    n_groups: int

    @property
    def gain(self) -> float:
        """Macro-F1 of the stack minus that of the single model."""
        return self.stack_f1 - self.single_f1


def compare_stacks(tables: Path) -> list[Stacked]:
    """Compare every stack of a run; empty if it has none."""
    models, predictions = (DeltaTable(str(tables / name)).to_pandas() for name in ("models", "predictions"))
    return list(stacked(models, predictions[predictions["part"] == "test"]))


def stacked(models: pd.DataFrame, predictions: pd.DataFrame) -> Iterator[Stacked]:
    """Comparisons of all stacks.

    Parameters
    ----------
    models : rows of ``models``.
    predictions : rows of ``predictions`` of one part, with one genre per song.
    """
    of_model = {model: rows.set_index("song_id") for model, rows in predictions.groupby("model_id")}
    known = models[models["model_id"].isin(list(of_model))]
    for _, stack in known[known["engine"] == "stack"].sort_values(["feature_set", "estimator"]).iterrows():
        songs, classes = of_model[stack["model_id"]].index, list(stack["classes"])
        single = known[(known["engine"] == "sklearn") & known["feature_set"].isin(members_of(stack["feature_set"]))]
        if single.empty:
            continue
        mine, *theirs = (
            _outcomes(of_model[model], songs, classes) for model in (stack["model_id"], *single["model_id"])
        )
        scores = [_macro_f1(one) for one in theirs]
        best = int(np.argmax(scores))
        tested = compare(mine, theirs[best], "macro_f1", n_permutations=PERMUTATIONS)
        yield Stacked(
            _name(stack), _name(single.iloc[best]), _macro_f1(mine), scores[best], tested.p_value, tested.n_songs,
            tested.n_groups,
        )  # fmt: skip


def section(found: Sequence[Stacked]) -> str:
    """Table of comparisons for the page; empty without stacks."""
    if not found:
        return ""
    lines = [
        "| stack | macro-F1 | best single model on its sets | macro-F1 | difference | p |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.stack} | {one.stack_f1:.3f} | {one.single} | {one.single_f1:.3f} | {one.gain:+.3f} "
            f"| {'–' if pd.isna(one.p_value) else f'{one.p_value:.3f}'} |"
            for one in found
        ),
    ]
    return "\n".join(lines)


def write_file(found: Mapping[str, Sequence[Stacked]]) -> None:
    """Write the differences of all runs as ``<run>_<estimator>``, with the requirement of at least 0."""
    keys: dict[str, Any] = {}
    for run, stacks in found.items():
        for one in stacks:
            note = f"{one.stack}: {one.stack_f1:.3f}; {one.single}: {one.single_f1:.3f}; p {one.p_value:.3f}"
            keys[f"{run}_{one.stack.partition(',')[0]}"] = {
                "value": round(one.gain, 4), "bar": 0.0, "met": one.gain >= 0.0, "unit": "macro-F1",
                "n": one.n_songs, "note": note,
            }  # fmt: skip
    if keys:
        FILE.write_text(json.dumps(keys, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _name(model: "pd.Series[Any]") -> str:
    return f"{model['estimator']}, {model['feature_set']}"


def _outcomes(rows: pd.DataFrame, songs: pd.Index, classes: Sequence[str]) -> Outcomes:
    rows, index = rows.loc[songs], pd.Index(classes)
    truth = [genres[0] for genres in rows["genres"]]
    numbers = (index.get_indexer(pd.Index(values)) for values in (truth, rows["predicted"]))
    return Outcomes.of(tuple(classes), *numbers, rows["group_id"].to_numpy())


def _macro_f1(outcomes: Outcomes) -> float:
    return float(macro_f1(*totals_of(outcomes.truth, outcomes.predicted, len(outcomes.classes))))
