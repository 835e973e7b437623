"""Generate ``docs/calibration.md`` from ``benchmarks/calibration.json``."""

import textwrap
from typing import Any

#: Description and required value (as text) by key of a table's results.
FIGURES: dict[str, tuple[str, str]] = {
    "ece_before": ("calibration error of the uncalibrated model", ""),
    "ece": ("calibration error, mean", "≤ .03"),
    "ece_perfect": ("the same for a perfectly calibrated model", ""),
    "coverage": ("coverage of 90 % sets, mean", ".89 to .91"),
    "coverage_least": ("coverage, lowest resample", "≥ .87"),
    "coverage_most": ("coverage, highest resample", "≤ .93"),
    "set_size": ("genres in a set, mean", ""),
    "set_size_oracle": ("genres in a set, with the single threshold that covers 90 % of the test songs", ""),
    "class_gap": ("gap of coverage by genre, pooled over resamples", ""),
    "class_gap_floor": ("the same by chance (binomial)", ""),
    "class_gap_above_floor": ("gap above chance", "≤ .02"),
    "genres_judged": ("genres with at least 100 test songs", ""),
    "accuracy": ("accuracy", ""),
    "resamples": ("resamples", "20"),
}
_LIMITS = {
    "ece": (0.0, 0.03), "coverage": (0.89, 0.91), "coverage_least": (0.87, 1.0), "coverage_most": (0.0, 0.93),
    "class_gap_above_floor": (-1.0, 0.02), "resamples": (20, 1000),
}  # fmt: skip

_FEW_WORDS = (
    "Calibration needs scores of artists that the model was not fitted on, so some artists of each genre are held out. "
    "A genre with few artists is then recognised less well than by the final model, which is fitted on all of them. If "
    "artists are divided at random, songs of new artists have the same disadvantage as the held-out ones, and the sets "
    "have about the right size; only sets of genres with a single artist, which cannot be held out, are enlarged. If "
    "each genre has the same share of its artists in the test part, as with `assign_splits`, the final model has seen "
    "one artist more of the genre than the held-out songs suggest. The sets then cover more than stated, the more so "
    "the fewer artists there are. Synthetic tables of 300 genres, linear discriminant analysis, means of {resamples} "
    "resamples:"
)


def is_met(key: str, value: float) -> bool:
    """Whether a result meets its required value; True if there is none."""
    least, most = _LIMITS.get(key, (float("-inf"), float("inf")))
    return least <= value <= most


def page(found: dict[str, Any]) -> str:
    """Text of the page."""
    tables, few = found["tables"], found.get("few", [])
    heads = " | ".join(one["title"] for one in tables.values())
    lines = [
        "# Calibration",
        "",
        "Written by `python benchmarks/calibration.py --tables FOLDER`. It tests whether probabilities and prediction",
        "sets hold for songs of artists that were not used in training. Artists are divided into halves at random, "
        f"{next(iter(tables.values()))['resamples']} times.",
        "One half trains and calibrates a model as `train_models` does, on artists that it holds out itself",
        "([training.md](training.md)); the other half is the test set. The calibration error is that of the most",
        "probable genre, with 15 bins of equal numbers of songs. It is above 0 also for a perfectly calibrated model:",
        "the table shows the expected error of one with the same probabilities.",
        "",
        f"| | {heads} | target |",
        "|---" * (len(tables) + 2) + "|",
    ]
    for key, (words, bar) in FIGURES.items():
        cells = [_cell(key, one.get(key)) for one in tables.values()]
        lines.append(f"| {words} | {' | '.join(cells)} | {bar} |")
    missed = [
        f"{FIGURES[key][0]}, {name}: {one[key]}"
        for name, one in tables.items()
        for key in _LIMITS
        if not is_met(key, one[key])
    ]
    lines += ["", f"Missed: {'; '.join(missed)}." if missed else "All targets are met on these tables."]
    lines += [*_few(few), *(("", *found["notes"]) if found.get("notes") else ())]
    return "\n".join([*lines, ""])


def _few(rows: list[dict[str, Any]]) -> list[str]:
    """Section on the effect of few artists per genre on prediction sets."""
    if not rows:
        return []
    lines = [
        "",
        "## Few artists per genre",
        "",
        *textwrap.wrap(_FEW_WORDS.format(resamples=rows[0]["resamples"]), 120),
        "",
        "| songs, artists per genre in training | artists divided | coverage | genres in a set | with the best "
        "threshold |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['songs']}, {one['artists']} | {one['divided']} | {one['coverage']:.3f} | {one['set_size']:.1f} | "
        f"{one['set_size_oracle']:.1f} |"
        for one in rows
    ]
    return lines


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    text = f"{value:,}" if isinstance(value, int) else f"{value:.1f}" if key.startswith("set_size") else f"{value:.3f}"
    return text if is_met(key, value) else f"**{text}**"
