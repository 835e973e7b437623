"""Approximate search for nearest songs by an inverted file index of faiss, tuned on a sample to the required recall.

Corrected distances ``|x - y|^2 - b(y)`` are, up to a constant, squared Euclidean distances with one more dimension,
which is ``sqrt(B - b(y))`` for ``y`` and 0 for the query (Bachrach et al. 2014 do so for inner products). So the index
returns neighbours by corrected distance directly.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genreatlas.neighbours.search import Lists, Places, measure, nearest
from genreatlas.neighbours.space import Floats, Vectors

#: Number of songs to measure recall, and length of their lists.
_SAMPLE, _JUDGED = 500, 10
#: Training songs per cell of the index, and iterations of k-means.
_TRAINED, _STEPS = 40, 12
_SPARE = 14
_ADDED = 65536


@dataclass(frozen=True)
class Tuned:
    """An index with its search parameters.

    Attributes
    ----------
    index : faiss index.
    probes : number of cells that are searched per query.
    cells : number of cells.
    recall10 : recall at 10, on a sample.
    read : mean share of songs that are compared with a query.
    """

    index: Any
    probes: int
    cells: int
    recall10: float
    read: float


def build(songs: Vectors, base: Places, pull: Floats | None, least_recall: float, seed: int) -> Tuned:
    """Build an index of the songs in ``base`` and find the smallest number of probes with sufficient recall.

    Parameters
    ----------
    songs : (n_songs, n_features) vectors.
    base : indices of the songs in the index.
    pull : (n_songs,) correction as in :func:`genreatlas.neighbours.search.nearest`; None: no correction.
    least_recall : required recall at 10. If even all cells do not reach it (rounding), all are searched.
    seed : seed of training and sample.
    """
    import faiss

    faiss.omp_set_num_threads(1)  # Spark tasks already run in parallel
    cells = max(1, min(round(4 * math.sqrt(len(base))), len(base) // _TRAINED))
    random = np.random.default_rng(seed)
    quantiser = faiss.IndexFlatL2(songs.shape[1] + 1)
    index = faiss.IndexIVFFlat(quantiser, songs.shape[1] + 1, cells)
    index.cp.niter, index.cp.seed = _STEPS, seed
    trained = np.sort(random.permutation(base)[: cells * _TRAINED])
    most = 0.0 if pull is None else float(pull[base].max())
    index.train(_lifted(songs, trained, pull, most))
    for start in range(0, len(base), _ADDED):
        part = base[start : start + _ADDED]
        index.add_with_ids(_lifted(songs, part, pull, most), part.astype(np.int64))
    sample = np.sort(random.permutation(base)[:_SAMPLE]).astype(np.int32)
    truth = nearest(songs, sample, base, _JUDGED, pull).places
    probes = 1
    while True:
        found = search(index, probes, songs, sample, _JUDGED, pull)
        recall = recall_at(truth, found.places)
        if recall >= least_recall or probes >= cells:
            break
        probes = min(2 * probes, cells)
    if probes > 2:  # bisect between the last two numbers
        low, high = probes // 2, probes
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            one = recall_at(truth, search(index, middle, songs, sample, _JUDGED, pull).places)
            if one >= least_recall:
                high, recall = middle, one
            else:
                low = middle
        probes = high
    lists: Any = index.invlists
    sizes = np.array([lists.list_size(cell) for cell in range(cells)])
    _, asked = index.quantizer.search(_lifted(songs, sample, None, 0.0), probes)
    return Tuned(index, probes, cells, recall, float(sizes[asked].sum(axis=1).mean() / len(base)))


def recall_at(truth: Places, found: Places) -> float:
    """Share of true neighbours that were found.

    Parameters
    ----------
    truth, found : (n, k) indices of neighbours, -1 where there are fewer.
    """
    hits = sum(len(np.intersect1d(a[a >= 0], b)) for a, b in zip(truth, found, strict=True))
    return hits / max(int((truth >= 0).sum()), 1)


def search(index: Any, probes: int, songs: Vectors, asking: Places, k: int, pull: Floats | None) -> Lists:
    """Search nearest songs by the index. Distances and order are computed as in the exact search."""
    index.nprobe = probes
    _, found = index.search(_lifted(songs, asking, None, 0.0), k + _SPARE)
    places = np.where(found == asking[:, None], -1, found).astype(np.int32)
    return measure(songs, asking, places, k, pull)


def write(tuned: Tuned, path: Path) -> None:
    """Write the index to a file."""
    import faiss

    faiss.write_index(tuned.index, str(path))


def read(path: Path) -> Any:
    """Open an index as a memory map."""
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)


def _lifted(songs: Vectors, places: Places, pull: Floats | None, most: float) -> Vectors:
    """Vectors with the additional dimension for the correction; it is 0 if ``pull`` is None."""
    lifted = np.zeros((len(places), songs.shape[1] + 1), dtype=np.float32)
    lifted[:, :-1] = songs[places]
    if pull is not None:
        lifted[:, -1] = np.sqrt(np.maximum(songs.shape[1] * (most - pull[places]), 0.0))
    return lifted
