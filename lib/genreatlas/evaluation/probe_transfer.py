"""Experiment of the step ``probe`` on collections: train on one, test on another, compare with training on the latter.

Both models predict the same songs, and neither was fitted on songs of the same fold in any collection; the songs of an
artist who is in both collections are in one fold.
"""

from collections.abc import Iterator
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from genreatlas.datasets.fetching import fetch
from genreatlas.errors import InputError
from genreatlas.evaluation.confounds import HeldOutModels, Songs, majority_answers, pick_songs, with_classes
from genreatlas.evaluation.probe_comparisons import transfer_rows
from genreatlas.evaluation.probe_experiments import LEAST_SONGS, Probing, usable
from genreatlas.evaluation.probe_reading import read_set
from genreatlas.tables import SONGS

#: Maximum number of collections that are compared; those with the most songs are used.
MOST_COLLECTIONS = 3


def transfer(probing: Probing) -> Iterator[dict[str, object]]:
    """Yield rows for each ordered pair of collections, or one row with the reason if there is only one collection."""
    every = probing.every_song
    of, names = _collections(probing, every)
    if len(names) < 2:
        only = f", {names[0]}" if names else ""
        yield probing.probed.left_out("transfer", "transfer", f"all songs come from one collection{only}")
        return
    for one, other in permutations(range(len(names)), 2):
        try:
            yield from _one_transfer(probing, every, of, (one, other), (names[one], names[other]))
        except InputError as error:
            yield probing.probed.left_out("transfer", f"{names[one]} to {names[other]}", str(error))


def _one_transfer(
    probing: Probing, every: Songs, of: NDArray[np.int64], pair: tuple[int, int], names: tuple[str, str]
) -> list[dict[str, object]]:
    section = probing.config.probe
    counts = [np.bincount(every.target[of == one], minlength=len(every.classes)) for one in pair]
    shared = np.flatnonzero((counts[0] >= LEAST_SONGS) & (counts[1] >= LEAST_SONGS)).tolist()
    if len(shared) < 2:
        raise InputError(f"fewer than two genres have {LEAST_SONGS} songs in both collections")
    both = with_classes(every.some((of == pair[0]) | (of == pair[1])), shared)
    source = of[np.searchsorted(every.ids, both.ids)]
    parts = [np.flatnonzero(source == one) for one in pair]
    picked = [part[pick_songs(both.some(part), section.max_songs, section.seed)] for part in parts]
    chosen = both.some(np.sort(np.concatenate(picked)))
    read = read_set(probing.dataset, chosen, probing.config).columns
    songs, columns = usable(chosen, read, least=1)
    if songs.classes != both.classes:
        raise InputError("a genre has no features in either collection")
    source = of[np.searchsorted(every.ids, songs.ids)]
    learnt, judged = (np.flatnonzero(source == one) for one in pair)
    folds = np.unique(songs.fold).tolist()
    theirs, own = songs.some(learnt), songs.some(judged)
    over = HeldOutModels(theirs, columns.of(learnt), "linear", section.seed, folds).answers(own, columns.of(judged))
    within = HeldOutModels(own, columns.of(judged), "linear", section.seed).answers(own, columns.of(judged))
    answers = (over, within, majority_answers(own))
    return transfer_rows(probing.probed, names, own, answers, (len(theirs), len(own)))


def _collections(probing: Probing, songs: Songs) -> tuple[NDArray[np.int64], list[str]]:
    """Index of each song's collection (-1 for small ones) and their names; each folder is a collection."""
    folder = F.when(F.col("source") == "folder", F.concat(F.lit("folder "), F.col("listed_in")))
    rows = probing.snapshot.read(SONGS).select("song_id", F.coalesce(folder, "source").alias("collection"))
    found = fetch(rows, "song_id", probing.config.store.max_commit_mb).to_pandas().set_index("song_id")
    mine = found["collection"].reindex(songs.ids).fillna("").to_numpy(dtype=str)
    names, counts = np.unique(mine[mine != ""], return_counts=True)
    largest = np.sort(np.argsort(-counts, kind="stable")[:MOST_COLLECTIONS])
    index = {name: place for place, name in enumerate(names[largest].tolist())}
    return np.array([index.get(name, -1) for name in mine.tolist()], dtype=np.int64), list(index)
