"""docs/results.md has the figures that the benchmarks' files have."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import results_bars  # noqa: E402


def test_the_page_has_the_figures_of_the_files():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert results_bars.section() in page, "run python benchmarks/results_bars.py"


def test_a_figure_on_the_wrong_side_of_its_bar_is_missed(monkeypatch):
    found = {
        "scale": {"rerun_minutes": 3.0, "total_gb": 16.1},
        "tables": {"spotify_6": 0.5499, "spotify_24": 0.27},
        "confounds": {
            "worst_fall_mp3_64": {"value": 2.1, "bar": 2.0, "n": 90, "note": "a set", "loses_more": ["a set"]}
        },
    }
    monkeypatch.setattr(results_bars, "_read", lambda name: found.get(name, {}))

    rows = [line.split(" | ")[:3] for line in results_bars.section().splitlines() if line.startswith("| `")]

    assert {row[0].split("`")[1]: row[2] for row in rows} == {
        "rerun_minutes": "at most 3",
        "total_gb": "at most 16 (missed)",
        "spotify_6": "at least 0.55 (missed)",
        "spotify_24": "at least 0.27",
        "worst_fall_mp3_64": "at most 2 (missed)",
    }
