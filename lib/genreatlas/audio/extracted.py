"""What a worker's row holds of a feature set, and the numbers in it."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import Array
from genreatlas.audio.sets.definition import Feature, FeatureSet

_T = TypeVar("_T")


@dataclass(frozen=True)
class Extracted:
    """Values of one feature set, as a row of :data:`genreatlas.audio.worker.RESULT` holds them.

    A layout uses the fields as it needs them. ``values`` are a summary's features, or the lowest value and the step of
    quantised frames; ``arrays`` a summary's arrays, or one for each feature of events or codes; ``frames`` frames, or a
    vector; ``n_frames`` counts frames, events or codes.
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
    """Raise ValueError where a value of a set is infinite."""
    infinite = np.isinf(values.reshape(-1, len(feature_set.features))).sum(axis=0)
    names = [f.name for f, bad in zip(feature_set.features, infinite, strict=True) if bad]
    if names:
        raise ValueError(f"{feature_set.name}: infinite: {', '.join(names)}")


def source_of(feature: Feature) -> str:
    """Where a column comes from: the function of the audio graph, and how its frames became one number."""
    function = f"{feature.node}()"
    return function if feature.statistic == "value" else f"{feature.statistic} of {function}"


def filled_field(value: _T | None) -> _T:
    """A field that this layout fills."""
    assert value is not None
    return value


def flat_values(column: Any) -> npt.NDArray[np.float32]:
    """Values of all rows end to end, NaN for NULL."""
    return np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32))


def row_offsets(lengths: Any) -> dict[str, npt.NDArray]:
    """Where each clip's rows begin, from their numbers, and where the last one's end."""
    return {"offsets": np.concatenate([[0], np.cumsum(lengths.to_numpy(), dtype=np.int64)])}
