"""Results of the atlas benchmarks: descriptions, required values (bars), and files.

``atlas.json`` contains ``{key: {value, bar, unit, n, note}}``; the table of ``docs/atlas.md`` is generated from it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from page import machine_line, replace_figures

FILE = Path(__file__).with_name("atlas.json")
_BEGIN = "<!-- figures: begin (written by benchmarks/atlas.py) -->"
#: Unit by suffix of a key; other results are shares or scores between 0 and 1.
_UNITS = {"minutes": "min", "gb": "GB", "seconds": "s"}
#: (required minimum, description) by key, in the order of the table. Controls have None; a negative number -x means a
#: required maximum of x.
FIGURES: dict[str, tuple[float | None, str]] = {
    "trustworthiness": (0.985, "share of neighbours on the map that are neighbours in all dimensions, k = 15"),
    "continuity": (0.972, "share of neighbours in all dimensions that are neighbours on the map, k = 15"),
    "family_2d": (0.71, "accuracy of a genre's family, predicted from the 15 nearest genres on the map"),
    "family_full": (None, "the same from the 15 nearest in all dimensions"),
    "family_every_noise": (None, "the same from the 15 nearest on Every Noise's x, y"),
    "umap_trustworthiness": (None, "trustworthiness with `map.method` = umap"),
    "umap_continuity": (None, "continuity with `map.method` = umap"),
    "umap_family_2d": (None, "`family_2d` with `map.method` = umap"),
    "pacmap_trustworthiness": (None, "trustworthiness with `map.method` = pacmap"),
    "pacmap_continuity": (None, "continuity with `map.method` = pacmap"),
    "pacmap_family_2d": (None, "`family_2d` with `map.method` = pacmap"),
    "mantel": (0.69, "Spearman's correlation of distances on the map with those of Every Noise's x, y and colour"),
    "mantel_xy": (None, "the same with those of x, y alone"),
    "mantel_full": (None, "distances in all dimensions with those of x, y and colour"),
    "mantel_shuffled": (None, "control: `mantel` with genres permuted"),
    "axes_r2_x": (0.93, "lens `labelled`: R² of the ranks of x (dense to spiky) on held-out genres"),
    "axes_r2_y": (0.90, "lens `labelled`: R² of the ranks of y (electric to organic) on held-out genres"),
    "procrustes_seeds": (0.97, "R² of maps of two seeds"),
    "procrustes_half": (0.92, "R² of maps of two halves of the songs (1,000 genres × 150 synthetic songs)"),
    "rebuild_equal": (1, "a map that is computed again is bit-identical (1: yes)"),
    "gold_wrong": (None, "wrong pairs among 200 pairs of names, read by hand (`benchmarks/name_edges.csv`)"),
    "gold_doubtful": (None, "doubtful pairs among them"),
    "parents_hits1": (0.50, "share of genres whose known parent is ranked first"),
    "parents_hits3": (0.70, "share of genres whose known parent is among the first three"),
    "parents_prior_hits1": (None, "control: the parent with most children, first"),
    "parents_prior_hits3": (None, "control: the three parents with most children"),
    "parents_shuffled_hits1": (None, "control: profiles permuted, first"),
    "parents_shuffled_hits3": (None, "control: profiles permuted, among the first three"),
    "unseen_hits1": (0.18, "parents without children in training, all parents as candidates: first"),
    "unseen_hits10": (0.50, "the same, among the first ten"),
    "unseen_distance_hits1": (None, "control: by distance alone, first"),
    "unseen_distance_hits10": (None, "control: by distance alone, among the first ten"),
    "parents_auc_matched": (0.92, "AUC of known pairs against random pairs in which each parent is as frequent"),
    "parents_auc_distance": (None, "control: by distance alone"),
    "subgenre_parents": (21, "right parents of the 24 subgenres of the Spotify table, by distance and artists"),
    "subgenre_distance": (None, "the same by distance alone"),
    "subgenre_artists": (None, "the same by artists alone"),
    "map_minutes": (-10, "`map_genres`: 6,291 genres, 450,000 synthetic songs × 64; sound, labelled and artists"),
    "map_gb": (-6, "peak memory of that run, all processes together"),
    "map_rerun_minutes": (None, "the step again without new data"),
    "neighbours_minutes": (-30, "`find_neighbours`: 450,000 songs × 64, slower of an isotropic and a clustered set"),
    "neighbours_gb": (-4, "peak memory of that run, all processes together"),
    "neighbours_recall10": (0.99, "share of the exact 10 nearest that the index finds, the worse of both sets"),
    "neighbours_read_isotropic": (None, "share of the songs that the index reads for that, isotropic set"),
    "neighbours_read_clustered": (None, "the same, clustered set"),
    "skew10_before": (None, "isotropic set: skewness of how often a song is among others' 10 nearest, uncorrected"),
    "skew10": (-1, "the same after correction"),
    "antihubs_before": (None, "isotropic set: share of songs on no list, uncorrected"),
    "antihubs": (-0.02, "the same after correction"),
    "reachable_before": (None, "isotropic set: share of songs reachable from a random one, uncorrected"),
    "reachable": (0.95, "the same after correction"),
    "precision10_before": (None, "GTZAN: share of the 10 nearest (other artists) with the same genre, uncorrected"),
    "precision10_change": (0.0, "its change by the correction"),
    "precision10_before_spotify": (None, "Spotify table, 9 features: the same, uncorrected"),
    "precision10_change_spotify": (None, "its change by the correction"),
}  # fmt: skip


def kept() -> dict[str, dict[str, Any]]:
    """Results measured so far."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def keep(found: Mapping[str, float], n: int, figures: Mapping[str, tuple[float | None, str]] = FIGURES) -> None:
    """Add or replace measured results.

    Parameters
    ----------
    found : value by key.
    n : number of genres, songs or playlists that were measured.
    figures : (bar, description) by key. A negative bar -x is a required maximum of x.
    """
    all_of_them = kept()
    for key, value in found.items():
        least, what = figures.get(key, (None, key.replace("_", " ")))
        unit = next((unit for end, unit in _UNITS.items() if end in key.split("_")), "")
        bar = None if least is None else abs(least)
        all_of_them[key] = {"value": round(float(value), 4), "bar": bar, "unit": unit, "n": n}
        all_of_them[key]["note"] = f"{what}; {machine_line()}"
    FILE.write_text(json.dumps(all_of_them, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_table(page: Path) -> None:
    """Write the table between the markers of the page."""
    figures = kept()
    lines = ["| key | what | target | measured |", "|---|---|---|---|"]
    for key, (least, what) in FIGURES.items():
        if key in figures:
            value = figures[key]["value"]
            most = least is not None and least < 0
            missed = " (missed)" if least is not None and (value > -least if most else value < least) else ""
            bar = "" if least is None else f"at most {-least:g}" if most else f"at least {least:g}"
            shown = f"{value:.0f}" if key.startswith(("subgenre", "rebuild", "gold")) else f"{value:.3f}"
            lines.append(f"| `{key}` | {what} | {bar} | {shown}{missed} |")
    replace_figures(page, _BEGIN, lines)
