"""Warnings and remarks about the validity of the scores."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from genreatlas.config.joined import members_of
from genreatlas.models.engines import baselines
from genreatlas.models.engines.baseline import NOT_MUSIC
from genreatlas.report.boards import Board, model_name
from genreatlas.report.data import ReportData
from genreatlas.report.number_formats import count, missing, score
from genreatlas.report.views import metric_words, overall, p_against_best
from genreatlas.splits.leaks import ARTISTS_SHARED

_MOST_NAMED = 10
_GROUPINGS = {
    "song-grouped": (
        "Song-grouped, not artist-safe",
        "Artists are not known for every song, so songs of one artist may be in both the training part and the {part} "
        "part. A model can then recognise an artist or an album instead of a genre, and all scores may be too high.",
    ),
    "album-grouped": (
        "Album-grouped, not artist-safe",
        "Albums are never divided, but albums of one artist may be in both parts, so scores may be too high.",
    ),
    "leaky": (
        "This split leaks",
        "Songs of one artist, or copies of one recording, are in both parts: the source's own split has them there and "
        "the configuration allowed it, or the same audio was found in both. Scores are too high by an unknown amount.",
    ),
}


@dataclass(frozen=True)
class Flag:
    """One warning or remark; ``serious`` flags mean that scores may be wrong."""

    title: str
    text: str
    serious: bool = False


def flags(data: ReportData, board: Board | None) -> list[Flag]:
    """All warnings and remarks about a leaderboard, serious ones first."""
    if board is None:
        return [
            Flag("Nothing is evaluated yet", "No model has been evaluated, so this page shows the data alone.", True)
        ]
    found = [
        *_grouping(data, board),
        *_not_music(board),
        *_pretrained(data, board),
        *_significance(data, board),
        *_few(data, board),
        *_absent(data, board),
        *_older(data, board),
        *_margins(board),
        *_left_out(board),
        *_candidates(data),
        *_excluded(data),
    ]
    return sorted(found, key=lambda flag: not flag.serious)


def _grouping(data: ReportData, board: Board) -> Iterator[Flag]:
    for grouping in sorted(set(board.rows["grouping"].dropna())):
        if grouping in _GROUPINGS:
            title, text = _GROUPINGS[grouping]
            yield Flag(title, text.format(part=data.part), True)
        elif grouping.startswith(ARTISTS_SHARED):
            yield Flag(
                "Performers in several parts",
                f"Songs are grouped by artist, but according to the credits some performers are in more than one part "
                f"or fold: {grouping.removeprefix(ARTISTS_SHARED).strip(' ()')}. Scores may be too "
                "high. Run assign_splits, which lists them.",
                True,
            )
        elif grouping == "artist-safe":
            yield Flag(
                "Artist-safe",
                f"According to the credits, no performer of a song of the {data.part} part performs a training song. "
                f"{_guests(data.featured)}",
            )


def _guests(featured: float | None) -> str:
    if featured is None:
        return "Guests may; assign_splits prints the number of songs."
    if not featured:
        return "This also holds for guests and partners."
    return (
        f"Guests and partners may: {featured:.1%} of test songs have a guest or partner who performs a training song."
    )


def _not_music(board: Board) -> Iterator[Flag]:
    rows = board.rows[board.rows["engine"].isin(baselines()) & board.rows["score"].notna()]
    best = board.best
    for name, sees in NOT_MUSIC.items():
        found = rows[(rows["estimator"] == name) | (rows["feature_set"] == name)]
        if found.empty:
            continue
        row = found.iloc[0]
        text = f"This baseline {sees}. Its score of {score(row['score'])} is not based on the music."
        near = best is not None and not missing(best["score"]) and _reaches(row, best)
        if near and best is not None:
            text += (
                f" The best model, {model_name(best)}, scores {score(best['score'])}: "
                "much of this may be due to the same information, not to the music."
            )
        yield Flag(f"The {name} baseline", text, near)


def _pretrained(data: ReportData, board: Board) -> Iterator[Flag]:
    """Pretrained networks whose training data may include songs of the evaluated part."""
    taught = {
        (str(row["feature_set"]), str(row["set_version"])): str(row["taught"]) for _, row in data.networks.iterrows()
    }
    told: dict[str, list[str]] = {}
    for _, row in board.rows.drop_duplicates("feature_set").iterrows():
        for member in zip(members_of(row["feature_set"]), members_of(row["set_version"]), strict=True):
            if member in taught:
                told.setdefault(taught[member] or "a task that is not stated", []).append(member[0])
    for words, names in told.items():
        text = (
            f"{', '.join(dict.fromkeys(names))}: features of a pretrained network that was taught {words}. If its "
            f"training data include songs of the {data.part} part, which is unknown, scores of its features are "
            "too high."
        )
        yield Flag("Pretrained network", text, True)


def _reaches(baseline: pd.Series, best: pd.Series) -> bool:
    """Whether a baseline's score is at least the lower end of the best model's interval, or 90 % of its score."""
    floor = 0.9 * best["score"] if missing(best["low"]) else best["low"]
    return bool(baseline["score"] >= floor)


def _significance(data: ReportData, board: Board) -> Iterator[Flag]:
    if board.best is None:
        return
    p_values = p_against_best(data, board)
    others = board.rows[~board.rows["engine"].isin(baselines())].iloc[1:]
    alike = [
        model_name(row) + f" on {row['feature_set']}"
        for _, row in others.iterrows()
        if p_values.get(row["model_id"], 0.0) >= 0.05
    ]
    if alike:
        yield Flag(
            "The best models do not differ significantly",
            f"{', '.join(alike)}: no significant difference from the best model (paired permutation test over groups, "
            "Holm-corrected p at least 0.05).",
        )


def _few(data: ReportData, board: Board) -> Iterator[Flag]:
    if board.best is None:
        return
    groups = board.best["n_groups"]
    if missing(board.best["low"]):
        why = (
            f"Only {count(groups)} groups were evaluated, which is too few for an interval."
            if groups < data.min_bootstrap_groups
            else "The results of the groups differ too little (nearly all right, or nearly all wrong) for a bootstrap."
        )
        right = overall(data, board.best["model_id"], "accuracy")
        known = right is not None and not missing(right["low"])
        title = f"No interval of {metric_words(board.metric)}" if known else "No intervals"
        yield Flag(title, why + (" The interval of accuracy needs fewer groups." if known else ""), True)
    elif groups < 30:
        text = f"Only {count(groups)} groups of songs were evaluated, and songs of one group have correlated results."
        yield Flag("Wide intervals", text)


def _absent(data: ReportData, board: Board) -> Iterator[Flag]:
    """Genres without songs, which means over genres leave out."""
    if board.best is None:
        return
    row = overall(data, board.best["model_id"], board.metric)
    n = None if row is None else row.get("n_absent")
    if n is not None and not missing(n) and n:
        of, metric = count(len(board.best["classes"])), metric_words(board.metric)
        text = f"{count(n)} of {of} genres have no {data.part} song. {metric} leaves them out."
        yield Flag("Genres without songs", text)


def _older(data: ReportData, board: Board) -> Iterator[Flag]:
    """Scores written by an older release, before metric definitions had versions."""
    rows = data.scores[data.scores["model_id"].isin(board.rows["model_id"]) & (data.scores["unit"] == "song")]
    old = rows[rows["metric_version"].isna()]["model_id"].nunique() if "metric_version" in rows else 0
    if old:
        text = f"Scores of {count(old)} models are from an older release, with other intervals. Run evaluate_models."
        yield Flag("Scores of two releases" if old < len(board.rows) else "Scores of an older release", text, True)


def _margins(board: Board) -> Iterator[Flag]:
    rows = board.rows[board.rows["score_kind"] == "margin"]
    if len(rows):
        names = ", ".join(model_name(row) for _, row in rows.iterrows())
        yield Flag("Margins, not probabilities", f"{names}: could not be calibrated, so there is no log loss.")


def _left_out(board: Board) -> Iterator[Flag]:
    if "left_out" not in board.rows:
        return
    known = board.rows[board.rows["left_out"].map(lambda names: names is not None and len(names) > 0)]
    for _, row in known.drop_duplicates("feature_set").iterrows():
        names = list(row["left_out"])
        more = f"; and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        text = f"{row['feature_set']}: columns that reveal the genre: {'; '.join(names[:_MOST_NAMED])}{more}."
        yield Flag("Features left out", text)


def _candidates(data: ReportData) -> Iterator[Flag]:
    counts = data.candidate_counts.set_index("status")["n"] if len(data.candidate_counts) else pd.Series(dtype=int)
    lost = {status: int(counts.get(status, 0)) for status in ("failed", "skipped") if counts.get(status, 0)}
    if lost:
        text = " and ".join(f"{count(n)} {status}" for status, n in lost.items())
        yield Flag("Candidates without a score", f"{text}; the section Training has the reasons.")


def _excluded(data: ReportData) -> Iterator[Flag]:
    n = int(data.excluded["n"].sum()) if len(data.excluded) else 0
    if n:
        yield Flag("Songs left out of the split", f"{count(n)} songs would have connected groups of different parts.")
