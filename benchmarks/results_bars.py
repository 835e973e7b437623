"""Write the section of docs/results.md on targets: ``python benchmarks/results_bars.py``.

Its results are taken from ``scale.json``, ``tables.json``, ``calibration.json``, ``confounds.json`` and
``stacks.json``; nothing is measured here.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results.md"
_BEGIN, _END = "<!-- bars: begin (written by benchmarks/results_bars.py) -->", "<!-- bars: end -->"

#: (file, description, required value, minimum or maximum) by key.
BARS: dict[str, tuple[str, str, float, Literal["at least", "at most"]]] = {
    "total_minutes": ("scale", "3,000 genres × 150 songs, all steps, minutes on two cores", 60.0, "at most"),
    "total_gb": ("scale", "the same, memory of all processes, GB", 16.0, "at most"),
    "worst_step_ratio": ("scale", "cost per song at 3,000 genres divided by that at 300: linear steps", 1.3, "at most"),
    "worst_learning_ratio": ("scale", "the same for training and evaluation", 12.0, "at most"),
    "rerun_minutes": ("scale", "all steps again without new data, minutes", 3.0, "at most"),
    "spotify_6": ("tables", "Spotify's 6 genres, accuracy on new artists", 0.55, "at least"),
    "spotify_6_year": ("tables", "the same with the year of release", 0.58, "at least"),
    "spotify_24": ("tables", "its 24 subgenres", 0.27, "at least"),
    "gtzan57_valid": ("tables", "GTZAN, 57 columns, validation list", 0.47, "at least"),
    "ece_spotify": ("calibration", "calibration error, Spotify", 0.03, "at most"),
    "ece_synthetic": ("calibration", "calibration error, synthetic table", 0.03, "at most"),
    "class_gap": ("calibration", "difference of coverage between genres beyond chance", 0.02, "at most"),
}


def section() -> str:
    """Text of the section, with its markers."""
    lines = [
        _BEGIN,
        "## Targets of learning",
        "",
        "| figure | value | target | page |",
        "|---|---|---|---|",
        *(f"| {words} | {value:g} | {bar} | [{page}.md]({page}.md) |" for words, value, bar, page in _rows()),
        _END,
    ]
    return "\n".join(lines)


def _rows() -> Iterator[tuple[str, float, str, str]]:
    for key, (name, words, bar, sense) in BARS.items():
        if key in (found := _read(name)):
            value = found[key]
            met = value >= bar if sense == "at least" else value <= bar
            yield f"`{key}`: {words}", value, f"{sense} {bar:g}" + ("" if met else " (missed)"), name
    tables = _read("calibration").get("tables", {})
    for name, one in tables.items():
        met = 0.89 <= one["coverage"] <= 0.91 and one["coverage_least"] >= 0.87 and one["coverage_most"] <= 0.93
        words = (
            f"`coverage_{name}`: of 90 % sets, mean of {one['resamples']} resamples; {one['title'].replace('`', '')}"
        )
        yield words, one["coverage"], ".89 to .91, each .87 to .93" + ("" if met else " (missed)"), "calibration"
    for key, one in _read("confounds").items():
        more = f"; above the target: {', '.join(one['loses_more'])}" if one["loses_more"] else ""
        words = f"`{key}`: points lost, {one['note']}, {one['n']} songs{more}"
        yield (
            words,
            one["value"],
            f"at most {one['bar']:g}" + ("" if one["value"] <= one["bar"] else " (missed)"),
            "confounds",
        )
    for key, one in _read("stacks").items():
        missed = "" if one["met"] else " (missed)"
        words = f"`{key}`: stack, macro-F1 minus that of its best single model, {one['n']} songs"
        yield words, one["value"], f"at least {one['bar']:g}{missed}", "results"


def _read(name: str) -> dict[str, Any]:
    path = ROOT / "benchmarks" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def main() -> None:
    """Replace the section of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    PAGE.write_text(before + section() + rest.partition(_END)[2], encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
