"""Rows of the table ``probes``: results of experiments on confounds, with a verdict and a sentence.

Verdicts follow from intervals: ``tells`` requires that the interval is above the accuracy of guessing; without an
interval (too few groups) the verdict is ``not shown``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from genreatlas.arrays import AnyArray
from genreatlas.evaluation.confounds import (
    ESTIMATORS,
    EstimatorName,
    Figure,
    IntervalSettings,
    Ints,
    Songs,
    figures,
    paired_difference,
)
from genreatlas.ids import stable_id
from genreatlas.values import Row

#: Version of the experiments. Increase it when results change for the same input, so that all are repeated.
VERSION = 1
ALL = "*"
#: Name of the experiment on the set itself.
ITSELF = "itself"
#: Confound = description for sentences.
CONFOUNDS = {
    "loudness": "the loudness of the clips",
    "format": "the encoding of the files (codec, bit rate, sample rate, channels, length, provider)",
    "year": "the year of release",
}
#: Grouping of splits that do not divide artists.
SAFE = "artist-safe"
_OF_NEW = {True: " of artists that were not trained on", False: " that were not trained on"}
#: Minimum share of a set's gain over guessing that a confound alone reaches, for the verdict ``tells most``.
MOST = 0.5


@dataclass(frozen=True)
class Probed:
    """Common fields of the rows of one feature set, named as in the table."""

    split: str
    split_version: int
    grouping: str
    feature_set: str
    set_version: str
    preprocessing_id: str
    seed: int
    intervals: IntervalSettings

    def row(self, kind: str, name: str, metric: str = "accuracy", genre_id: str = ALL, **values: object) -> Row:
        """Build a row; NaN becomes NULL."""
        about = {
            "split": self.split,
            "kind": kind,
            "name": name,
            "feature_set": self.feature_set,
            "metric": metric,
            "genre_id": genre_id,
            "set_version": self.set_version,
            "preprocessing_id": self.preprocessing_id,
            "split_version": self.split_version,
            "grouping": self.grouping,
            "seed": self.seed,
        }
        known = {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in values.items()}
        return about | known

    def left_out(self, kind: str, name: str, why: str) -> Row:
        """Build the row of an experiment that is not possible; ``why`` is a sentence without its full stop."""
        return self.row(
            kind,
            name,
            probe_id=stable_id(VERSION, kind, name, self.feature_set, why),
            model="none",
            n_songs=0,
            n_artists=0,
            n_genres=0,
            verdict="left out",
            sentence=f"Left out: {why.rstrip('.')}.",
        )


def music_rows(probed: Probed, songs: Songs, answers: Ints, majority: Ints) -> list[dict[str, object]]:
    """Rows on the feature set itself on held-out songs, the reference of other experiments."""
    found = figures(songs, answers, probed.intervals)
    gain = paired_difference(answers == songs.target, majority == songs.target, songs.group, probed.intervals)
    accuracy, guessed = found["accuracy", ALL], float(np.mean(majority == songs.target))
    tells = is_above(gain)
    sentence = (
        f"{probed.feature_set} predicts the right one of {len(songs.classes)} genres for {with_interval(accuracy)} of "
        f"{len(songs):,} songs{_OF_NEW[probed.grouping == SAFE]}; always predicting the most frequent genre is right "
        f"for {percent(guessed)}."
    )
    return overall_rows(
        probed, "music", ITSELF, songs, found, ("linear", songs, answers), guessed, "most frequent genre", gain,
        "tells" if tells else "not shown", sentence,
    )  # fmt: skip


def alone_rows(
    probed: Probed, name: str, songs: Songs, answers: Ints, majority: Ints, music: Ints, n_all: int
) -> list[dict[str, object]]:
    """Rows on a confound alone, on the same songs as the set.

    Parameters
    ----------
    probed : common fields of the rows.
    name : name of the confound.
    songs : songs with a known value of the confound.
    answers, majority, music : predictions from the confound, of the most frequent genre, and from the set.
    n_all : number of songs of the set.
    """
    found = figures(songs, answers, probed.intervals)
    hits, guesses, heard = (one == songs.target for one in (answers, majority, music))
    gain = paired_difference(hits, guesses, songs.group, probed.intervals)
    accuracy, guessed, reached = found["accuracy", ALL], float(np.mean(guesses)), float(np.mean(heard))
    verdict = "tells" if is_above(gain) else "not shown"
    sentence = (
        f"From {CONFOUNDS[name]} alone, a small random forest predicts the right one of {len(songs.classes)} "
        f"genres for {with_interval(accuracy)} of {len(songs):,} songs; always predicting the most frequent genre is "
        f"right for {percent(guessed)}, {probed.feature_set} for {percent(reached)}."
    )
    if verdict == "tells" and reached > guessed:
        part = gain.value / (reached - guessed)
        if part >= MOST:
            verdict = "tells most"
        sentence += (
            f" It alone reaches {percent(part)} of the set's gain over guessing, so how much of that is music is "
            "not known."
            if part >= MOST
            else f" That is {percent(part)} of the set's gain over guessing."
        )
    elif verdict == "not shown":
        sentence += " It was not shown to predict genres."
    if n_all > len(songs):
        sentence += f" It is not known of {n_all - len(songs):,} songs, which are left out here."
    return overall_rows(
        probed, "alone", name, songs, found, ("forest", songs, answers), guessed, "most frequent genre", gain, verdict,
        sentence,
    )  # fmt: skip


def artist_rows(probed: Probed, artists: Songs, answers: Ints, genre: AnyArray, n_songs: int) -> list[Row]:
    """Rows on how well artists are predicted from the other half of their songs.

    Parameters
    ----------
    probed : common fields of the rows.
    artists : songs whose class is the artist; folds are the halves.
    answers : predicted artists.
    genre : genre of each song.
    n_songs : number of songs of all artists.
    """
    found = figures(artists, answers, probed.intervals)
    # Reference: guessing among the artists of the song's genre.
    of_genre = {one: len(set(artists.target[genre == one].tolist())) for one in set(genre.tolist())}
    chance = np.array([1.0 / of_genre[one] for one in genre.tolist()])
    gain = paired_difference(answers == artists.target, chance, artists.group, probed.intervals)
    accuracy, guessed = found["accuracy", ALL], float(chance.mean())
    tells = is_above(gain)
    sentence = (
        f"{probed.feature_set} predicts the right one of {len(artists.classes)} artists for {with_interval(accuracy)} "
        f"of {len(artists):,} songs, trained on other songs of each artist; guessing among the artists of the right "
        f"genre is right for {percent(guessed)}."
    )
    sentence += (
        " So the set also recognises artists, and its scores on a split that divides artists would be too high."
        if tells
        else " It was not shown to recognise more of an artist than the genre."
    )
    if n_songs > len(artists):
        sentence += (
            f" {n_songs - len(artists):,} songs are by artists with too few songs or by artists that were not selected."
        )
    rows = overall_rows(
        probed, "artist", "artist", artists, found, ("linear", artists, answers), guessed,
        "artists of the right genre", gain, "tells" if tells else "not shown", sentence,
    )  # fmt: skip
    return [row for row in rows if row["metric"] == "accuracy"]  # no recall per artist, to keep the table small


def overall_rows(
    probed: Probed,
    kind: str,
    name: str,
    songs: Songs,
    found: Mapping[tuple[str, str], Figure],
    made: tuple[EstimatorName, Songs, Ints],
    baseline: float,
    baseline_name: str,
    difference: Figure,
    verdict: str,
    sentence: str,
) -> list[Row]:
    """Build the row of the accuracy with baseline and difference, then rows of macro-F1 and each genre's recall."""
    estimator, learnt, answers = made
    probe_id = stable_id(
        VERSION, kind, name, probed.feature_set, probed.set_version, probed.preprocessing_id, estimator, probed.seed,
        learnt.classes, *learnt.ids.tolist(), *learnt.fold.tolist(), *answers.tolist(),
    )  # fmt: skip
    shared: Row = {
        "probe_id": probe_id,
        "model": ESTIMATORS[estimator],
        "n_genres": len(songs.classes),
        "verdict": verdict,
        "sentence": sentence,
    }
    n_groups = len(set(songs.group.tolist()))
    whole = shared | {"n_songs": len(songs), "n_artists": n_groups}
    compared: Row = {
        "baseline": baseline,
        "baseline_name": baseline_name,
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "difference_method": difference.method,
    }
    rows = [
        probed.row(kind, name, "accuracy", **whole, **measured(found["accuracy", ALL]), **compared),
        probed.row(kind, name, "macro_f1", **whole, **measured(found["macro_f1", ALL])),
    ]
    for place, genre_id in enumerate(songs.classes):
        mine = songs.target == place
        if not mine.any():
            continue
        counted = {"n_songs": int(mine.sum()), "n_artists": len(set(songs.group[mine].tolist()))}
        figure = measured(found["recall", genre_id])
        rows.append(
            probed.row(kind, name, "recall", genre_id, genre=songs.names[place], **(shared | counted), **figure)
        )
    return rows


def measured(figure: Figure) -> Row:
    """Columns of a value and its interval."""
    figure = replace(figure, method=figure.method if isinstance(figure.method, str) else None)
    return {"value": figure.value, "low": figure.low, "high": figure.high, "interval_method": figure.method}


def is_above(difference: Figure) -> bool:
    """Whether the interval is above 0; False without an interval."""
    return difference.low > 0.0


def percent(share: float) -> str:
    """Format a share as ``36.5 %``."""
    return f"{round(100 * share, 1) + 0.0:.1f} %"


def with_interval(figure: Figure) -> str:
    """Format a share as ``36.5 % (30.1 to 43.0 %)``, or with a remark that there is no interval."""
    if math.isnan(figure.low):
        return f"{percent(figure.value)} (too few groups for an interval)"
    return f"{percent(figure.value)} ({percent(figure.low)[:-2]} to {percent(figure.high)})"
