"""A network as ONNX, scored by onnxruntime on one thread; nothing of Keras or JAX is needed, nor Spark."""

import json
import os
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray, RowIndex
from genreatlas.datasets.clip_files import ClipFiles
from genreatlas.errors import ModelError
from genreatlas.models.engines.file_models import Clips, ClipScores, votes
from genreatlas.models.engines.networks.snippets import Reading, scores_of_clips
from genreatlas.models.types import ScoreKind
from genreatlas.values import JsonObject, JsonView

#: Key of the file's metadata under which is what we know of it, as JSON.
FACTS = "genreatlas"


class NetworkModel:
    """A :class:`genreatlas.models.engines.file_models.FileModel` of an ONNX file.

    The session belongs to the process that opened it: onnxruntime does not survive a fork, so a child opens its own.

    Attributes
    ----------
    reading : how clips become windows.
    history : loss and held-out loss of each epoch, and the epoch that was kept.
    """

    format = "onnx"
    score_kind: ScoreKind = "probability"

    def __init__(self, content: bytes, clips: ClipFiles | None = None) -> None:
        self._content = content
        self._clips = clips
        self._session: Any = None
        self._process = 0
        facts = self._facts()
        try:
            self.reading = Reading.from_json(facts["reading"])
            self.n_classes = int(facts["n_classes"])
            self.multi = bool(facts["multi"])
            self.history: JsonView = dict(facts["history"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not a network of this release: {error!r}") from None

    def dumps(self) -> bytes:
        """The ONNX file."""
        return self._content

    def scores(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, n_classes) of windows (n, rows, width)."""
        (found,) = self._open().run(None, {"windows": np.ascontiguousarray(windows, dtype=np.float32)})
        return np.asarray(found, dtype=np.float64)

    def matrix_scores(self, X: AnyArray, rows: RowIndex, song: AnyArray) -> NDArray[np.float64]:
        """Mean scores of the windows of some clips of the shards that it was trained on.

        Parameters
        ----------
        X : (n_clips, 3) places of clips: :func:`genreatlas.datasets.sequences.write_sequences`.
        """
        if self._clips is None:
            raise ModelError("a network scores the clips that it was trained beside, not rows of a matrix")
        clips = [partial(self._clips.rows, place) for place in np.asarray(X[rows])]
        _, found = scores_of_clips(self.reading, self.scores, clips, self.n_classes)
        return np.array([one.mean(axis=0) for one in found]).reshape(len(clips), self.n_classes)

    def clip_scores(self, clips: Clips) -> ClipScores:
        """Scores of clips added up over their windows.

        Raises
        ------
        ModelError : a clip's rows are not as wide as the network was trained on.
        """
        wrong = clips.widths != self.reading.n_columns
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ModelError(
                f"clip {clips.clips[at]} has {clips.widths[at]} features; the network was trained on "
                f"{self.reading.n_columns}"
            )
        values = clips.values.reshape(-1, self.reading.n_columns)
        ends = np.cumsum(clips.lengths // self.reading.n_columns)
        begins = np.concatenate([[0], ends[:-1]]).astype(int)
        parts = [partial(values.__getitem__, slice(a, b)) for a, b in zip(begins, ends.astype(int), strict=True)]
        counts, found = scores_of_clips(self.reading, self.scores, parts, self.n_classes)
        sums = np.array([one.sum(axis=0) for one in found]).reshape(len(counts), self.n_classes)
        counted = np.array([votes(one, self).sum(axis=0) for one in found], dtype=np.int64)
        return ClipScores(counts, sums, counted.reshape(len(counts), self.n_classes))

    def _open(self) -> Any:
        if self._session is None or self._process != os.getpid():
            self._session, self._process = _session(self._content), os.getpid()
        return self._session

    def _facts(self) -> JsonObject:
        known = self._open().get_modelmeta().custom_metadata_map
        if FACTS not in known:
            raise ModelError("an ONNX file that this package did not write")
        return dict(json.loads(known[FACTS]))


def loads(content: bytes) -> NetworkModel:
    """Read an ONNX file; ModelError where it is something else, or onnxruntime is not installed."""
    return NetworkModel(content)


def _session(content: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("it is a network, which onnxruntime scores: pip install genreatlas[onnx]") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class
        lines = str(error).strip().splitlines()
        raise ModelError(f"onnxruntime cannot read it: {lines[0] if lines else type(error).__name__}") from None
