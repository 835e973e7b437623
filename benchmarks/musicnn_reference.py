"""Reference implementation of musicnn in 64-bit numpy, layer by layer as in the original program.

The converted network must give the same results. Only the code that reads the checkpoint is shared with the conversion:
batch normalisations are separate layers, and max-pooling is where the original program has it.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def spectrogram(samples: npt.NDArray[np.floating], rate: int = 16_000) -> Array:
    """Log-mel spectrogram of the original program by librosa, (n_frames, 96) float64."""
    import librosa

    bands = librosa.feature.melspectrogram(
        y=np.asarray(samples, dtype=np.float64), sr=rate, n_fft=512, hop_length=256, n_mels=96, dtype=np.float64
    )
    return np.log10(10_000.0 * bands.T + 1.0)


def patches(frames: Array, length: int = 187) -> Array:
    """Non-overlapping patches, (n, length, 96)."""
    starts = range(0, len(frames) - length + 1, length)
    return np.stack([frames[start : start + length] for start in starts])


def run(variables: Mapping[str, npt.NDArray[np.float32]], patch: Array) -> tuple[Array, Array]:
    """Embedding (200,) and tags of one patch (time, 96)."""
    layers = {name: np.asarray(values, dtype=np.float64) for name, values in variables.items()}

    def numbered(kind: str, place: int) -> str:
        return f"{kind}_{place}" if place else kind

    def normalised(values: Array, place: int) -> Array:
        name = numbered("batch_normalization", place)
        spread = np.sqrt(layers[f"{name}/moving_variance"] + 1e-3)
        centred = (values - layers[f"{name}/moving_mean"]) / spread
        return centred * layers[f"{name}/gamma"] + layers[f"{name}/beta"]

    def convolved(values: Array, place: int) -> Array:
        """Cross-correlation without padding: (time, mels) by (kernel time, kernel mels, 1, filters)."""
        kernel, bias = (layers[f"{numbered('conv2d', place)}/{part}"] for part in ("kernel", "bias"))
        windows = np.lib.stride_tricks.sliding_window_view(values, kernel.shape[:2])
        return np.maximum(np.tensordot(windows, kernel[:, :, 0, :], axes=2) + bias, 0.0)

    listened = normalised(patch[:, :, None], 0)[:, :, 0]
    front = []
    for place in (0, 1):
        padded = np.pad(listened, ((3, 3), (0, 0)))
        front.append(normalised(convolved(padded, place), 1 + place).max(axis=1))
    for place in (2, 3, 4):
        length = len(layers[f"conv2d_{place}/kernel"])
        padded = np.pad(listened, (((length - 1) // 2, length // 2), (0, 0)))
        front.append(normalised(convolved(padded, place), 1 + place).max(axis=1))
    together = np.concatenate(front, axis=1)

    def over_time(values: Array, place: int) -> Array:
        found = convolved(np.pad(values, ((3, 3), (0, 0))), place)[:, 0, :]
        return normalised(found, 1 + place)

    first = over_time(together, 5)
    second = over_time(first, 6) + first
    third = over_time(second, 7) + second
    heard = np.concatenate([together, first, second, third], axis=1)
    pooled = np.stack([heard.max(axis=0), heard.mean(axis=0)], axis=1).reshape(-1)
    hidden = normalised(pooled, 9) @ layers["dense/kernel"] + layers["dense/bias"]
    embedding = normalised(np.maximum(hidden, 0.0), 10)
    logits = embedding @ layers["dense_1/kernel"] + layers["dense_1/bias"]
    return embedding, 1.0 / (1.0 + np.exp(-logits))
