"""What was computed of one set becomes one row: checked, packed, NaN kept for NULL."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import Array, pack
from genreatlas.audio.sets.definition import FeatureSet


@dataclass(frozen=True)
class Extracted:
    """Values of one feature set, as a row of :data:`genreatlas.audio.worker.RESULT` holds them.

    ``values`` are a summary's features, or the lowest value and the step of quantised frames; ``arrays``
    a summary's arrays, or one array for each feature of events; ``n_frames`` counts frames or events.
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


def pack_set(feature_set: FeatureSet, computed: Mapping[str, Array]) -> Extracted:
    """Pack a set into one row.

    Parameters
    ----------
    computed : what :func:`genreatlas.audio.feature_sets.compute_sets` returns.

    Raises
    ------
    ValueError : a value is infinite; a value of a frame, or of a summary's array, is NaN.
    """
    name, version, values = feature_set.name, feature_set.version, computed[feature_set.name]
    if feature_set.axis == "summary":
        arrays = [np.asarray(computed[f"{name}.{array.name}"], dtype=np.float64) for array in feature_set.arrays]
        _reject_infinite(feature_set, values)
        for array, numbers in zip(feature_set.arrays, arrays, strict=True):
            if not np.isfinite(numbers).all():
                raise ValueError(f"{name}: not finite: {array.name}")
        return Extracted(name, version, np.asarray(values, dtype=np.float64), arrays or None)
    n_frames, width = values.shape
    if feature_set.axis == "events":
        _reject_infinite(feature_set, values)
        columns = [np.ascontiguousarray(column, dtype=np.float64) for column in values.T]
        return Extracted(name, version, arrays=columns, n_frames=n_frames)
    if feature_set.axis == "quantised":
        lowest, step, packed = quantise(values)
        scale = np.array([lowest, step])
        return Extracted(
            name, version, scale, quantised=packed, n_frames=n_frames, width=width, hop_s=feature_set.hop_s
        )
    packed_frames = pack(values)
    return Extracted(name, version, frames=packed_frames, n_frames=n_frames, width=width, hop_s=feature_set.hop_s)


def quantise(frames: Array) -> tuple[float, float, bytes]:
    """Write frames as bytes: 255 equal steps from the lowest value to the highest.

    Parameters
    ----------
    frames : (n_frames, width)

    Returns
    -------
    ``lowest``, ``step`` and n_frames * width bytes, frame-major. ``lowest + step * byte`` is off by half a
    step at most: 0.16 dB for a range of 80 dB.

    Raises
    ------
    ValueError : a value is NaN or infinite.
    """
    values = np.ascontiguousarray(frames, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(values))} of {values.size} frame values are not finite")
    lowest = float(values.min(initial=np.inf)) if values.size else 0.0
    step = (float(values.max()) - lowest) / 255 if values.size else 0.0
    steps = np.rint((values - lowest) / step) if step > 0.0 else np.zeros_like(values)
    return lowest, step, steps.astype(np.uint8).tobytes()


def dequantise(packed: bytes, width: int, lowest: float, step: float) -> npt.NDArray[np.float32]:
    """The (n_frames, width) values that :func:`quantise` wrote."""
    return np.frombuffer(packed, dtype=np.uint8).reshape(-1, width) * np.float32(step) + np.float32(lowest)


def _reject_infinite(feature_set: FeatureSet, values: Array) -> None:
    infinite = np.isinf(values.reshape(-1, len(feature_set.features))).sum(axis=0)
    names = [f.name for f, bad in zip(feature_set.features, infinite, strict=True) if bad]
    if names:
        raise ValueError(f"{feature_set.name}: infinite: {', '.join(names)}")
