"""Stacks: several scikit-learn models on several feature sets, mixed with weights fitted on held-out songs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.models.engines.stacks.stack_facts import ESTIMATORS, PLUS
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.types import Trial

if TYPE_CHECKING:
    from genreatlas.config import Candidate, TrainSection
    from genreatlas.models.engines.stacks.quantile_models import QuantileModel
    from genreatlas.models.engines.stacks.stack_models import StackModel
    from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles


class Stacks(TaskEngine):
    """The engine ``stack``; its modules are imported by the methods that need them."""

    name = "stack"
    title = "Stacks"
    noun = "kind of stack"
    imputation = "each member's: median of the training part; 0 where a feature has no value there"
    estimators = ESTIMATORS
    formats: ClassVar[Mapping[str, str]] = {"stack": "stack.skops"}

    def feature_sets(self, candidate: "Candidate", train: "TrainSection") -> Sequence[str]:
        """Feature sets of the candidate; by default all joined sets, and none for ``quantiles``."""
        if candidate.estimator == "quantiles":
            return candidate.feature_sets
        return candidate.feature_sets or tuple(name for name in train.feature_sets if PLUS in name)

    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: AnyArray
    ) -> "tuple[StackModel | QuantileModel, list[str]]":
        """Fit the members, and their weights or the model on quantiles."""
        from genreatlas.models.engines.stacks import quantile_models, stack_models

        if trial.estimator == "quantiles":
            return quantile_models.fit(trial, files, settings, rows)
        return stack_models.fit(trial, files, settings, rows)

    def loads(self, content: bytes) -> "StackModel | QuantileModel":
        """Read a skops file of either kind."""
        from genreatlas.models.engines.scikit_learn.sklearn_pipelines import read_fields
        from genreatlas.models.engines.stacks import quantile_models, stack_models

        fields = read_fields(content)
        if "top" in fields:
            return stack_models.checked(fields, quantile_models.from_fields)
        return stack_models.checked(fields, stack_models.from_fields)

    def weights(self, model: Any, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Column weights of the members, weighted as in the stack; None for ``quantiles``."""
        from genreatlas.models.engines.stacks import stack_models

        return stack_models.column_weights(model, X) if isinstance(model, stack_models.StackModel) else None
