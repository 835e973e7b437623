"""Write the results of rhythm, onsets and key to ``docs/rhythm.md`` between two markers, and a picture."""

from pathlib import Path

from page import replace_figures

_BEGIN = "<!-- figures: begin (written by make rhythm) -->"
#: (description, key of librosa's score, digits) by key of a score.
_FIGURES = {
    "beat_f": ("beats, F within 70 ms", "beat_f_librosa", 3),
    "acc1": ("tempo, Acc1", "acc1_librosa", 3),
    "acc2": ("tempo, Acc2", "acc2_librosa", 3),
    "onset_f": ("onsets, F within 50 ms", "onset_f_librosa", 3),
    "downbeat_f": ("downbeats, F within 70 ms", None, 3),
    "metre": ("beats a bar right", None, 3),
    "swing_error": ("swing ratio, median error", "straight_error", 3),
    "swing_found": ("swing ratio given", None, 3),
    "key_score": ("key, weighted score", "key_score_librosa", 3),
}


def write_page(found: dict, page: Path) -> None:
    """Replace the text between the markers."""
    replace_figures(page, _BEGIN, _body(found))


def _body(found: dict) -> list[str]:
    every = found["all"]
    lines = [
        "",
        f"{found['songs']} songs of seeds {', '.join(map(str, found['seeds']))}. {found['machine']}",
        "",
        "| measurement | ours | librosa | songs higher / lower / equal |",
        "|---|---|---|---|",
    ]
    for name, (words, beside, digits) in _FIGURES.items():
        signs = found["better"].get(name)
        compared = f"{signs['higher']} / {signs['lower']} / {signs['equal']}" if signs else ""
        theirs = _cell(every.get(beside), digits) if beside else ""
        theirs = f"{theirs} (1 for all)" if beside == "straight_error" else theirs
        lines.append(f"| {words} | {_cell(every[name], digits)} | {theirs} | {compared} |")
    shown = ("beat_f", "acc1", "onset_f", "downbeat_f", "swing_error", "key_score")
    heads = [f"{name} (librosa)" if _FIGURES[name][1] and name != "swing_error" else name for name in shown]
    lines += ["", "| genre | songs | " + " | ".join(heads) + " |", "|---" * (len(shown) + 2) + "|"]
    for genre, row in found["genres"].items():
        cells = [
            f"{_cell(row[name], 2)} ({_cell(row[_FIGURES[name][1]], 2)})"
            if _FIGURES[name][1] and name != "swing_error"
            else _cell(row[name], 2)
            for name in shown
        ]
        lines.append(f"| {genre} | {row['songs']} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def picture(songs: list[dict], path: Path) -> None:
    """Scores of beats, onsets and key by genre, for the package and librosa, as a reproducible SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "rhythm", "font.size": 9}
    import matplotlib.pyplot as plt

    genres = sorted({song["genre"] for song in songs})
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True)
    for axis, (name, title) in zip(
        axes, (("beat_f", "beats (F)"), ("onset_f", "onsets (F)"), ("key_score", "key")), strict=True
    ):
        for shift, suffix, label in ((0.2, "", "Genre Atlas"), (-0.2, "_librosa", "librosa")):
            values = [_mean(song[name + suffix] for song in songs if song["genre"] == genre) for genre in genres]
            axis.barh([place + shift for place in range(len(genres))], values, 0.38, label=label)
        axis.set(title=title, xlim=(0, 1), yticks=range(len(genres)), yticklabels=genres)
        axis.grid(axis="x", alpha=0.3)
    axes[0].legend(loc="lower left", fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _mean(values) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
