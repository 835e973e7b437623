"""Analyse an audio file for its page: genres, reasons, features and similar songs."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genreatlas.audio.feature_sets import Registered, registered
from genreatlas.audio.isolation import run_isolated, time_for
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.audio.whole_files import Recipe, check_recipe
from genreatlas.config import Config, former
from genreatlas.config.joined import members_of
from genreatlas.errors import ClipError, ModelError, Reason
from genreatlas.ids import stable_id
from genreatlas.models.confidence import most_genres
from genreatlas.models.one_file import Loaded, calibrated, load, score
from genreatlas.neighbours.ranking import Ranking
from genreatlas.neighbours.space import Space, expected_distance, similarity, to_vectors
from genreatlas.values import JsonObject
from genreatlas.web import extract as files
from genreatlas.web.hearing import Heard, hear
from genreatlas.web.published import Extract

_SIMILAR = 12
#: Additional neighbours to look up, because copies of a recording are removed.
_COPIES = 24
_GENRES = 12
_REASONS = 6


@dataclass(frozen=True)
class Analyst:
    """Model, feature recipes and similarity search for analyses with one extract; a new extract needs a new Analyst.

    Parameters
    ----------
    found : the extract.
    models : folder of the models.
    config : the configuration.
    """

    found: Extract
    models: Path
    config: Config

    @cached_property
    def model(self) -> Loaded:
        """The model of the extract.

        Raises
        ------
        ModelError : the extract has no model, or the model cannot be used here.
        """
        facts = self.found.facts["model"]
        if facts is None:
            raise ModelError(f"files cannot be analysed: {self.found.facts['model_reason']}")
        loaded = load(self.models.absolute(), facts["model_id"])
        meta = loaded.meta
        check_recipe(meta.model_id, meta.set_version, meta.preprocessing_id, self._recipe_of_model(loaded))
        return loaded

    def _recipe_of_model(self, loaded: Loaded) -> Recipe:
        meta = loaded.meta
        networks = Registered((), loaded.brought)
        return Recipe(meta.feature_set, meta.clip_section(), self.config.limits, meta.features, registered=networks)

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """Feature recipes for the model, the charts and similar songs, in this order, all with the model's clip window.

        Charts and similar songs are absent if their features cannot be computed.
        """
        first = self._recipe_of_model(self.model)
        made = [first]
        facts = self.found.facts
        if self.charted:
            made.append(self._beside(first, facts["feature_set"], self.found.features))
        if self.space is not None:
            made.append(self._beside(first, facts["space"]["feature_set"], self.space.features))
        return tuple(made)

    def _beside(self, first: Recipe, feature_set: str, columns: Sequence[str]) -> Recipe:
        return Recipe(feature_set, first.clip, first.limits, tuple(columns), registered=registered())

    @cached_property
    def charted(self) -> bool:
        """Whether the extract's features can be computed from audio."""
        name = self.found.facts["feature_set"]
        found = self._recipe_of_model(self.model)
        return bool(name) and all(found.find(member) is not None for member in members_of(name))

    @cached_property
    def space(self) -> Space | None:
        """The space of similar songs; None if its vectors were computed from clips with another preprocessing."""
        facts = self.found.facts["space"]
        if facts is None or facts["clip"] is None:
            return None
        theirs = former.clip_section(json.loads(facts["clip"]))
        if preprocessing_id(theirs) != preprocessing_id(self.model.meta.clip_section()):
            return None
        return Space(
            tuple(facts["features"]),
            np.array(facts["centre"]),
            np.array(facts["spread"]),
            np.array(facts["mean"]),
            facts["variance"],
        )

    @cached_property
    def _ranking(self) -> Ranking:
        facts = self.found.facts["space"]
        arrays = (np.load(self.found.folder / name, mmap_mode="r") for name in (files.VECTORS, files.SCALES))
        vectors, scales = arrays
        fitted = np.load(self.found.folder / files.FITTED)
        return Ranking(vectors, float(facts.get("scale_weight") or 0.0), np.asarray(scales), fitted)

    @cached_property
    def _places(self) -> npt.NDArray[np.int32]:
        return np.asarray(np.load(self.found.folder / files.VECTOR_PLACES))

    def version(self) -> str:
        """Hash of extract, model and versions, on which an answer depends in addition to the audio."""
        meta = self.model.meta
        return stable_id(self.found.folder.name, meta.model_id, meta.set_version, meta.preprocessing_id)

    def analyse(self, path: Path) -> JsonObject:
        """Analyse a file; returns the JSON-able data of its page.

        Raises
        ------
        ClipError : the file cannot be used.
        ModelError : there is no model.
        """
        limits = self.config.limits
        size = path.stat().st_size
        if size > limits.max_file_mb << 20:
            raise ClipError(Reason.TOO_LARGE, f"The file is larger than the limit of {limits.max_file_mb} MB.")
        heard: Heard = run_isolated(
            hear, os.fspath(path), self.recipes, seconds=time_for(size, limits), memory_mb=limits.clip_memory_mb
        )
        values = list(heard.values)
        answer = self._genres(values.pop(0))
        if self.charted:
            row = values.pop(0)[0]
            answer["features"] = self.found.compare(row, [one["genre_id"] for one in answer["genres"][:1]])
        if self.space is not None:
            answer["similar"] = self._similar(values.pop(0))
        return answer | {
            "sha256": heard.sha256,
            "duration_s": heard.duration_s,
            "start_s": heard.start_s,
            "length_s": heard.length_s,
            "pictures": heard.pictures,
            "rhythm": heard.rhythm,
            "model_id": self.model.meta.model_id,
        }

    def _genres(self, values: npt.NDArray[np.float32]) -> JsonObject:
        """Genres in descending order of the score, the prediction set, and reasons for the first genre."""
        meta, sureness = self.model.meta, self.model.confidence
        mean = self._means([values])
        order = np.argsort(-mean[0], kind="stable")
        chosen = [int(one) for one in order[:_GENRES]]
        answer: JsonObject = {
            "score_kind": meta.score_kind,
            "genres": [
                {"genre_id": meta.classes[one], "name": meta.class_names[one], "score": float(mean[0, one])}
                for one in chosen
            ],
            "set": [],
            "coverage": None,
            "abstains": False,
            "reasons": self._reasons(values, int(order[0])),
        }
        if sureness is not None:
            inside = [int(place) for place in sureness.sets(mean)[0]]
            answer["set"] = [meta.class_names[place] for place in inside]
            answer["coverage"] = sureness.coverage
            answer["abstains"] = not 0 < len(inside) <= most_genres(0, len(meta.classes))
        return answer

    def _means(self, rows: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
        sums, counts = score(self.model, rows)
        return np.asarray(calibrated(self.model, sums / counts[:, None]))

    def _reasons(self, values: npt.NDArray[np.float32], genre: int) -> list[JsonObject]:
        """Effect of each feature: how much the first genre's probability decreases if the feature is set to missing.

        Missing values are treated as by the model: imputed with the median of the training songs, or natively.
        A positive effect supports the genre, a negative one speaks against it; the largest come first. Empty for models
        that use several rows per clip.
        """
        meta = self.model.meta
        if not get_layout(meta.axis).by_column or len(values) != 1 or meta.score_kind != "probability":
            return []
        without = np.repeat(values, len(meta.features), axis=0)
        np.fill_diagonal(without, np.nan)
        means = self._means([values, *(row[None, :] for row in without)])[:, genre]
        effects = means[0] - means[1:]
        order = np.argsort(-np.abs(np.nan_to_num(effects)), kind="stable")[:_REASONS]
        return [
            {
                "feature": meta.features[place],
                "value": float(values[0, place]) if math.isfinite(values[0, place]) else None,
                "effect": float(effects[place]),
            }
            for place in (int(one) for one in order)
            if abs(effects[place]) > 1e-4
        ]

    def warm(self) -> None:
        """Compile the similarity search before the first request."""
        if self.space is not None and len(self._ranking):
            self._ranking.nearest(np.asarray(self._ranking.vectors[0]), -1, 1)

    def _similar(self, values: npt.NDArray[np.float32]) -> list[JsonObject]:
        """The nearest songs of the lake, with the same hubness correction as in the lake; one song per recording."""
        assert self.space is not None
        if not len(self._places):
            return []
        mine = to_vectors(values[:1], self.space)
        found = self._ranking.nearest(np.asarray(mine[0], dtype=np.float32), -1, _SIMILAR + _COPIES)
        near, seen = [], set()
        for place, distance in zip(found.places[0].tolist(), found.distance[0].tolist(), strict=True):
            recording = int(self.found.recordings[self._places[place]]) if place >= 0 else -1
            if recording >= 0 and recording not in seen:
                seen.add(recording)
                near.append((place, distance))
        places, distances = (np.array(column) for column in zip(*near[:_SIMILAR], strict=True))
        expected = expected_distance(np.asarray(self._ranking.vectors[places]), self.space)
        alike = similarity(distances, np.repeat(expected_distance(mine, self.space), len(places)), expected)
        songs = self.found.songs([int(self._places[one]) + 1 for one in places])
        return [{"song_id": song["song_id"], "similarity": float(one)} for song, one in zip(songs, alike, strict=True)]
