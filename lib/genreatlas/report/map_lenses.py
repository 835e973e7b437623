"""The newest maps of a store, and the explanation of each lens."""

from collections.abc import Mapping

import pandas as pd
from pyspark.sql import functions as F

from genreatlas.report.map_data import MapLens
from genreatlas.report.number_formats import missing, words
from genreatlas.store import Reader
from genreatlas.tables import MAP_COMPARISONS, MAPS
from genreatlas.values import RowView

#: Titles of lenses, in the order in which the page offers them.
_TITLES = {
    "sound": "Sound",
    "labelled": "Axes of Every Noise",
    "confusion": "Confusion of the classifier",
    "artists": "Shared artists",
}
_NOTES = {
    "sound": "Genres that sound similar are close together. The directions have no meaning.",
    "labelled": "The axes of Every Noise: from dense (left) to spiky (right), from electric (top) to organic (bottom).",
    "confusion": "Genres that the classifier confuses are close together. The directions have no meaning.",
    "artists": "Genres that share artists are close together. The directions have no meaning.",
}
#: Reason why a lens could not be drawn.
NEEDS = {
    "sound": "too few genres have songs",
    "labelled": "fewer than 50 genres have coordinates of Every Noise",
    "confusion": "no model with probabilities was evaluated on songs of three of these genres",
    "artists": "fewer than three genres have known artists in common",
}


def present_maps(store: Reader) -> pd.DataFrame:
    """The newest row of ``maps`` of each lens, in the order in which the page shows lenses."""
    rows = store.read(MAPS).toPandas()
    newest = rows.sort_values("sequence").drop_duplicates("lens", keep="last")
    known = list(_TITLES)
    order = sorted(newest["lens"], key=lambda lens: (known.index(lens) if lens in known else len(known), lens))
    return newest.set_index("lens", drop=False).loc[order].reset_index(drop=True)


def title(lens: str) -> str:
    """Display name of a lens."""
    return _TITLES.get(lens, words(lens).capitalize())


def agreement(store: Reader, map_id: str) -> dict[str, tuple[float, float]]:
    """Agreement of other maps with a map.

    Returns
    -------
    By map id: Spearman correlation of the distances, and its maximum over maps with permuted genres (chance level).
    """
    rows = store.read(MAP_COMPARISONS).where((F.col("map_id") == map_id) | (F.col("other_map_id") == map_id)).collect()
    return {
        row["other_map_id"] if row["map_id"] == map_id else row["map_id"]: (row["mantel"], row["mantel_chance"])
        for row in rows
        if row["mantel"] is not None and row["mantel_chance"] is not None
    }


def describe(row: RowView, compared: Mapping[str, tuple[float, float]]) -> MapLens:
    """Describe a lens from its row of ``maps`` and from ``compared``, the result of :func:`agreement`."""
    lens = str(row["lens"])
    note = [_NOTES[lens]] if lens in _NOTES else []
    if not missing(row["trustworthiness"]) and not missing(row["continuity"]):
        note.append(
            f"Trustworthiness {row['trustworthiness']:.2f}, continuity {row['continuity']:.2f}: 1 means that all "
            "neighbours on the map are true neighbours, and that no true neighbours are separated."
        )
    if not missing(row["axes_r2_x"]) and not missing(row["axes_r2_y"]):
        note.append(
            "Genres without coordinates have a predicted position; on held-out genres the prediction explains "
            f"{100 * row['axes_r2_x']:.0f} % of the ranks from left to right and "
            f"{100 * row['axes_r2_y']:.0f} % from top to bottom."
        )
    if row["map_id"] in compared:
        mantel, chance = compared[row["map_id"]]
        note.append(
            f"Distances between genres correlate with those on the first lens by {mantel:.2f} (Spearman; "
            f"maximum for permuted genres: {chance:.2f})."
        )
    if not missing(row["n_left_out"]) and row["n_left_out"]:
        note.append(f"{int(row['n_left_out']):,} genres are not on this map.")
    labelled = lens == "labelled"
    return MapLens(
        lens,
        title(lens),
        " ".join(note),
        ("dense", "spiky") if labelled else None,
        ("electric", "organic") if labelled else None,
    )
