"""Nearest songs by an inverted file of faiss, tuned on a sample until it finds what the exact search finds.

A corrected distance ``|x - y|^2 - b(y)`` is a plain one in one dimension more, where ``y`` has ``sqrt(B - b(y))`` and
the asking song 0 (Bachrach et al. 2014 do so for inner products), so the index finds the corrected lists themselves.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genreatlas.neighbours.search import Lists, Places, measure, nearest
from genreatlas.neighbours.space import Floats, Vectors

#: Songs that recall is measured on, and the lists' length for that.
_SAMPLE, _JUDGED = 500, 10
#: Songs of each cell of the index on which its centre is trained, and steps of the training.
_TRAINED, _STEPS = 40, 12
_SPARE = 14
_ADDED = 65536


@dataclass(frozen=True)
class Tuned:
    """An index and how it is to be asked.

    Attributes
    ----------
    probes : cells that are read for each song; cells : how many there are.
    recall10 : share of the exact 10 nearest that were found, on a sample.
    read : share of the songs that were compared with an asking one.
    """

    index: Any
    probes: int
    cells: int
    recall10: float
    read: float


def build(songs: Vectors, base: Places, pull: Floats | None, least_recall: float, seed: int) -> Tuned:
    """Build an index of the songs in ``base`` and find the fewest cells by which it is good enough.

    Parameters
    ----------
    least_recall : recall@10 that is wanted; where not even all cells give it (rounding), all are read.
    """
    import faiss

    faiss.omp_set_num_threads(1)  # a step's processes share two cores; what is parallel are tasks
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
    if probes > 2:  # between the last two
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
    """Share of true neighbours that were found."""
    hits = sum(len(np.intersect1d(a[a >= 0], b)) for a, b in zip(truth, found, strict=True))
    return hits / max(int((truth >= 0).sum()), 1)


def search(index: Any, probes: int, songs: Vectors, asking: Places, k: int, pull: Floats | None) -> Lists:
    """Nearest songs by the index, measured and ordered as in the exact search."""
    index.nprobe = probes
    _, found = index.search(_lifted(songs, asking, None, 0.0), k + _SPARE)
    places = np.where(found == asking[:, None], -1, found).astype(np.int32)
    return measure(songs, asking, places, k, pull)


def write(tuned: Tuned, path: Path) -> None:
    """Write the index to a file."""
    import faiss

    faiss.write_index(tuned.index, str(path))


def read(path: Path) -> Any:
    """Read an index; its lists stay on disk until they are asked for."""
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)


def _lifted(songs: Vectors, places: Places, pull: Floats | None, most: float) -> Vectors:
    """Vectors with one dimension more, 0 where nothing is pulled."""
    lifted = np.zeros((len(places), songs.shape[1] + 1), dtype=np.float32)
    lifted[:, :-1] = songs[places]
    if pull is not None:
        lifted[:, -1] = np.sqrt(np.maximum(songs.shape[1] * (most - pull[places]), 0.0))
    return lifted
