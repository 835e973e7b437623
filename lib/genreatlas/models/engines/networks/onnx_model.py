"""Networks in ONNX files, scored by onnxruntime on one thread, without Keras, JAX or Spark."""

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

#: Key of the ONNX metadata property with our description of the network, as JSON.
FACTS = "genreatlas"


class NetworkModel:
    """A :class:`genreatlas.models.engines.file_models.FileModel` of an ONNX file.

    Each process opens its own onnxruntime session, as sessions cannot be used after a fork.

    Attributes
    ----------
    reading : conversion of clips to windows.
    history : training loss and held-out loss of each epoch, and the epoch whose weights were kept.
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
        """Content of the ONNX file."""
        return self._content

    def scores(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, n_classes) of windows (n, rows, width)."""
        (found,) = self._open().run(None, {"windows": np.ascontiguousarray(windows, dtype=np.float32)})
        return np.asarray(found, dtype=np.float64)

    def matrix_scores(self, X: AnyArray, rows: RowIndex, song: AnyArray) -> NDArray[np.float64]:
        """Mean scores over the windows of clips, read from the shards of the training.

        Parameters
        ----------
        X : (n_clips, 3) locations of clips, see :func:`genreatlas.datasets.sequences.write_sequences`.
        rows : indices of the clips to score.
        song : not used.

        Returns
        -------
        (n, n_classes)
        """
        if self._clips is None:
            raise ModelError("a network scores clips, not rows of a matrix, and this one was read without its clips")
        clips = [partial(self._clips.rows, place) for place in np.asarray(X[rows])]
        _, found = scores_of_clips(self.reading, self.scores, clips, self.n_classes)
        return np.array([one.mean(axis=0) for one in found]).reshape(len(clips), self.n_classes)

    def clip_scores(self, clips: Clips) -> ClipScores:
        """Sums of scores over the windows of each clip.

        Raises
        ------
        ModelError : the rows of a clip have another number of features than in training.
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
            raise ModelError("the ONNX file was not written by this package")
        return dict(json.loads(known[FACTS]))


def loads(content: bytes) -> NetworkModel:
    """Read an ONNX file; ModelError if it is something else or onnxruntime is not installed."""
    return NetworkModel(content)


def _session(content: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("onnxruntime is needed to score a network: pip install genreatlas[onnx]") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base class
        lines = str(error).strip().splitlines()
        raise ModelError(f"onnxruntime cannot read it: {lines[0] if lines else type(error).__name__}") from None
