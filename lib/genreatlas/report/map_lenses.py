"""The present maps of a store, and the words on how each lens is read."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from genreatlas.report.map_data import MapLens
from genreatlas.report.number_formats import missing, words
from genreatlas.store import Reader
from genreatlas.tables import MAPS

#: Lenses in the order in which the page offers them.
_TITLES = {
    "sound": "Sound",
    "labelled": "Axes of Every Noise",
    "confusion": "Confusion of the classifier",
    "artists": "Shared artists",
}
_NOTES = {
    "sound": "Genres that sound alike lie together. Left, right, up and down mean nothing.",
    "labelled": "The axes of Every Noise: dense to spiky across, electric to organic down.",
    "confusion": "Genres that the classifier takes for each other lie together. Directions mean nothing.",
    "artists": "Genres that share artists lie together. Directions mean nothing.",
}
#: What a lens cannot be drawn without.
NEEDS = {
    "sound": "too few genres have songs",
    "labelled": "fewer than 50 genres have coordinates of Every Noise",
    "confusion": "no model has scored these genres",
    "artists": "too few genres share artists that are known",
}


def present_maps(store: Reader) -> pd.DataFrame:
    """The newest row of ``maps`` of each lens, the lens that is shown first on top."""
    rows = store.read(MAPS).toPandas()
    newest = rows.sort_values("sequence").drop_duplicates("lens", keep="last")
    known = list(_TITLES)
    order = sorted(newest["lens"], key=lambda lens: (known.index(lens) if lens in known else len(known), lens))
    return newest.set_index("lens", drop=False).loc[order].reset_index(drop=True)


def title(lens: str) -> str:
    """What people call a lens."""
    return _TITLES.get(lens, words(lens).capitalize())


def describe(row: Mapping[str, Any]) -> MapLens:
    """A lens with how it is read, from its row of ``maps``."""
    lens = str(row["lens"])
    note = [_NOTES[lens]] if lens in _NOTES else []
    if not missing(row["trustworthiness"]) and not missing(row["continuity"]):
        note.append(
            f"Trustworthiness {row['trustworthiness']:.2f}, continuity {row['continuity']:.2f}: 1 would mean that no "
            "neighbour on the map is a stranger, and that no neighbour is torn away."
        )
    if not missing(row["axes_r2_x"]) and not missing(row["axes_r2_y"]):
        note.append(
            "Genres without coordinates have a predicted place; on genres held out the prediction explains "
            f"{100 * row['axes_r2_x']:.0f} % of the ranks across and {100 * row['axes_r2_y']:.0f} % down."
        )
    labelled = lens == "labelled"
    return MapLens(
        lens,
        title(lens),
        " ".join(note),
        ("dense", "spiky") if labelled else None,
        ("electric", "organic") if labelled else None,
    )
