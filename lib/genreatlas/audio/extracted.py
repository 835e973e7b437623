"""Values of one feature set in a worker's result row, and helpers for reading them."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import Array
from genreatlas.audio.sets.definition import Feature, FeatureSet

_T = TypeVar("_T")


@dataclass(frozen=True)
class Extracted:
    """Values of one feature set in a row of :data:`genreatlas.audio.worker.RESULT`.

    Which fields are filled depends on the layout; the others are None.

    Parameters
    ----------
    feature_set, set_version : name and version of the set.
    values : (n_features,) of a summary, or the lowest value and the step of quantised frames.
    arrays : arrays of a summary, or one array per feature of events or codes.
    frames : packed frames, or a vector.
    quantised : frames quantised to one byte per value.
    n_frames : number of frames, events or codes.
    width : number of values per frame.
    hop_s : seconds between frames.
    """

    feature_set: str
    set_version: str
    values: npt.NDArray[np.float64] | None = None
    arrays: list[npt.NDArray[np.float64]] | None = None
    frames: npt.NDArray[np.float32] | None = None
    quantised: bytes | None = None
    n_frames: int | None = None
    width: int | None = None
    hop_s: float | None = None


def reject_infinite(feature_set: FeatureSet, values: Array) -> None:
    """Raise ValueError if any value of the set is infinite. The message names the features."""
    infinite = np.isinf(values.reshape(-1, len(feature_set.features))).sum(axis=0)
    names = [f.name for f, bad in zip(feature_set.features, infinite, strict=True) if bad]
    if names:
        raise ValueError(f"{feature_set.name}: infinite: {', '.join(names)}")


def source_of(feature: Feature) -> str:
    """Origin of a column: the function of the audio graph, and the statistic that summarises its frames."""
    function = f"{feature.node}()"
    return function if feature.statistic == "value" else f"{feature.statistic} of {function}"


def filled_field(value: _T | None) -> _T:
    """Return a field that the layout always fills. Narrows the type for mypy."""
    assert value is not None
    return value


def flat_values(column: Any) -> npt.NDArray[np.float32]:
    """Values of all rows concatenated, NaN for NULL."""
    return np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32))


def row_offsets(lengths: Any) -> dict[str, npt.NDArray]:
    """Start of each clip's rows and end of the last, from the number of rows per clip, (n_clips + 1,)."""
    return {"offsets": np.concatenate([[0], np.cumsum(lengths.to_numpy(), dtype=np.int64)])}
