"""Results of the atlas benchmarks: descriptions, required values (bars), and files.

``atlas.json`` contains ``{key: {value, bar, unit, n, note}}``; the table of ``docs/atlas.md`` is generated from it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from page import machine_line

FILE = Path(__file__).with_name("atlas.json")
_BEGIN, _END = "<!-- figures: begin (written by benchmarks/atlas.py) -->", "<!-- figures: end -->"
#: Unit by suffix of a key; other results are shares or scores between 0 and 1.
_UNITS = {"minutes": "min", "gb": "GB", "seconds": "s"}
#: (required minimum, description) by key, in the order of the table. Controls have None; a negative number -x means a
#: required maximum of x.
FIGURES: dict[str, tuple[float | None, str]] = {
    "trustworthiness": (0.985, "neighbours on the map that are neighbours in all dimensions, k = 15"),
    "continuity": (0.972, "neighbours in all dimensions that are neighbours on the map, k = 15"),
    "family_2d": (0.71, "family (last word, of 40 and more) from 15 nearest on the map"),
    "family_full": (None, "the same in all dimensions"),
    "family_every_noise": (None, "the same on Every Noise's x, y"),
    "umap_trustworthiness": (None, "trustworthiness with map.method = umap"),
    "umap_continuity": (None, "its continuity"),
    "umap_family_2d": (None, "and family from 15 nearest"),
    "pacmap_trustworthiness": (None, "trustworthiness with map.method = pacmap"),
    "pacmap_continuity": (None, "its continuity"),
    "pacmap_family_2d": (None, "and family from 15 nearest"),
    "mantel": (0.69, "distances on the map against those of Every Noise's x, y and colour, Spearman"),
    "mantel_xy": (None, "the same against x, y alone"),
    "mantel_full": (None, "distances in all dimensions against x, y and colour"),
    "mantel_shuffled": (None, "control: genres dealt anew"),
    "axes_r2_x": (0.93, "labelled lens, ranks of x (dense to spiky) on genres held out"),
    "axes_r2_y": (0.90, "labelled lens, ranks of y (electric to organic) on genres held out"),
    "procrustes_seeds": (0.97, "maps of two seeds, R2 after alignment"),
    "procrustes_half": (0.92, "maps of two halves of the songs (made-up songs of 1,000 genres x 150)"),
    "rebuild_equal": (1, "a map drawn again has equal bytes"),
    "gold_wrong": (None, "of 200 edges that names say, read by hand: how many are none (`benchmarks/name_edges.csv`)"),
    "gold_doubtful": (None, "and how many are doubtful"),
    "parents_hits1": (0.50, "known parents: the right one is first"),
    "parents_hits3": (0.70, "known parents: it is among the first three"),
    "parents_prior_hits1": (None, "control: the parent with most children"),
    "parents_prior_hits3": (None, "control: the three with most children"),
    "parents_shuffled_hits1": (None, "control: profiles dealt anew"),
    "parents_shuffled_hits3": (None, "control: the same, first three"),
    "unseen_hits1": (0.18, "parents never seen in training, among all parents: first"),
    "unseen_hits10": (0.50, "the same, among the first ten"),
    "unseen_distance_hits1": (None, "control: by distance alone, first"),
    "unseen_distance_hits10": (None, "control: by distance alone, first ten"),
    "parents_auc_matched": (0.92, "AUC against parents of other children, drawn as often as they are parents"),
    "parents_auc_distance": (None, "control: by distance alone"),
    "subgenre_parents": (21, "of 24 subgenres of the Spotify table, by distance and artists"),
    "subgenre_distance": (None, "the same by distance alone"),
    "subgenre_artists": (None, "the same by artists alone"),
    "map_minutes": (-10, "`map_genres`: 6,291 genres, 450,000 made-up songs x 64, lenses sound, labelled and artists"),
    "map_gb": (-6, "peak memory of that, all processes together"),
    "map_rerun_minutes": (None, "the step again with nothing new"),
    "neighbours_minutes": (-30, "the step find_neighbours, 450,000 songs x 64, the slower of both sets"),
    "neighbours_gb": (-4, "peak memory of that, all processes"),
    "neighbours_recall10": (0.99, "the 10 nearest that an index finds of the exact ones, the worse of both sets"),
    "neighbours_read_isotropic": (None, "share of the songs that the index reads for that, isotropic"),
    "neighbours_read_clustered": (None, "the same, clustered"),
    "skew10_before": (None, "isotropic: skewness of how often a song is among others' 10 nearest, uncorrected"),
    "skew10": (-1, "the same after correction"),
    "antihubs_before": (None, "isotropic: share of songs on nobody's list, uncorrected"),
    "antihubs": (-0.02, "the same after correction"),
    "reachable_before": (None, "isotropic: share of songs reached from a random one over lists, uncorrected"),
    "reachable": (0.95, "the same after correction"),
    "precision10_before": (None, "GTZAN: genre of the 10 nearest by other artists, uncorrected"),
    "precision10_change": (0.0, "what the correction adds to it"),
    "precision10_before_spotify": (None, "the same for Spotify's 9 features"),
    "precision10_change_spotify": (None, "what the correction adds to it"),
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
    lines = ["| key | what | bar | measured |", "|---|---|---|---|"]
    for key, (least, what) in FIGURES.items():
        if key in figures:
            value = figures[key]["value"]
            most = least is not None and least < 0
            missed = " (missed)" if least is not None and (value > -least if most else value < least) else ""
            bar = "" if least is None else f"at most {-least:g}" if most else f"at least {least:g}"
            shown = f"{value:.0f}" if key.startswith(("subgenre", "rebuild", "gold")) else f"{value:.3f}"
            lines.append(f"| `{key}` | {what} | {bar} | {shown}{missed} |")
    before, rest = page.read_text(encoding="utf-8").split(_BEGIN)
    page.write_text("\n".join((before + _BEGIN, *lines, _END + rest.split(_END)[1])), encoding="utf-8")
