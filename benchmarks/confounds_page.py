"""Generate docs/confounds.md from the tables of runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from page import machine_line

from genreatlas.audio.changes import CHANGES
from genreatlas.evaluation.confounds import ESTIMATORS

ROOT = Path(__file__).parents[1]

HEAD = """# Confounds: is it music that tells genres apart?

Written by `python benchmarks/confounds.py --data DATA` from the tables of its runs; nothing here was typed. Machine:
{machine}.

`./spark-submit.sh probe` asks how far genres are told by something that is no music, and what changes of the sound cost
that change no genre. It writes the table `probes` (one row for each experiment, feature set, metric and genre, with an
interval, a verdict and a sentence), the view `confounds` and a section of the report. Every song of the training part
is answered by a model that was fitted without its fold, so without its artist where artists are known; nothing of the
test part is used. A set is learnt by {linear}, a confound alone by a {forest}: fixed, so that nothing is searched for.
A song has one genre (`train.labels = "multi"` counts as `drop`); fits take at most `probe.max_songs` songs and
`probe.max_genres` genres, on the driver.

{experiments}

An experiment that cannot be made (no clips, no years, no encoder for MP3, an imported table) is a row that says why.
Changed features stay in `changed_features`; a rerun adds nothing.

Verdicts never say more than the 95 % interval over artists: a confound *tells* where all of it lies above guessing,
*tells most* where it reaches half of what the set gains over guessing. A change *holds* where the whole interval lies
within `probe.tolerance`, *may lose* where the figure does and the interval does not, and *loses* where the figure does
not. A genre is *separated* from the others where the interval of its recall lies above the intervals of the shares of
each other genre's songs that are predicted as this genre.
"""

#: Experiment, its question, and the reference of its result.
EXPERIMENTS = (
    (
        "alone",
        "genres from loudness (LUFS, peak, RMS), from the file's format, or from the year of release alone",
        "naming the most frequent genre",
    ),
    ("artist", "which artist, from the other half of their songs", "guessing among the artists of the right genre"),
    (
        "change",
        "the same models on changed clips, which are decoded and extracted as any other: after {changes}",
        "the same songs, unchanged",
    ),
    (
        "apart",
        "`probe.apart`: are some genres separated, and is the quietest recognised by more than its level?",
        "trained and evaluated on the original clips, and on all at -23 LUFS",
    ),
    (
        "transfer",
        "trained on one collection (a source, or an imported folder), tested on another",
        "trained on the other one itself",
    ),
)


def write_page(
    target: Path,
    found: Sequence[tuple[str, str, pd.DataFrame]],
    figures: Mapping[str, Mapping[str, Any]],
    absent: Sequence[str],
) -> None:
    """Write the page.

    Parameters
    ----------
    target : path of the page.
    found : title, explanation and rows of ``probes`` over all genres, of each library.
    figures : contents of ``confounds.json``.
    absent : titles of libraries that were not run.
    """
    changes = ", ".join(change.words for change in CHANGES.values())
    lines = ["| experiment | what is asked | compared with |", "|---|---|---|"]
    lines += [f"| `{name}` | {asked.format(changes=changes)} | {other} |" for name, asked, other in EXPERIMENTS]
    head = HEAD.format(machine=machine_line(), experiments="\n".join(lines), **ESTIMATORS)
    blocks = [head.rstrip(), "## What a change costs", _bars(figures)]
    for title, about, rows in found:
        blocks += [f"## {title}", about, _table(rows), _sentences(rows)]
    blocks += [f"## {title}\n\nNot run yet." for title in absent]
    target.write_text("\n\n".join(blocks).rstrip() + "\n", encoding="utf-8")
    print(f"wrote {target}")


def _bars(figures: Mapping[str, Mapping[str, Any]]) -> str:
    if not figures:
        return "Nothing was measured yet. The target: at most 2 points under each change by the default feature sets."
    lines = [
        "The largest fall over libraries and default feature sets; below 0 is a gain. Target: at most 2 points.",
        "",
        "| change | largest fall | of | songs | target | sets that lose more |",
        "|---|---|---|---|---|---|",
    ]
    for key, figure in figures.items():
        more = ", ".join(figure["loses_more"]) or "none"
        met = "met" if figure["value"] <= figure["bar"] else "missed"
        lines.append(
            f"| {key.removeprefix('worst_fall_')} | {figure['value']:.1f} points | {figure['note']} | {figure['n']} | "
            f"{met} | {more} |"
        )
    return "\n".join(lines)


def _table(rows: pd.DataFrame) -> str:
    lines = [
        "| set | experiment | right | compared with | difference | songs | groups | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.feature_set} | {row.kind}: {row.name} | {_cell(row.value, row.low, row.high)} | "
        f"{_cell(row.baseline)} | {_cell(row.difference, row.difference_low, row.difference_high)} | "
        f"{row.n_songs} | {row.n_artists} | {row.verdict} |"
        for row in _ordered(rows).itertuples()
    ]
    return "\n".join(lines)


def _sentences(rows: pd.DataFrame) -> str:
    said = "\n".join(f"- **{row.feature_set}, {row.name}.** {row.sentence}" for row in _ordered(rows).itertuples())
    return said.replace(f"{ROOT.as_uri()}/", "")  # folders relative to the repository


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    kinds = ["music", "alone", "artist", "change", "apart", "transfer"]
    return rows.assign(_kind=rows["kind"].map(kinds.index)).sort_values(["feature_set", "_kind", "name"])


def _cell(value: float | None, low: float | None = None, high: float | None = None) -> str:
    if value is None or pd.isna(value):
        return "–"
    ends = "" if low is None or pd.isna(low) else f" [{_short(low)}, {_short(high or 0.0)}]"
    return f"{_short(value)}{ends}"


def _short(value: float) -> str:
    text = f"{round(value, 3) + 0.0:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and not text.startswith("1") else text
