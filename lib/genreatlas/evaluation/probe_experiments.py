"""Experiments of the step ``probe`` on one feature set: shared data and models, confounds alone, and artists."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from genreatlas.audio.feature_sets import ALWAYS
from genreatlas.config import Config
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.feature_tables import TECHNICAL, known_feature_sets
from genreatlas.datasets.library import Library, read_ties
from genreatlas.datasets.types import Dataset
from genreatlas.datasets.years import read_years
from genreatlas.errors import InputError
from genreatlas.evaluation.confounds import (
    Columns,
    HeldOutModels,
    IntervalSettings,
    Ints,
    Songs,
    artist_folds,
    largest_classes,
    majority_answers,
    pick_songs,
    with_classes,
)
from genreatlas.evaluation.probe_reading import SetRows, read_artists, read_beside, read_set, training_songs
from genreatlas.evaluation.probe_results import ITSELF, Probed, alone_rows, artist_rows, music_rows
from genreatlas.store import Snapshot, Store
from genreatlas.tables import CLIPS, SONG_ARTISTS, SONGS
from genreatlas.values import Row

#: Minimum number of songs of an artist; half of them are used for training.
ARTIST_SONGS = 4
MOST_ARTISTS = 50
#: Minimum number of songs of a genre, and of its songs with a known value of the confound.
LEAST_SONGS = 5
#: Feature set with the loudness of clips.
LOUDNESS = ALWAYS[0]

Rows = list[Row]


class Probing:
    """Experiments on one feature set; shared data and models are read and fitted once.

    Parameters
    ----------
    store : tables are read at fixed versions; features of changed clips are written to it.
    config : configuration for one genre per song (:func:`.probe_reading.single_labels`).
    library : songs, labels and split.
    feature_set : feature set to probe.

    Raises
    ------
    ConfigError : the store has no such set.
    InputError : fewer than two genres have enough songs.
    """

    def __init__(self, store: Store, config: Config, library: Library, feature_set: str) -> None:
        self.store = store
        self.config = config
        self.library = library
        self.snapshot = Snapshot(store, library.versions)
        self.dataset = build_dataset(self.snapshot, config, library, feature_set)
        evaluate = config.evaluate
        self.probed = Probed(
            split=library.split,
            split_version=library.split_version,
            grouping=library.grouping,
            feature_set=feature_set,
            set_version=self.dataset.set_version,
            preprocessing_id=self.dataset.preprocessing_id,
            seed=config.probe.seed,
            intervals=IntervalSettings(
                evaluate.bootstrap, evaluate.min_groups, evaluate.min_bootstrap_groups, evaluate.seed
            ),
        )

    @property
    def versions(self) -> Mapping[str, int]:
        """Delta version of every table that the experiments read."""
        for table in (CLIPS, SONGS, SONG_ARTISTS, f"features_{LOUDNESS}"):
            self.snapshot.version(table)
        return self.snapshot.read_versions | self.dataset.input_versions

    @cached_property
    def every_song(self) -> Songs:
        """Songs of the training part, of the ``probe.max_genres`` largest genres."""
        return largest_classes(training_songs(self.dataset), self.config.probe.max_genres)

    @cached_property
    def learnt(self) -> tuple[Songs, SetRows]:
        """Songs to train on, at most ``probe.max_songs``, and their rows of the set."""
        section = self.config.probe
        chosen = self.every_song.some(pick_songs(self.every_song, section.max_songs, section.seed))
        rows = read_set(self.dataset, chosen, self.config)
        songs, columns = usable(chosen, rows.columns)
        return songs, SetRows(rows.dataset, rows.features, rows.places, columns)

    @cached_property
    def models(self) -> HeldOutModels:
        """Models fitted on the set, one for each fold."""
        songs, rows = self.learnt
        return HeldOutModels(songs, rows.columns, "linear", self.config.probe.seed)

    @cached_property
    def answers(self) -> Ints:
        """Out-of-fold predictions of :attr:`models` for the songs of :attr:`learnt`."""
        songs, rows = self.learnt
        return self.models.answers(songs, rows.columns)

    def loudness(self, dataset: Dataset, songs: Songs, rows: SetRows) -> Columns:
        """Loudness of songs: the set ``loudness``, whose first column is in LUFS, or columns of an imported table.

        Raises
        ------
        InputError : the store has neither.
        """
        if LOUDNESS in known_feature_sets(self.snapshot):
            return read_beside(self.snapshot, self.config, self.library, LOUDNESS, dataset, songs)
        wanted = self.config.probe.loudness_features
        places = [place for place, feature in enumerate(rows.features) if feature in wanted]
        if not places:
            raise InputError(
                f"no clip has the set {LOUDNESS}, and none of probe.loudness_features ({', '.join(wanted)}) is a "
                "column of this one"
            )
        return Columns(rows.columns.values[:, places], rows.columns.song)


def alone(probing: Probing) -> Iterator[Row]:
    """Yield rows on the set itself, then on each confound alone, on the same songs."""
    try:
        songs, _ = probing.learnt
        yield from music_rows(probing.probed, songs, probing.answers, majority_answers(songs))
    except InputError as error:
        yield probing.probed.left_out("music", ITSELF, str(error))
        return
    for name, read in {"loudness": _loudness, "format": _format, "year": _year}.items():
        try:
            yield from _one_alone(probing, name, read(probing))
        except InputError as error:
            yield probing.probed.left_out("alone", name, str(error))


def _one_alone(probing: Probing, name: str, columns: Columns) -> Rows:
    songs, rows = probing.learnt
    seed = probing.config.probe.seed
    mine, values = usable(songs, columns)
    answers = HeldOutModels(mine, values, "forest", seed).answers(mine, values)
    at = np.searchsorted(songs.ids, mine.ids)
    music = probing.answers[at]
    if mine.classes != songs.classes:  # fit the set again on the same, fewer genres
        heard = rows.columns.of(at)
        music = HeldOutModels(mine, heard, "linear", seed).answers(mine, heard)
    return alone_rows(probing.probed, name, mine, answers, majority_answers(mine), music, len(songs))


def _loudness(probing: Probing) -> Columns:
    return probing.loudness(probing.dataset, *probing.learnt)


def _format(probing: Probing) -> Columns:
    if TECHNICAL not in known_feature_sets(probing.snapshot):
        raise InputError("there are no clips, so no file formats are known")
    songs, _ = probing.learnt
    return read_beside(probing.snapshot, probing.config, probing.library, TECHNICAL, probing.dataset, songs)


def _year(probing: Probing) -> Columns:
    songs, _ = probing.learnt
    store, config = probing.snapshot, probing.config
    years = read_years(store, config, read_ties(store, config), pd.Series(songs.ids))
    known = np.flatnonzero(~np.isnan(years))
    if not len(known):
        raise InputError("the year of no song is known")
    return Columns(years[known, None].astype(np.float32), known.astype(np.int64))


def artist(probing: Probing) -> Iterator[Row]:
    """Yield rows on how well artists are predicted from other songs of theirs."""
    section, every = probing.config.probe, probing.every_song
    try:
        artists = read_artists(probing.snapshot, every, probing.config)
        found = artist_folds(every, artists, ARTIST_SONGS, MOST_ARTISTS, section.seed)
        if found is None:
            known = len(set(artists.values()))
            raise InputError(
                f"fewer than two of {known} artists that are known have {ARTIST_SONGS} songs in the training part"
            )
        songs = found.some(pick_songs(found, section.max_songs, section.seed))
        songs, columns = usable(songs, read_set(probing.dataset, songs, probing.config).columns, least=2)
        answers = HeldOutModels(songs, columns, "linear", section.seed).answers(songs, columns)
    except InputError as error:
        yield probing.probed.left_out("artist", "artist", str(error))
        return
    genre = every.target[np.searchsorted(every.ids, songs.ids)]
    yield from artist_rows(probing.probed, songs, answers, genre, len(every))


def usable(songs: Songs, columns: Columns, least: int = LEAST_SONGS) -> tuple[Songs, Columns]:
    """Select songs with rows, of classes with at least ``least`` such songs.

    Raises
    ------
    InputError : fewer than two such classes are left.
    """
    known = np.unique(columns.song)
    counts = np.bincount(songs.target[known], minlength=len(songs.classes))
    enough = counts >= least
    if enough.sum() < 2:
        raise InputError(f"fewer than two genres have {least} songs of which this is known")
    kept = known[enough[songs.target[known]]]
    return with_classes(songs.some(kept), np.flatnonzero(enough).tolist()), columns.of(kept)
