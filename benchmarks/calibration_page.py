"""Generate ``docs/calibration.md`` from ``benchmarks/calibration.json``."""

import textwrap
from typing import Any

#: Description and required value (as text) by key of a table's results.
FIGURES: dict[str, tuple[str, str]] = {
    "ece_before": ("calibration error of the model as it is", ""),
    "ece": ("calibration error, mean", "≤ .03"),
    "ece_perfect": ("the same if every confidence were true", ""),
    "coverage": ("coverage of 90 % sets, mean", ".89 to .91"),
    "coverage_least": ("coverage, lowest resample", "≥ .87"),
    "coverage_most": ("coverage, highest resample", "≤ .93"),
    "set_size": ("genres in a set, mean", ""),
    "set_size_oracle": ("genres in a set, with the one threshold that covers 90 % of the judged songs", ""),
    "class_gap": ("gap of coverage by genre, pooled over resamples", ""),
    "class_gap_floor": ("the same by chance alone (binomial)", ""),
    "class_gap_above_floor": ("gap above chance", "≤ .02"),
    "genres_judged": ("genres with 100 and more judged songs", ""),
    "accuracy": ("accuracy", ""),
    "resamples": ("resamples", "20"),
}
_LIMITS = {
    "ece": (0.0, 0.03), "coverage": (0.89, 0.91), "coverage_least": (0.87, 1.0), "coverage_most": (0.0, 0.93),
    "class_gap_above_floor": (-1.0, 0.02), "resamples": (20, 1000),
}  # fmt: skip

_FEW_WORDS = (
    "A genre that is learned from two artists is told less well than one that is learned from three, and to see"
    " what a model makes of new artists, one of those it has must be held out. If the training part is a sample"
    " like any other, new artists meet genres just as a held-out artist does, and sets are about as large as "
    "they must be; only for genres of a single artist, which no held-out song shows, they are made larger to be"
    " safe. Where every genre gives the same share of its artists to the test part by plan, as `assign_splits` "
    "does it, a test artist finds one artist more than a held-out one: sets then cover more than stated, and "
    "the more so the fewer artists there are. Made-up tables of 300 genres, linear discriminant analysis, means"
    " of {resamples} resamples:"
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
        "Written by `python benchmarks/calibration.py --tables FOLDER`. Do probabilities and prediction sets hold on",
        "songs of artists who took no part in training? Artists are divided into halves at random, "
        f"{next(iter(tables.values()))['resamples']} times.",
        "One half trains, and is calibrated as `train_models` does it, on artists that it holds out itself",
        "([training.md](training.md)); the other half judges. The calibration error is that of the first genre, over",
        "15 bins of equally many songs. It is above 0 for a perfect model, too: what one with the same confidences",
        "would show stands beside it.",
        "",
        f"| | {heads} | bar |",
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
    lines += ["", f"Missed: {'; '.join(missed)}." if missed else "All bars are met on these tables."]
    lines += [*_few(few), *(("", *found["notes"]) if found.get("notes") else ())]
    return "\n".join([*lines, ""])


def _few(rows: list[dict[str, Any]]) -> list[str]:
    """Section on the effect of few artists per genre on prediction sets."""
    if not rows:
        return []
    lines = [
        "",
        "## Few artists a genre",
        "",
        *textwrap.wrap(_FEW_WORDS.format(resamples=rows[0]["resamples"]), 120),
        "",
        "| songs, artists of a genre in training | divided | coverage | genres in a set | with the best threshold |",
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
