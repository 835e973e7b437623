"""Baselines: what is reached without listening, for every other model to be compared with."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from genreatlas.errors import ConfigError
from genreatlas.models.engines.baseline.dummies import DUMMIES, fit_dummy, load_dummy
from genreatlas.models.engines.estimators import Facts
from genreatlas.models.engines.protocol import FileModel
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.types import Trial

if TYPE_CHECKING:
    from genreatlas.config import Candidate, TrainSection
    from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles

#: Baselines that are a small forest of scikit-learn, each on the feature set of its name: columns that are not music,
#: so what they score comes from how the files were made.
FORESTS = ("technical", "loudness")

#: No data set is too large for a count, or for a small forest.
_ANY = 10**12


class Baseline(TaskEngine):
    """The engine ``baseline``; `random`, `majority` and `stratified` know only how frequent the classes are."""

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

    def candidate_faults(
        self, candidate: "Candidate", train: "TrainSection", known_sets: Iterable[str] | None
    ) -> list[str]:
        """A baseline has no parameters, and some need clips."""
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
        """What looks at no feature runs on the songs of the first set, a forest on the set of its name."""
        return (candidate.estimator if candidate.estimator in FORESTS else train.feature_sets[0],)

    def always(self, known_sets: Iterable[str]) -> Sequence[str]:
        """All that can be had."""
        return (*DUMMIES, *({*known_sets} & {*FORESTS}))

    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: NDArray[Any]
    ) -> tuple[FileModel, list[str]]:
        """Count the classes, or fit the small forest."""
        if trial.estimator in FORESTS:
            from genreatlas.models.engines.scikit_learn import sklearn_pipelines

            return sklearn_pipelines.fit(sklearn_pipelines.SMALL_FOREST, trial, files, settings, rows)
        weight = files.array("weight")[rows] if settings.weights else None
        return fit_dummy(trial.estimator, files.array("y")[rows], weight, files.n_classes, trial.seed), []

    def loads(self, content: bytes) -> FileModel:
        """Read what :meth:`fit` made."""
        if content[:1] == b"{":
            return load_dummy(content)
        from genreatlas.models.engines.scikit_learn import sklearn_pipelines

        return sklearn_pipelines.loads(content)
