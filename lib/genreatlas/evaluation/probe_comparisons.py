"""Rows of the table ``probes`` that compare a set with itself: on changed clips, without level, on another collection.

Differences are computed on the same songs. A genre counts as recognised if the interval of its recall is above the
intervals of the shares of each other genre's songs that are predicted as this genre. (Recall alone does not suffice: a
model that always predicts the genre has recall 1, and a model that predicts it as often for songs of its parent does
not separate the two.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreatlas.evaluation.confounds import Figure, IntervalSettings, Ints, Songs, figures, paired_difference
from genreatlas.evaluation.probe_results import (
    ALL,
    Probed,
    is_above,
    measured,
    overall_rows,
    percent,
    with_interval,
)
from genreatlas.metrics.intervals import Grouped
from genreatlas.values import Row


def change_rows(
    probed: Probed,
    change: str,
    words: str,
    songs: Songs,
    before: Ints,
    after: Ints,
    tolerance: float,
    notes: Sequence[str],
) -> list[dict[str, object]]:
    """Rows on the loss of accuracy by a change of the audio.

    Parameters
    ----------
    probed : common fields of the rows.
    change : name of the change.
    words : text for the change that follows "after".
    songs : songs of the experiment.
    before, after : predictions of the same models for the original and for the changed clips.
    tolerance : loss of accuracy that is tolerated, 0 to 1.
    notes : sentences about songs that were left out.
    """
    found = figures(songs, after, probed.intervals)
    hits, baseline = after == songs.target, before == songs.target
    fall = paired_difference(hits, baseline, songs.group, probed.intervals)
    same = float(np.mean(after == before))
    verdict = "holds" if fall.low >= -tolerance else "may lose"
    if fall.value < -tolerance:
        verdict = "loses"
    said = {
        "loses": f"This exceeds the tolerated loss of {points(tolerance)}",
        "holds": f"With 95 % confidence the loss is at most {points(tolerance)}",
        "may lose": f"With so few songs, a loss of more than {points(tolerance)} cannot be excluded",
    }[verdict]
    sentence = (
        f"After {words}, {probed.feature_set} predicts the right genre for {with_interval(found['accuracy', ALL])} of "
        f"{len(songs):,} songs, before for {percent(float(baseline.mean()))}: {moved(fall)}. {said}"
        f"{', but the interval includes smaller losses' if verdict == 'loses' and not fall.high < -tolerance else ''}. "
        f"{percent(same)} of the predictions are unchanged."
    )
    sentence += "".join(f" {note[:1].upper()}{note[1:]}." for note in notes)
    return overall_rows(
        probed, "change", change, songs, found, ("linear", songs, after), float(baseline.mean()),
        "the same songs, unchanged", fall, verdict, sentence,
    )  # fmt: skip


@dataclass(frozen=True)
class Levelled:
    """How differences in level were removed for a list of genres.

    Attributes
    ----------
    how : text for the method that follows "trained and evaluated".
    medians : median level of each genre; NaN if unknown.
    quiet : index of the genre that may be recognised by its level alone.
    notes : further sentences.
    """

    how: str
    medians: Sequence[float]
    quiet: int
    notes: tuple[str, ...] = ()


def apart_rows(
    probed: Probed,
    name: str,
    songs: Songs,
    answers: tuple[Ints, Ints, Ints, Ints],
    levelled: Levelled,
    tolerance: float,
) -> list[dict[str, object]]:
    """Rows on whether genres of a list are separated, and whether one of them is recognised by its level only.

    Parameters
    ----------
    probed : common fields of the rows.
    name : name of the list.
    songs : songs of the genres.
    answers : predictions from the set, from the set without differences in level, from the level alone (-1 if
        unknown), and of the most frequent genre.
    levelled : how differences in level were removed.
    tolerance : loss of recall that is tolerated, 0 to 1.
    """
    plain, without, by_level, majority = answers
    settings, n = probed.intervals, len(songs.classes)
    whole, left = figures(songs, plain, settings), figures(songs, without, settings)
    hits = {key: one == songs.target for key, one in (("plain", plain), ("without", without), ("guess", majority))}
    gain_left = paired_difference(hits["without"], hits["guess"], songs.group, settings)
    fall = paired_difference(hits["without"], hits["plain"], songs.group, settings)
    lacking = [[k for k in range(n) if not _told(songs, one, k, settings).is_told] for one in (plain, without)]
    told = "told in part" if is_above(gain_left) else "not shown"
    if not lacking[1]:
        told = "told apart"
    elif not lacking[0]:
        told = "told apart with level"
    missed = ", ".join(songs.names[k] for k in lacking[1])
    quiet = _quiet_genre(probed, songs, plain, without, by_level, levelled.quiet, tolerance)
    genre, level = songs.names[levelled.quiet], levelled.medians[levelled.quiet]
    others = [m for place, m in enumerate(levelled.medians) if place != levelled.quiet and not math.isnan(m)]
    nearest = min(others, key=lambda m: abs(m - level), default=math.nan)
    sentence = (
        f"Of {n} genres ({', '.join(songs.names)}) {probed.feature_set} predicts the right one for "
        f"{with_interval(whole['accuracy', ALL])} of {len(songs):,} songs, and trained and evaluated {levelled.how} "
        f"for {with_interval(left['accuracy', ALL])}: {moved(fall)}. Always predicting the most frequent one is right "
        f"for {percent(float(hits['guess'].mean()))}. {_TOLD[told].format(missed=missed)} "
        f"{quiet.sentence(genre, level, nearest)}"
    )
    sentence += "".join(f" {note[:1].upper()}{note[1:]}." for note in levelled.notes)
    verdict = f"{told}; {genre}: {quiet.verdict}"
    rows = overall_rows(
        probed, "apart", name, songs, left, ("linear", songs, without), float(hits["plain"].mean()),
        "the same with differences in level", fall, verdict, sentence,
    )  # fmt: skip
    for row in rows:
        if row["metric"] != "recall":
            continue
        place = songs.classes.index(row["genre_id"])
        own = songs.target == place
        lost = paired_difference(hits["without"][own], hits["plain"][own], songs.group[own], settings)
        row |= {
            "baseline": float(hits["plain"][own].mean()),
            "baseline_name": "the same with differences in level",
            **differs(lost),
        }
    return rows


_TOLD = {
    "told apart": "So each genre is separated from each other one without differences in level.",
    "told apart with level": "On the original clips each genre is separated from each other one; without differences "
    "in level this was not shown for {missed}.",
    "told in part": "Without differences in level, separation from each other genre was not shown for {missed}.",
    "not shown": "Separation of the genres without differences in level was not shown.",
}


@dataclass(frozen=True)
class _Quiet:
    """Results for the genre that may be recognised by its level alone."""

    verdict: str
    plain: Figure
    without: Figure
    fall: Figure
    #: Largest share of another genre's songs predicted as this genre, with and without level; name of that genre.
    called: tuple[float, float]
    taken: tuple[str, str]
    by_level: float

    def sentence(self, genre: str, level: float, nearest: float) -> str:
        """Sentences with the results."""
        how_loud = "" if math.isnan(level) else f" (median level {level:.1f}"
        if how_loud:
            how_loud += ")" if math.isnan(nearest) else f", the next genre's {nearest:.1f})"
        return (
            f"Of the songs of {genre}{how_loud} {with_interval(self.plain)} are recognised on the original clips and "
            f"{with_interval(self.without)} without differences in level: {moved(self.fall)}. The genre most often "
            f"mistaken for it is {self.taken[0]} ({percent(self.called[0])} of its songs) and, without differences in "
            f"level, {self.taken[1]} ({percent(self.called[1])}). From the level alone {percent(self.by_level)} of the "
            f"songs of {genre} are recognised. "
            f"{_VERDICTS[self.verdict].format(genre=genre)}"
        )


_VERDICTS = {
    "not by level": "So {genre} is separated from each other genre, and not by its level.",
    "more than level": "So {genre} is separated from each other genre by more than its level.",
    "partly by level": "So {genre} is separated from each other genre, in part by its level.",
    "by level": "So {genre} is recognised by its level; separation from each other genre without it was not shown.",
    "not shown without level": "On the original clips {genre} is separated from each other genre; without differences "
    "in level this was not shown.",
    "not shown": "Separation of {genre} from each other genre was not shown.",
}


def _quiet_genre(
    probed: Probed, songs: Songs, plain: Ints, without: Ints, by_level: Ints, place: int, tolerance: float
) -> _Quiet:
    own = songs.target == place
    before, after = (_told(songs, one, place, probed.intervals) for one in (plain, without))
    fall = paired_difference(without[own] == place, plain[own] == place, songs.group[own], probed.intervals)
    if after.is_told:
        verdict = "not by level" if fall.low >= -tolerance else "more than level"
        if fall.high < 0.0 and fall.value < -tolerance:
            verdict = "partly by level"
    elif before.is_told:
        verdict = "by level" if fall.high < 0.0 else "not shown without level"
    else:
        verdict = "not shown"
    known = by_level[own] >= 0
    alone = float(np.mean(by_level[own][known] == place)) if known.any() else math.nan
    called, taken = (before.called, after.called), (before.taken, after.taken)
    return _Quiet(verdict, before.recall, after.recall, fall, called, taken, alone)


@dataclass(frozen=True)
class _Told:
    """Recognition of a genre: its recall, and the other genre whose songs are most often predicted as it."""

    recall: Figure
    called: float  #: share of the other genre's songs that are predicted as this genre
    taken: str  #: name of the other genre
    is_told: bool


def _told(songs: Songs, answers: Ints, place: int, settings: IntervalSettings) -> _Told:
    recall = figures(songs, answers, settings)["recall", songs.classes[place]]
    others = [k for k in range(len(songs.classes)) if k != place]
    called = {k: _called(songs.some(songs.target == k), answers[songs.target == k] == place) for k in others}
    most = max(others, key=lambda k: called[k][0])
    is_told = all(recall.low > high for _, high in called.values())  # False without an interval
    return _Told(recall, called[most][0], songs.names[most], is_told)


def _called(songs: Songs, called: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of songs predicted as another genre, and the upper end of its interval."""
    _, place = np.unique(songs.group.astype(str), return_inverse=True)
    sums, sizes = (np.bincount(place, weights=one).astype(np.float64) for one in (called, np.ones(len(songs))))
    return float(called.mean()), float(Grouped.of(sums, sizes).interval()[1][0])


def transfer_rows(
    probed: Probed,
    names: tuple[str, str],
    songs: Songs,
    answers: tuple[Ints, Ints, Ints],
    n_learnt: tuple[int, int],
) -> list[dict[str, object]]:
    """Rows on predictions for one collection by models trained on another, compared with models of its own.

    Parameters
    ----------
    probed : common fields of the rows.
    names : name of the other collection, which was trained on, and of the collection of ``songs``.
    songs : songs that are predicted.
    answers : predictions by models of the other collection, by models of the own collection, and of the most frequent
        genre of the own collection.
    n_learnt : number of training songs in the other and in the own collection.
    """
    over, within, majority = answers
    found = figures(songs, over, probed.intervals)
    hits, own = over == songs.target, within == songs.target
    fall = paired_difference(hits, own, songs.group, probed.intervals)
    gain = paired_difference(hits, majority == songs.target, songs.group, probed.intervals)
    verdict = "transfers, with a loss" if fall.high < 0.0 else "transfers"
    if not is_above(gain):
        verdict = "not shown"
    said = {
        "not shown": "It was not shown to predict the genres of the other collection.",
        "transfers, with a loss": "So the model transfers to the other collection, with a loss of accuracy.",
        "transfers": "So the model transfers to the other collection; a loss of accuracy was not shown.",
    }[verdict]
    sentence = (
        f"Trained on {n_learnt[0]:,} songs of {names[0]}, {probed.feature_set} predicts the right one of "
        f"{len(songs.classes)} genres for {with_interval(found['accuracy', ALL])} of {len(songs):,} songs of "
        f"{names[1]}; trained on {n_learnt[1]:,} songs of {names[1]} itself, for {percent(float(own.mean()))}: "
        f"{moved(fall)}. {said}"
    )
    return overall_rows(
        probed, "transfer", f"{names[0]} to {names[1]}", songs, found, ("linear", songs, over), float(own.mean()),
        f"trained on {names[1]}", fall, verdict, sentence,
    )  # fmt: skip


def differs(difference: Figure) -> Row:
    """Columns of a difference; NaN becomes NULL."""
    row = measured(difference)
    columns = {"difference": row["value"], "difference_low": row["low"], "difference_high": row["high"]}
    known = {name: None if math.isnan(value) else value for name, value in columns.items()}
    return known | {"difference_method": row["interval_method"]}


def points(share: float) -> str:
    """Format a share as ``2 points``."""
    return f"{100 * share:g} points"


def moved(difference: Figure) -> str:
    """Format a difference as ``1.5 points less (-3.0 to 0.1)``, or with a remark that there is no interval."""
    size = round(100 * abs(difference.value), 1)
    words = f"{size:.1f} points {'less' if difference.value < 0 else 'more'}" if size else "no difference"
    if math.isnan(difference.low):
        return f"{words} (too few groups for an interval)"
    low, high = (f"{round(100 * end, 1) + 0.0:.1f}" for end in (difference.low, difference.high))
    return f"{words} ({low} to {high})"
