"""A model together with the songs that it is judged on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.errors import GenreAtlasError, InputError, ModelError
from genreatlas.models import registry
from genreatlas.models.labels import roots
from genreatlas.models.library import read_library
from genreatlas.models.types import Dataset
from genreatlas.store import Store


@dataclass(frozen=True)
class Case:
    """One model and the songs of the judged part.

    ``songs`` has song_id (sorted), group_id, part and genres (list); ``parents`` is empty unless a
    genre of the model has a parent above it.
    """

    model: Mapping[str, Any]
    dataset: Dataset
    songs: pd.DataFrame
    parents: Mapping[str, str]

    @property
    def model_id(self) -> str:
        """Id of the model."""
        return str(self.model["model_id"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Genre ids in the order of the scores."""
        return self.dataset.classes

    @property
    def multi(self) -> bool:
        """Whether songs have several genres at once."""
        return self.dataset.multi

    def clips(self, songs: DataFrame) -> DataFrame:
        """Clips with features of the given songs (a frame with song_id)."""
        return self.dataset.frame.join(songs.select("song_id"), "song_id", "left_semi")


def find_cases(
    store: Store, config: Config, models: Sequence[Mapping[str, Any]]
) -> tuple[list[Case], dict[str, GenreAtlasError]]:
    """Join every model with the songs that its features, genres and the split give it now.

    Songs and genres follow the newest split and labels; classes, columns, version, preprocessing and
    the rules of ``[train]`` are the model's own.

    Returns
    -------
    cases in the order of ``models``, and for every model that cannot be joined the reason.
    """
    library = read_library(store, config)
    tops = {genre: top for genre, (top, _) in roots(library.parents).items()}
    datasets: dict[str, Dataset] = {}
    cases: list[Case] = []
    failed: dict[str, GenreAtlasError] = {}
    for model in models:
        try:
            meta = registry.read_meta(model, config)
            # Models that agree in all of this see the same rows: most baselines, and the engines of one set.
            alike = repr((meta.songs_of, meta.feature_set, meta.set_version, meta.preprocessing_id, meta.classes,
                          meta.features, sorted(meta.train.items())))  # fmt: skip
            if alike not in datasets:
                datasets[alike] = registry.dataset_of(store, config, model, library)
        except (InputError, ModelError) as error:
            failed[str(model["model_id"])] = error
            continue
        dataset = datasets[alike]
        with_parents = dataset.level == "genre" and any(genre in tops for genre in dataset.classes)
        songs = _judged_songs(dataset, config.evaluate.part, own=meta.songs_of[0] == meta.feature_set)
        cases.append(Case(model, dataset, songs, tops if with_parents else {}))
    return cases, failed


def _judged_songs(dataset: Dataset, part: str, own: bool) -> pd.DataFrame:
    songs = dataset.songs[dataset.songs["part"] == part]
    if not own:  # such as songs without a file, of which nothing technical is known
        present = dataset.frame.where(F.col("part") == part).select("song_id").distinct().toPandas()
        songs = songs[songs["song_id"].isin(present["song_id"])]
    rows = songs[["song_id", "group_id", "part"]].assign(genres=songs["genres"].map(list))
    return rows.sort_values("song_id", ignore_index=True)
