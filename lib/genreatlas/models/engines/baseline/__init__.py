"""Baselines for comparison: models that use no music features."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from genreatlas.arrays import AnyArray, RowIndex
from genreatlas.datasets.sparse_labels import SparseLabels, take_labels
from genreatlas.errors import ConfigError, ModelError
from genreatlas.models.engines.estimators import Facts
from genreatlas.models.engines.file_models import Clips, ClipScores, FileModel, blocks, votes
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.types import ScoreKind, Trial

if TYPE_CHECKING:
    from genreatlas.config import Candidate, TrainSection
    from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles

Array = AnyArray

#: Baselines without features.
DUMMIES = ("random", "majority", "stratified")
#: Baselines that are a small scikit-learn forest on the feature set of the same name. Its columns do not describe the
#: music, so their scores are due to how the files were made.
FORESTS = ("technical", "loudness")
#: Display texts for these forests.
NOT_MUSIC = {
    "technical": "uses only the encoding of the files: sample rate, channels, codec, bit rate, duration, provider",
    "loudness": "uses only the loudness of the clips",
}

#: Multi-label: up to this number of classes, each class has its own hash; a hash takes a microsecond.
_HASHED = 100

#: No limit: counting works for any size. The small forest checks limits of its own when it is fitted.
_ANY = 10**12


class Baseline(TaskEngine):
    """The engine ``baseline``; ``random``, ``majority`` and ``stratified`` use the class frequencies only."""

    name = "baseline"
    title = "baseline"
    noun = "baseline"
    imputation = "median of the training part; 0 where a feature has no value there"
    estimators: ClassVar[Mapping[str, Facts]] = {
        **{name: Facts(max_rows=_ANY, max_classes=_ANY) for name in DUMMIES},
        **{name: Facts(max_rows=_ANY, max_classes=_ANY, importances=True) for name in FORESTS},
    }
    formats: ClassVar[Mapping[str, str]] = {"json": "model.json"}  # forests are scikit-learn's files
    is_baseline = True
    without_matrix = DUMMIES

    def candidate_errors(
        self, candidate: "Candidate", train: "TrainSection", known_sets: Iterable[str] | None
    ) -> list[str]:
        """List all errors; baselines have no parameters, and forests need clips."""
        name = candidate.estimator
        try:
            self.get_estimator(name)
        except ConfigError as error:
            return [str(error)]
        if candidate.grid:
            return [f"train.candidates: the baseline {name} has no parameters. Drop its grid."]
        if name in FORESTS and known_sets is not None and name not in known_sets:
            return [f"train.candidates: the baseline {name} needs clips of audio, and the store has none."]
        return []

    def feature_sets(self, candidate: "Candidate", train: "TrainSection") -> Sequence[str]:
        """Baselines without features run on the songs of the first set, a forest on the set of its name."""
        return (candidate.estimator if candidate.estimator in FORESTS else train.feature_sets[0],)

    def always(self, known_sets: Iterable[str]) -> Sequence[str]:
        """All baselines whose feature set is available."""
        return (*DUMMIES, *({*known_sets} & {*FORESTS}))

    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: AnyArray
    ) -> tuple[FileModel, list[str]]:
        """Count the classes, or fit the small forest."""
        if trial.estimator in FORESTS:
            from genreatlas.models.engines.scikit_learn import sklearn_pipelines

            return sklearn_pipelines.fit(sklearn_pipelines.SMALL_FOREST, trial, files, settings, rows)
        weight = files.array("weight")[rows] if settings.weights else None
        return fit_dummy(trial.estimator, take_labels(files.array("y"), rows), weight, files.n_classes, trial.seed), []

    def loads(self, content: bytes) -> FileModel:
        """Read the file of a model of :meth:`fit`."""
        if content[:1] == b"{":
            return load_dummy(content)
        from genreatlas.models.engines.scikit_learn import sklearn_pipelines

        return sklearn_pipelines.loads(content)


@dataclass(frozen=True)
class Dummy:
    """A classifier that uses only the song's id, so that a song always gets the same prediction.

    Attributes
    ----------
    kind : as in scikit-learn's DummyClassifier. ``majority`` (strategy "prior") scores every song with the priors;
        ``stratified`` draws one class from the priors and gives it probability 1; ``random`` (strategy "uniform") draws
        one class uniformly, and gives all classes equal probability except for 1e-6 in favour of the drawn class.
        Multi-label: the priors, independent draws from them, and uniform random numbers.
    priors : (n_classes,) weighted share of the songs' rows with each class.
    seed : seed of the draws.
    multi : whether a song may have several genres.
    """

    kind: str
    priors: tuple[float, ...]
    seed: int
    multi: bool = False

    score_kind: ScoreKind = "probability"

    format = "json"

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.priors)

    def scores(self, keys: Iterable[str]) -> Array:
        """Scores (n_songs, n_classes) from the ids of songs."""
        priors = np.array(self.priors)
        texts = list(keys)
        if self.kind == "majority":
            return np.tile(priors, (len(texts), 1))
        if self.multi:
            draws = np.array([self._draws(key) for key in texts]).reshape(len(texts), self.n_classes)
            return draws if self.kind == "random" else (draws < priors).astype(np.float64)
        draws = np.array([self._draw(key, 0) for key in texts])
        if self.kind == "random":
            drawn = np.minimum((draws * self.n_classes).astype(int), self.n_classes - 1)
            hair = 1e-6
            found = np.full((len(texts), self.n_classes), (1.0 - hair) / self.n_classes)
            found[np.arange(len(texts)), drawn] += hair
            return found
        edges = np.cumsum(priors)[:-1]
        found = np.zeros((len(texts), self.n_classes))
        found[np.arange(len(texts)), np.searchsorted(edges, draws, side="right")] = 1.0
        return found

    def matrix_scores(self, X: Array, rows: RowIndex, song: Array) -> Array:
        """Score some rows of a training matrix.

        The matrix has indices of songs, not ids, so the draws differ from those by id; their distribution is the same.
        """
        keys, position = np.unique(song[rows], return_inverse=True)
        return self.scores(map(str, keys))[position]

    def clip_scores(self, clips: Clips) -> ClipScores:
        """Sums of scores of clips: the song's score times the clip's number of rows."""
        frames = clips.lengths // np.maximum(clips.widths, 1)
        n_rows = frames if clips.several else np.ones(len(clips.lengths), dtype=np.int64)
        scores = self.scores(clips.songs.to_pylist())
        return ClipScores(n_rows, scores * n_rows[:, None], votes(scores, self) * n_rows[:, None])

    def dumps(self) -> bytes:
        """Return the baseline as JSON."""
        fields = {"kind": self.kind, "priors": self.priors, "seed": self.seed, "multi": self.multi}
        return json.dumps({"genreatlas": "baseline", **fields}, sort_keys=True).encode()

    def _draws(self, key: str) -> Array:
        """Random numbers (n_classes,); for many classes from a generator, as hashes would take hours."""
        if self.n_classes <= _HASHED:
            return np.array([self._draw(key, k) for k in range(self.n_classes)])
        digest = hashlib.sha256(f"{self.seed}/{self.kind}/{key}".encode()).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big"))).random(self.n_classes)

    def _draw(self, key: str, k: int) -> float:
        digest = hashlib.sha256(f"{self.seed}/{self.kind}/{k}/{key}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48


def fit_dummy(kind: str, y: Array | SparseLabels, weight: Array | None, n_classes: int, seed: int) -> Dummy:
    """Count the classes.

    Parameters
    ----------
    kind : one of ``DUMMIES``.
    y : (n_rows,) int class index, or (n_rows, n_classes) bool, which may be sparse.
    weight : (n_rows,) float, or None.
    """
    weights = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    sums = np.zeros(n_classes)
    for part in blocks(len(y), 2 * n_classes):
        if y.ndim == 1:
            sums += np.bincount(y[part], weights=weights[part], minlength=n_classes)
        else:
            sums += weights[part] @ y[part]
    priors = sums / weights.sum()
    return Dummy(kind, tuple(float(one) for one in priors), seed, multi=y.ndim == 2)


def load_dummy(content: bytes) -> Dummy:
    """Read the result of :meth:`Dummy.dumps`; ModelError if it is something else."""
    try:
        fields = json.loads(content)
        if fields.pop("genreatlas") != "baseline" or fields["kind"] not in DUMMIES:
            raise ValueError("not a baseline")
        priors = tuple(float(one) for one in fields["priors"])
        return Dummy(str(fields["kind"]), priors, int(fields["seed"]), bool(fields["multi"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"the model file is not a baseline's JSON: {error}") from None
