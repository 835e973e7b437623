"""Compare with other extractors on the same arrays: essentia, openSMILE, audioFlux.

They are not dependencies. Each is measured if the Python named by ``GENREATLAS_PEERS_PYTHON`` can import it
(``python -m venv peers && peers/bin/pip install essentia opensmile audioflux``), and reported as absent otherwise. That
process reads the same samples, has one thread, and reports its CPU time per clip; the package is measured in this
process.
"""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
from measuring import Context, Result, cpu_seconds, quartiles

from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, SAMPLE_RATE, compute_sets

_SCRIPT = Path(__file__).parents[1] / "peer_extractors.py"
#: By extractor: the package's most similar feature set, and the features that the extractor computes.
PEERS = {
    "essentia": ("summary9", "frame loop: spectrum, MFCC, centroid, roll-off, flatness, contrast, RMS, ZCR, HPCP"),
    "opensmile": ("gtzan57", "ComParE 2016 functionals: 6,373 columns, more than ours"),
    "audioflux": ("summary9", "MFCC, chroma, centroid, bandwidth, roll-off, flatness, RMS"),
}


def measure(context: Context) -> Iterator[Result]:
    """Ratio of CPU times to each extractor, or its absence."""
    python = os.environ.get("GENREATLAS_PEERS_PYTHON", "")
    arrays = [librosa.load(path)[0] for path in context.clips[:: max(1, len(context.clips) // 4)]]
    for peer, (name, what) in PEERS.items():
        seconds = _theirs(python, peer, arrays) if python else "GENREATLAS_PEERS_PYTHON is not set"
        if isinstance(seconds, str):
            yield Result(f"vs_{peer}", None, note=f"absent: {seconds}")
            continue
        ours = [_ours(name, samples) for samples in arrays]
        ratios = [theirs / mine for theirs, mine in zip(seconds, ours, strict=True)]
        yield Result(
            f"vs_{peer}",
            statistics.median(ratios),
            spread=quartiles(ratios),
            ours=statistics.median(ours),
            theirs=statistics.median(seconds),
            n=len(arrays),
            note=f"ours: {name}; theirs: {what}",
        )


def _ours(name: str, samples: np.ndarray) -> float:
    """CPU seconds of the package, the fastest of four runs."""
    sets = [FEATURE_SETS[name]]
    return min(cpu_seconds(lambda: compute_sets(sets, samples, FAST_GRAPH)) for _ in range(4))


def _theirs(python: str, peer: str, arrays: list[np.ndarray]) -> list[float] | str:
    """CPU seconds per clip of an extractor, or the reason why it could not be run."""
    with tempfile.TemporaryDirectory() as folder:
        for i, samples in enumerate(arrays):
            np.save(Path(folder) / f"{i}.npy", samples)
        command = [python, str(_SCRIPT), peer, folder, str(SAMPLE_RATE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])
