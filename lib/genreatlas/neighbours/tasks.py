"""Search in Spark tasks: from block numbers to neighbour lists, as Arrow batches.

Vectors are not sent through Spark: each worker memory-maps ``.npy`` files, which :mod:`genreatlas.datasets.sending`
copies to the workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from genreatlas.datasets.sending import locate
from genreatlas.neighbours import approximate
from genreatlas.neighbours.hubness import JUDGED
from genreatlas.neighbours.search import SCALE_OF, Lists, local_scale, nearest
from genreatlas.neighbours.space import similarity

#: Songs per block: 2,048 lists of 50 songs are a batch of about 10 MB.
BLOCK = 2048

#: Schema of :func:`list_batches`: columns of ``song_neighbours`` without the space.
LISTS = (
    "song_id string, rank int, neighbour_song_id string, distance double, corrected double, similarity double, "
    "method string"
)
#: Schema of :func:`scale_batches`: index of the song, local scale, indices of its nearest songs before correction.
SCALES = "place int, local_scale double, nearest array<int>"
_LISTS = pa.schema(
    [
        ("song_id", pa.string()),
        ("rank", pa.int32()),
        ("neighbour_song_id", pa.string()),
        ("distance", pa.float64()),
        ("corrected", pa.float64()),
        ("similarity", pa.float64()),
        ("method", pa.string()),
    ]
)
_SCALES = pa.schema([("place", pa.int32()), ("local_scale", pa.float64()), ("nearest", pa.list_(pa.int32()))])


@dataclass(frozen=True)
class Search:
    """Parameters of a search: names of ``.npy`` files with the arrays, and settings.

    Attributes
    ----------
    songs, ids, expected : files with vectors, ids (bytes) and expected distances of all songs, sorted by id.
    asking, base : files with the indices of query songs, and of songs that may be neighbours.
    k : length of the lists.
    pull : file with the correction of squared distances; empty: no correction.
    bound : file with the maximum corrected distance for each query; empty: no maximum.
    index, probes : file of an index, and number of cells to search; empty: exact search.
    folder : folder of the files; None: artifacts of the session.
    """

    songs: str
    ids: str
    expected: str
    asking: str
    base: str
    k: int
    pull: str = ""
    bound: str = ""
    index: str = ""
    probes: int = 0
    folder: str | None = None

    def array(self, name: str) -> Any:
        """Open a file as a memory map; None for an empty name."""
        return np.load(locate(name, self.folder), mmap_mode="r") if name else None


def list_batches(search: Search, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Neighbour lists of the songs in each block; one batch of :data:`LISTS` per block."""
    ids, expected = search.array(search.ids), search.array(search.expected)
    method = "approximate" if search.index else "exact"
    for asking, found, limit in _blocks(search, batches):
        wanted = found.places >= 0
        if limit is not None:
            wanted &= found.corrected <= limit[:, None]  # also drops NaN
        row, rank = np.nonzero(wanted)
        place, other = asking[row], found.places[row, rank]
        distance = found.distance[row, rank]
        columns = [
            pa.array(np.char.decode(ids[place], "utf-8")),
            pa.array(rank.astype(np.int32) + 1),
            pa.array(np.char.decode(ids[other], "utf-8")),
            pa.array(distance),
            pa.array(found.corrected[row, rank]),
            pa.array(similarity(distance, expected[place], expected[other])),
            pa.array([method] * len(row), pa.string()),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=_LISTS)


def scale_batches(search: Search, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Local scales of the songs in each block; one batch of :data:`SCALES` per block."""
    n_base = len(search.array(search.base))
    for asking, found, _ in _blocks(search, batches):
        first = found.places[:, :JUDGED]
        offsets = pa.array(np.arange(len(first) + 1, dtype=np.int32) * first.shape[1])
        lists = pa.ListArray.from_arrays(offsets, pa.array(first.ravel()))
        columns = [pa.array(asking.astype(np.int32)), pa.array(local_scale(found, n_base)), lists]
        yield pa.RecordBatch.from_arrays(columns, schema=_SCALES)


def _blocks(search: Search, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[np.ndarray, Lists, np.ndarray | None]]:
    asking, base = np.asarray(search.array(search.asking)), np.asarray(search.array(search.base))
    songs, pull, bound = search.array(search.songs), search.array(search.pull), search.array(search.bound)
    for batch in batches:
        for number in batch.column(0).to_pylist():
            part = asking[number * BLOCK : (number + 1) * BLOCK]
            limit = None if bound is None else np.asarray(bound[number * BLOCK : (number + 1) * BLOCK])
            if search.index:
                index = _index(locate(search.index, search.folder))
                yield part, approximate.search(index, search.probes, songs, part, search.k, pull), None
            else:
                yield part, nearest(songs, part, base, search.k, pull, limit), limit


@lru_cache(maxsize=1)
def _index(path: str) -> Any:
    return approximate.read(Path(path))


#: Length of lists for local scales and for measures of hubness before correction.
SCALE_LENGTH = max(SCALE_OF, JUDGED)
