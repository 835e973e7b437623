"""Generate ``docs/tables.md`` from ``benchmarks/tables.json``."""

import textwrap
from typing import Any

#: Description and required accuracy by table.
TITLES = {
    "spotify_6": ("Spotify, 6 genres, audio features", 0.55),
    "spotify_6_year": ("the same with the year of release", 0.58),
    "spotify_24": ("Spotify, 24 subgenres, audio features", 0.27),
    "spotify_6_context": ("6 genres, with means over the artist's other songs", None),
    "gtzan57": ("GTZAN, 57 columns, train list against validation list", 0.47),
    "gtzan57_by_artist": ("the same, chosen on folds of artists", None),
}
#: Description by compared method.
METHODS = {
    "flat": "flat, the family of the first genre",
    "summed": "flat, probabilities summed up the tree",
    "top_down": "top-down: families, then the genres of each",
}


def page(found: dict[str, Any], folds: int) -> str:
    """Text of the page."""
    text = (
        "Written by `python benchmarks/tables.py --tables FOLDER`. The default candidates of scikit-learn (the preset "
        f"`quick`) are chosen on {folds} folds of the training part, and the best is judged once: on a quarter of the "
        "artists, none of whom is in training, or on GTZAN's filtered validation list. No artist is in two folds, but "
        "for GTZAN's table, which does not name artists: the last row has folds by a list of them. Each song is judged "
        "alone; means over the artist's other songs are a row of their own. "
        "On the Spotify tables the support vector machine is left out: it takes as long as all others together."
    )
    lines = [
        "# Two well-known tables",
        "",
        *textwrap.wrap(text, 120),
        "",
        "| table | accuracy | asked for | on folds | songs trained on, judged | 90 % sets cover | best candidate |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (title, asked) in TITLES.items():
        if (one := found["tables"].get(name)) is not None:
            bar = "–" if asked is None else f"{asked:.2f}" + ("" if one["accuracy"] >= asked else " (missed)")
            lines.append(
                f"| {title} | {one['accuracy']:.3f} | {bar} | {one['folds_accuracy']:.3f} | {one['train']:,}, "
                f"{one['test']:,} | {one.get('coverage', '–')} | `{one['best']}` |"
            )
    if "gtzan_gap_random" in found:
        n = found["tables"]["gtzan57"]["test"]
        text = (
            f"On GTZAN folds of songs promise {found['gtzan_gap_random']:.3f} more than the validation list keeps, "
            f"folds of artists {found['gtzan_gap_artist']:.3f} more. With songs of an artist on both sides, prediction "
            f"sets are too small for other artists. By chance alone an accuracy on {n} songs is off by "
            f"{100 * (0.25 / n) ** 0.5:.1f} points (one standard error)."
        )
        lines += ["", *textwrap.wrap(text, 120)]
    if rows := found.get("tried"):
        lines += _tried(rows, TITLES["gtzan57"][1] or 1.0, found["tables"]["gtzan57"]["accuracy"])
    return "\n".join([*lines, *_levels(found.get("levels", [])), *_labels(found.get("labels")), ""])


def _tried(rows: list[dict[str, Any]], asked: float, chosen: float) -> list[str]:
    """Section on the accuracy of each estimator on GTZAN's validation list."""
    best = max(rows, key=lambda row: row["accuracy"])
    reached = [row for row in rows if row["accuracy"] >= asked]
    text = (
        f"What was tried on GTZAN: of each estimator and scaler the point of its grid that is best on folds, judged on "
        f"the validation list. {len(reached)} of {len(rows)} reach {asked:.2f}; the highest is {best['accuracy']:.3f}. "
        "None is chosen by what it makes of the list. Margins are taken as they are here; `train_models` turns them "
        f"into probabilities by a sigmoid for each genre, and the chosen candidate then has {chosen:.3f}."
    )
    lines = [
        "",
        *textwrap.wrap(text, 120),
        "",
        "| folds of | estimator | scaler | macro-F1 on folds | accuracy on the list |",
        "|---|---|---|---|---|",
    ]
    ordered = sorted(rows, key=lambda row: (row["folds"] != "songs", -row["folds_macro_f1"]))
    return lines + [
        f"| {row['folds']} | `{row['estimator']}` | {row['scaler']} | {row['folds_macro_f1']:.3f} | "
        f"{row['accuracy']:.3f} |"
        for row in ordered
    ]


def _levels(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    text = (
        "A flat model's probabilities are summed up the tree, and a top-down model is compared with it: one model of "
        "families, and one of the genres of each, multiplied. Means over "
        f"{rows[0]['divisions']} divisions of the artists, a quarter judged; ± is a standard error of the difference "
        "to the first row over divisions."
    )
    lines = [
        "", "## Genres and families", "", *textwrap.wrap(text, 120), "",
        "| table | model | genres | families |", "|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        for name, words in METHODS.items():
            one = row["methods"][name]
            cells = [
                f"{one[level]:.3f}" + ("" if name == "flat" else f" ± {one[f'{level}_error']:.3f}")
                for level in ("genres", "families")
            ]
            title = f"{row['table']}: {row['genres']} of {row['families']} families" if name == "flat" else ""
            lines.append(f"| {title} | {words} | {cells[0]} | {cells[1]} |")
    return lines


def _labels(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    text = (
        f"Of {found['recordings']:,} recordings of the Spotify table {found['several']:,} are in several of the 24 "
        "subgenres. What `train.labels` and `train.min_songs` keep of them, and how often the first genre of a small "
        "perceptron is one of those of a song of other artists; the judged songs are the same in all rows but for "
        "those of genres that are left out, which the last column counts as missed."
    )
    lines = [
        "", "## Songs in several genres, small genres", "", *textwrap.wrap(text, 120), "",
        "| labels | min_songs | genres | songs trained on | hit | hit of all |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {row['labels']} | {row['min_songs']} | {row['genres']} | {row['songs']:,} | {row['hit']:.3f} | "
        f"{row['hit_of_all']:.3f} |"
        for row in found["rules"]
    ]
    text = (
        "Missing labels: made-up songs of 40 genres, half of whose labels are missing in training, judged on songs "
        "with all of theirs. `label_frequency` is what a perceptron is told of it; at 1 a missing label is a no. Songs "
        f"have {found['missing'][0]['genres_true']} genres on average."
    )
    lines += [
        "", "## Labels that are missing", "", *textwrap.wrap(text, 120), "",
        "| label_frequency | average precision, macro | micro | first genre is one | genres that it says a song has | "
        "log loss |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {row['label_frequency']} | {row['macro_average_precision']:.3f} | {row['micro_average_precision']:.3f} | "
        f"{row['hit']:.3f} | {row['genres_said']} | {row['log_loss']:.3f} |"
        for row in found["missing"]
    ]
    return lines
