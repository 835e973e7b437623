"""Networks: small convolutional and recurrent networks on the rows of a clip as a sequence.

=================  =====================================================================================================
cnn_1d             convolutions over time on chosen columns: timbre, pitch, or all of them
cnn_2d             convolutions over time and columns: timbre and pitch as one image
short_chunk_cnn    residual convolutions over time and frequency, for spectrograms (``mel128``)
gru                a recurrent network with attention pooling: rhythm as a sequence of notes (``rhythm_notes``)
=================  =====================================================================================================

Networks are built and trained with Keras on JAX (extra ``deep``) on crops of a few seconds, each candidate and fold in
a Spark task of its own. They are stored as ONNX, which onnxruntime scores without the extra. docs/networks.md has the
full description of each.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from genreatlas.arrays import AnyArray
from genreatlas.models.engines.networks.networks_facts import ESTIMATORS
from genreatlas.models.engines.protocol import Losses
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.types import Trial

if TYPE_CHECKING:
    from genreatlas.models.engines.networks.onnx_model import NetworkModel
    from genreatlas.models.engines.networks.sequence_grid import SequenceGrid
    from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles


class Networks(TaskEngine):
    """The engine ``networks``; its modules are imported by the methods that need them."""

    name = "networks"
    title = "Networks"
    noun = "network"
    imputation = "mean of the training part"
    estimators = ESTIMATORS
    formats: ClassVar[Mapping[str, str]] = {"onnx": "model.onnx"}
    sequences = True
    listed_only = True
    dear = True

    def fitter(self) -> "type[SequenceGrid]":
        """Return the grid whose tasks read whole clips."""
        from genreatlas.models.engines.networks.sequence_grid import SequenceGrid

        return SequenceGrid

    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: AnyArray
    ) -> "tuple[NetworkModel, list[str]]":
        """Train a network on some clips, with early stopping on held-out songs of one of their folds."""
        from genreatlas.errors import Reason
        from genreatlas.models.engines.estimators import limits
        from genreatlas.models.engines.networks import network_fits
        from genreatlas.models.engines.task_fits import CandidateLimit

        if exceeded := limits(self.get_estimator(trial.estimator), len(rows), files.n_classes):
            raise CandidateLimit(*exceeded)
        if len(np.unique(files.array("song")[rows])) < 2:
            raise CandidateLimit(Reason.FIT_FAILED, "only one song: no other song can be held out for early stopping")
        return network_fits.fit(trial, files, settings, rows)

    def losses(self, path: Path) -> Losses | None:
        """Losses per epoch from the model's file; needs no onnxruntime."""
        import json

        from genreatlas.audio.onnx_files import read_metadata
        from genreatlas.errors import ConfigError

        try:
            history = json.loads(read_metadata(path.read_bytes())["genreatlas"])["history"]
            return Losses(tuple(history["loss"]), tuple(history["held_out"]), int(history["best"]))
        except (OSError, ConfigError, ValueError, KeyError, TypeError):
            return None

    def loads(self, content: bytes) -> "NetworkModel":
        """Read an ONNX file written by this engine."""
        from genreatlas.models.engines.networks import onnx_model

        return onnx_model.loads(content)
