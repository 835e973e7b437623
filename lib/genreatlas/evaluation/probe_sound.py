"""Experiments of the step ``probe`` on changed audio: loss of accuracy by a change, and genres recognised by level."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreatlas.audio.changes import CHANGES, can_encode_mp3
from genreatlas.audio.feature_sets import FeatureSet
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.config.joined import PLUS, members_of
from genreatlas.config.probing import ApartTest
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.types import Dataset
from genreatlas.errors import InputError
from genreatlas.evaluation.confounds import Columns, HeldOutModels, Songs, majority_answers, pick_songs
from genreatlas.evaluation.probe_comparisons import Levelled, apart_rows, change_rows
from genreatlas.evaluation.probe_experiments import Probing, usable
from genreatlas.evaluation.probe_reading import SetRows, read_changed, read_set, training_songs
from genreatlas.extraction.changed import extract_changed, failures, registered_sets
from genreatlas.ids import slug
from genreatlas.values import Row

#: Change that removes differences in level.
NORMALISED = "normalised"


def changes(probing: Probing) -> Iterator[dict[str, object]]:
    """Yield rows on each change: out-of-fold models predict the changed clips."""
    for change in probing.config.probe.changes:
        try:
            yield from _one_change(probing, change)
        except InputError as error:
            yield probing.probed.left_out("change", change, str(error))


def apart(probing: Probing) -> Iterator[Row]:
    """Yield rows on how well lists of genres are separated, with and without differences in level."""
    for test in probing.config.probe.apart:
        try:
            yield from _one_apart(probing, test)
        except InputError as error:
            yield probing.probed.left_out("apart", test.name, str(error))


def _one_change(probing: Probing, change: str) -> list[dict[str, object]]:
    songs, rows = probing.learnt
    section = probing.config.probe
    picked = pick_songs(songs, section.songs, section.seed)
    sample = songs.some(picked)
    changed = _changed(probing, change, sample, rows)
    after = probing.models.answers(sample, changed.columns)
    heard = np.flatnonzero(after >= 0)
    if not len(heard):
        raise InputError(changed.why_none)
    mine = sample.some(heard)
    before = probing.answers[picked[heard]]
    words = CHANGES[change].words
    return change_rows(probing.probed, change, words, mine, before, after[heard], section.tolerance, changed.notes)


@dataclass(frozen=True)
class _Changed:
    """Values of changed clips, for songs all of whose clips could be used, and notes about other songs."""

    columns: Columns
    notes: tuple[str, ...]
    why_none: str


def _changed(probing: Probing, change: str, songs: Songs, rows: SetRows) -> _Changed:
    """Extract missing features of changed clips, and read their values.

    Raises
    ------
    InputError : the set cannot be computed from changed clips.
    """
    dataset, config, store = rows.dataset, probing.config, probing.store
    sets = _sets_here(dataset, probing)
    if change == "mp3_64" and not can_encode_mp3():
        raise InputError("MP3 is encoded by soundfile 0.13 or newer with libsndfile 1.1: pip install -U soundfile")
    ids = store.spark.createDataFrame([(one,) for one in songs.ids.tolist()], "song_id string")
    found = extract_changed(store, config, change, sets, ids)
    lost = {row["song_id"]: row["reason"] for row in failures(store, config, change).join(ids, "song_id").collect()}
    columns = read_changed(store, config, change, dataset, songs, rows.places)
    failed = np.isin(songs.ids, sorted(lost))
    columns = Columns(columns.values[~failed[columns.song]], columns.song[~failed[columns.song]])
    absent = len(songs) - len(np.unique(columns.song)) - int(failed.sum())
    notes = []
    if lost:
        notes.append(f"{_songs(len(lost))} could not be changed ({', '.join(sorted(set(lost.values())))})")
    if absent:
        notes.append(found.missing or f"the audio of {_songs(absent)} is gone")
    return _Changed(columns, tuple(notes), "; ".join(notes) or "no song of the sample has audio")


def _sets_here(dataset: Dataset, probing: Probing) -> list[FeatureSet]:
    """All probed sets that can be extracted, including the data set's own, so that a clip is decoded only once.

    Raises
    ------
    InputError : the data set's own set cannot be extracted, or was computed with another version or preprocessing.
    """
    names = members_of(dataset.feature_set)
    mine = registered_sets(names)
    if mine is None:
        raise InputError("the set is an imported table; the audio that it was computed from is not available")
    made = PLUS.join([preprocessing_id(probing.config.clip)] * len(names))
    if dataset.preprocessing_id != made or dataset.set_version != PLUS.join(one.version for one in mine):
        raise InputError(
            "its features were computed with another [clip] section, or by another release, than changed clips would be"
        )
    section = probing.config.probe.feature_sets or probing.config.train.feature_sets
    others = [one for name in section for one in registered_sets(members_of(name)) or ()]
    return list({one.name: one for one in (*mine, *others)}.values())


def _one_apart(probing: Probing, test: ApartTest) -> list[dict[str, object]]:
    """Fit and predict the genres of a list twice: on the original clips, and on clips without differences in level."""
    config, library, section = probing.config, probing.library, probing.config.probe
    known = dict(zip(library.labels.genre_id, library.labels.genre, strict=True))
    there = [genre for genre in test.genres if slug(genre) in known]
    lacking = [genre for genre in test.genres if genre not in there]
    if len(there) < 2:
        raise InputError(f"the split has no song of {', '.join(lacking)}, so fewer than two genres are left")
    # Songs of a child genre are often labelled with the parent, too: the rarest label is used.
    wanted = {"genres": tuple(there), "labels": "rarest", "level": "genre"}
    chosen = config.model_copy(update={"train": config.train.model_copy(update=wanted)})
    dataset = build_dataset(probing.snapshot, chosen, library, probing.probed.feature_set)
    every = training_songs(dataset)
    picked = every.some(pick_songs(every, section.songs, section.seed))
    read = read_set(dataset, picked, config)
    songs, columns = usable(picked, read.columns)
    rows = SetRows(dataset, read.features, read.places, columns)
    notes = [f"the split has no song of {', '.join(lacking)}"] if lacking else []
    levelled, how = _levelled(probing, songs, rows, notes)
    heard = np.unique(levelled.song)
    mine, quiet_rows = usable(songs.some(heard), levelled.of(heard))
    at = np.searchsorted(songs.ids, mine.ids)
    plain = HeldOutModels(mine, columns.of(at), "linear", section.seed).answers(mine, columns.of(at))
    without = HeldOutModels(mine, quiet_rows, "linear", section.seed).answers(mine, quiet_rows)
    level = probing.loudness(dataset, songs, rows).of(at)
    by_level = HeldOutModels(mine, level, "forest", section.seed).answers(mine, level)
    medians = [_median(level.values[mine.target[level.song] == k, 0]) for k in range(len(mine.classes))]
    quiet = _quiet(test, mine, medians)
    facts = Levelled(how, medians, quiet, tuple(notes))
    return apart_rows(
        probing.probed, test.name, mine, (plain, without, by_level, majority_answers(mine)), facts, section.tolerance
    )


def _levelled(probing: Probing, songs: Songs, rows: SetRows, notes: list[str]) -> tuple[Columns, str]:
    """Values without differences in level, and a text for the method."""
    if registered_sets(members_of(rows.dataset.feature_set)) is not None:
        changed = _changed(probing, NORMALISED, songs, rows)
        notes += changed.notes
        if not len(changed.columns.song):
            raise InputError(changed.why_none)
        return changed.columns, "with every clip brought to -23 LUFS"
    wanted = probing.config.probe.loudness_features
    kept = [place for place, name in enumerate(rows.features) if name not in wanted]
    if len(kept) == len(rows.features):
        raise InputError(
            f"the set is an imported table without any of probe.loudness_features ({', '.join(wanted)}), so nothing "
            "can be said without differences in level"
        )
    gone = ", ".join(name for name in rows.features if name in wanted)
    return Columns(rows.columns.values[:, kept], rows.columns.song), f"without the columns {gone}"


def _quiet(test: ApartTest, songs: Songs, medians: list[float]) -> int:
    """Index of the genre that may be recognised by its level alone: the configured genre, or the quietest.

    Raises
    ------
    InputError : the configured genre has too few songs, or no level is known.
    """
    if test.quiet:
        if slug(test.quiet) not in songs.classes:
            raise InputError(f"{test.quiet} has too few songs in the training part")
        return songs.classes.index(slug(test.quiet))
    if np.isnan(medians).all():
        raise InputError("the level of no song is known")
    return int(np.nanargmin(medians))


def _median(values: NDArray[np.float32]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _songs(n: int) -> str:
    return f"{n:,} song{'s' * (n != 1)}"
