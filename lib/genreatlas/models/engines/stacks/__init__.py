"""Stacks: several scikit-learn models on several feature sets, mixed with weights found on songs they had not heard."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreatlas.models.engines.stacks.stack_facts import ESTIMATORS, PLUS
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.types import Trial

if TYPE_CHECKING:
    from genreatlas.config import Candidate, TrainSection
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
        """Joined sets, unless a candidate names others: each of its sets gets members of its own."""
        return candidate.feature_sets or tuple(name for name in train.feature_sets if PLUS in name)

    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: NDArray[Any]
    ) -> "tuple[StackModel, list[str]]":
        """Fit members and weights."""
        from genreatlas.models.engines.stacks import stack_models

        return stack_models.fit(trial, files, settings, rows)

    def loads(self, content: bytes) -> "StackModel":
        """Read a skops file of members and weights."""
        from genreatlas.models.engines.stacks import stack_models

        return stack_models.loads(content)

    def weights(self, model: "StackModel", X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """How much each column counts with the members, weighted as the stack weighs them."""
        from genreatlas.models.engines.stacks import stack_models

        return stack_models.column_weights(model, X)
