"""Two stored models on the same songs of the promotion part."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import Row
from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.errors import InputError
from genreatlas.evaluation.duel import Duel, Figures, Rules, Songs, judge, same_songs, several_labels, single_label
from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.evaluation.songs import scores_by_song
from genreatlas.ids import stable_id
from genreatlas.metrics import metric_for, version_of
from genreatlas.models import registry
from genreatlas.models.dataset import Fixed, build_dataset
from genreatlas.models.fetching import fetch
from genreatlas.models.library import Library, read_library
from genreatlas.store import Store
from genreatlas.tables import SPLITS

PART = "promotion"

#: Pairs of song and genre whose scores are compared where songs have several genres: 160 MB a model.
_MAX_PAIRS = 20_000_000


@dataclass(frozen=True)
class Contest:
    """What came out on all songs, and on those whose genre and group the champion knew."""

    everything: Duel
    known: Duel
    split_version: int
    evidence_id: str


def compete(store: Store, config: Config, champion: Row, challenger: Row, rules: Rules) -> Contest:
    """Let both models judge the songs of the promotion part that both have features of.

    Songs and their genres follow the newest split and labels and the challenger's ``[train]`` rules; classes are
    those of either model, so a model is wrong on every song of a genre that it does not know.

    Raises
    ------
    InputError : the models were trained with different splits, so that one may know the other's promotion part.
    ModelError : a model's files are missing, or its features are no longer there.
    """
    if champion["split"] != challenger["split"]:
        raise InputError(
            f"The champion {champion['model_id']} was trained with the split {champion['split']!r}, and may know songs "
            f"of the promotion part of {challenger['split']!r}. Choose by hand: rollback --set "
            f"rollback.model_id={challenger['model_id']}"
        )
    library = read_library(store, config)
    classes = tuple(sorted({*champion["classes"], *challenger["classes"]}))
    train = registry.read_meta(challenger, config).train_section()
    answers = [
        _Answers(store, config.model_copy(update={"train": train}), row, library, classes)
        for row in (champion, challenger)
    ]
    common = answers[0].songs.merge(answers[1].songs[["song_id"]], on="song_id").sort_values("song_id")
    multi = train.labels == "multi"
    if multi:
        common = _bounded(common, len(classes))
    metric = metric_for(config.train.metric, multi)
    metric = "macro_average_precision" if multi else metric
    definition = (metric,) if version_of(metric) == 1 else (metric, version_of(metric))
    groups = _groups_until(store, champion)
    familiar = common.genres.map(lambda genres: bool(set(genres) & set(champion["classes"])))
    known = common[familiar & common.group_id.isin(groups)]
    facts = common[["song_id", "group_id", "genres"]].to_csv(index=False)
    return Contest(
        everything=_duel(common, answers, classes, metric, multi, rules, frozenset(champion["classes"])),
        known=_duel(known, answers, classes, metric, multi, rules, frozenset(champion["classes"])),
        split_version=library.split_version,
        evidence_id=stable_id(champion["model_id"], challenger["model_id"], facts, *definition, rules),
    )


class _Answers:
    """What one model says of the promotion part.

    Attributes
    ----------
    songs : song_id, group_id, genres; of those with features.
    """

    def __init__(self, store: Store, config: Config, row: Row, library: Library, classes: tuple[str, ...]) -> None:
        meta = registry.read_meta(row, config)
        fixed = Fixed(meta.set_version, meta.preprocessing_id, classes, meta.features)
        dataset = build_dataset(store, config, library, meta.feature_set, fixed=fixed)
        predictor = registry.load(row, config)
        by_song = scores_by_song(predictor.predict(dataset.frame.where(F.col("part") == PART)))
        self.songs = dataset.songs.loc[dataset.songs.part == PART, ["song_id", "group_id", "genres"]]
        self._places = np.array([classes.index(genre) for genre in predictor.classes])
        self._by_song = by_song
        self._max_mb = config.store.max_commit_mb
        self._n_classes = len(classes)
        self._best: pd.Series | None = None

    def best(self, songs: pd.Series) -> NDArray[np.int64]:
        """Index of the genre that each song is called."""
        if self._best is None:
            found = fetch(self._by_song.select("song_id", "best"), "song_id", self._max_mb).to_pandas()
            self._best = found.set_index("song_id")["best"]
        return self._places[self._best.loc[songs].to_numpy() - 1]

    def scores(self, songs: pd.Series) -> NDArray[np.float64]:
        """Score of every genre, (n, n_classes); 0 for genres that the model does not know."""
        width = len(self._places)
        found = fetch(self._by_song.select("song_id", "means"), "song_id", self._max_mb, 60 + 8 * width).to_pandas()
        full = np.zeros((len(songs), self._n_classes))
        if len(songs):
            full[:, self._places] = np.stack(found.set_index("song_id")["means"].loc[songs].tolist())
        return full


def _duel(
    rows: pd.DataFrame,
    answers: list[_Answers],
    classes: tuple[str, ...],
    metric: str,
    multi: bool,
    rules: Rules,
    guarded: frozenset[str],
) -> Duel:
    place = {genre: number for number, genre in enumerate(classes)}
    _, group = np.unique(rows.group_id.to_numpy(str), return_inverse=True)
    sides: list[Figures] = []
    if multi:
        truth = np.zeros((len(rows), len(classes)), dtype=bool)
        for number, genres in enumerate(rows.genres):
            truth[number, [place[genre] for genre in genres]] = True
        songs = Songs(classes, truth, group, guarded)
        sides = [several_labels(one.scores(rows.song_id), songs) for one in answers]
    else:
        right = np.array([place[genres[0]] for genres in rows.genres], dtype=np.int64)
        songs = Songs(classes, same_songs(classes, right), group, guarded)
        ids = rows.group_id.to_numpy(str)
        sides = [single_label(Outcomes.of(classes, right, one.best(rows.song_id), ids), metric) for one in answers]
    return judge(sides[0], sides[1], songs, metric, rules)


def _bounded(songs: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Whole groups in a fixed pseudo-random order, as many as the driver can rank."""
    most = _MAX_PAIRS // n_classes
    if len(songs) <= most:
        return songs
    order = songs.group_id.map(lambda group: stable_id("promotion", group))
    ranked = songs.assign(order=order).sort_values(["order", "song_id"])
    whole = ranked.groupby("order", sort=False).size().cumsum()
    return ranked[ranked["order"].isin(whole.index[whole <= most])].drop(columns="order").sort_values("song_id")


def _groups_until(store: Store, champion: Row) -> set[str]:
    """Groups that were in the split when the champion was trained."""
    rows = store.read(SPLITS).where(
        (F.col("split") == champion["split"]) & (F.col("split_version") <= champion["split_version"])
    )
    return {row[0] for row in rows.select("group_id").distinct().collect()}
