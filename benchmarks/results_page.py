"""Generate docs/results.md from the tables of the runs."""

import platform
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from deltalake import DeltaTable
from results_bars import section
from results_experiments import Experiment
from results_stacks import Stacked, compare_stacks, write_file
from results_stacks import section as stacks_section

HEAD = """# Results on real data

Written by `make results DATA=folder` (benchmarks/results.py) from the tables of the runs.
Scores are per song on the test part, with a 95 % confidence interval over groups ([methods](intervals.md)). A fold
score is the mean of the selection metric over the three folds of the training part. Every estimator was trained with
one setting of its parameters (benchmarks/results_candidates.py), without a search. For each engine and feature set, the
candidate with the best fold score was fitted again on the training part and is evaluated here.
[Stacks](training.md#stacks) are compared with the scikit-learn model on one of their sets that is best on the test
part, by a paired permutation test. *Song-grouped* means that artists are not known and scores may be too high.
Machine: {machine}.
"""


def write_page(target: Path, work: Path, found: Sequence[tuple[Experiment, list[str], str]]) -> None:
    """Write the page; ``found`` has for each experiment the absent data sets, and the output of its run."""
    stacks: dict[str, list[Stacked]] = {}
    blocks = [HEAD.format(machine=f"{platform.machine()}, Python {platform.python_version()}"), section()]
    for experiment, absent, log in found:
        blocks.append(f"## {experiment.title}\n\n{experiment.explanation}")
        tables = work / experiment.name / "tables"
        if absent:
            blocks.append(f"Not run: {', '.join(absent)} is absent below DATA.")
        elif experiment.refused:
            said = [line for line in log.splitlines() if line.startswith("genreatlas:")]
            blocks.append("Message of the run:\n\n```\n" + "\n".join(said) + "\n```")
        elif (tables / "metrics").exists():
            stacks[experiment.name] = compare_stacks(tables)
            blocks += [
                _data(tables),
                _leaderboard(tables),
                stacks_section(stacks[experiment.name]),
                _fold_scores(tables),
            ]
        else:
            blocks.append("Not run yet.")
    write_file(stacks)
    target.write_text("\n\n".join(block for block in blocks if block).rstrip() + "\n", encoding="utf-8")
    print(f"wrote {target}")


def _read(tables: Path, name: str) -> pd.DataFrame:
    return DeltaTable(str(tables / name)).to_pandas()


def _data(tables: Path) -> str:
    splits = _read(tables, "splits").sort_values("split_version").drop_duplicates(["split", "song_id"], keep="last")
    parts = splits.groupby("part").agg(songs=("song_id", "nunique"), groups=("group_id", "nunique"))
    said = ", ".join(f"{part} {row.songs} songs in {row.groups} groups" for part, row in parts.iterrows())
    return f"Songs: {splits.song_id.nunique()}; {said}."


def _leaderboard(tables: Path) -> str:
    models = _read(tables, "models").set_index("model_id")
    experiments = _read(tables, "experiments").set_index("experiment_id")
    metrics = _read(tables, "metrics")
    overall = metrics[(metrics.genre_id == "*") & (metrics.other == "*")]
    lines = [
        "| model | accuracy | macro-F1 | top 3 | fold score | train − fold | groups | grouping |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = []
    for model_id, model in models.iterrows():
        for unit in ("song", "song_vote"):
            found = overall[(overall.model_id == model_id) & (overall.unit == unit)].set_index("metric")
            if "accuracy" not in found.index:
                continue
            score = experiments.loc[model.experiment_id]
            name = f"{model.engine} {model.estimator}, {model.feature_set}" + (" (vote)" if unit == "song_vote" else "")
            fold = f"{_digits(score.score_mean)} ± {_digits(score.score_std)}"
            rows.append(
                (
                    -found.loc["macro_f1", "value"],
                    f"| {name} | {_interval(found, 'accuracy')} | {_interval(found, 'macro_f1')} "
                    f"| {_value(found, 'top_3_accuracy')} | {fold} | {_digits(score.gap)} "
                    f"| {int(found.loc['accuracy', 'n_groups'])} | {found.loc['accuracy', 'grouping']} |",
                )
            )
    return "\n".join([*lines, *(line for _, line in sorted(rows))])


def _fold_scores(tables: Path) -> str:
    """Table of mean fold scores: one row per engine and estimator, one column per feature set."""
    experiments = _read(tables, "experiments")
    done = experiments[(experiments.status == "done") & (experiments.engine != "baseline")]
    scores = done.pivot_table("score_mean", ["engine", "estimator"], "feature_set", aggfunc="max")
    scores = scores.sort_values(list(scores.columns), ascending=False)
    lines = [f"| fold score | {' | '.join(scores.columns)} |", "|---" * (len(scores.columns) + 1) + "|"]
    lines += [f"| {' '.join(name)} | {' | '.join(map(_digits, row))} |" for name, row in scores.T.items()]
    left_out = experiments[experiments.status != "done"]
    said = [f"{row.engine} {row.estimator} on {row.feature_set}: {row.reason}." for row in left_out.itertuples()]
    return "\n".join([*lines, *(["", "Left out: " + " ".join(said)] if said else [])])


def _interval(found: pd.DataFrame, metric: str) -> str:
    row = found.loc[metric]
    between = "" if pd.isna(row.low) else f" [{_digits(row.low)}, {_digits(row.high)}]"
    return f"{_digits(row.value)}{between}"


def _value(found: pd.DataFrame, metric: str) -> str:
    return _digits(found.loc[metric, "value"]) if metric in found.index else "–"


def _digits(value: float) -> str:
    if pd.isna(value):
        return "–"
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
