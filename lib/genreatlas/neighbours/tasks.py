"""The search in Spark's tasks: numbers of blocks in, lists out, as Arrow batches. Spark only finds the files.

The songs lie in ``.npy`` files that each worker maps into memory: :mod:`genreatlas.datasets.sending` brings them there.
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

#: Songs of one block: 2,048 lists of 50 are a batch of some 10 MB.
BLOCK = 2048

#: Rows of :func:`list_batches`, as in the table but for the space.
LISTS = (
    "song_id string, rank int, neighbour_song_id string, distance double, corrected double, similarity double, "
    "method string"
)
#: Rows of :func:`scale_batches`: place of the song, its local scale, places of its nearest before correction.
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
    """What a task searches: names of ``.npy`` files, which tell their content.

    Attributes
    ----------
    songs, ids, expected : vectors, ids (bytes) and expected distances of all songs, in the order of their ids.
    asking, base : places of the songs whose lists are wanted, and of those that may be on them.
    pull : what is taken off squared distances; empty: nothing.
    bound : of each asking song the corrected distance above which nothing is wanted; empty: none.
    index, probes : file of an index, and how it is asked; empty: exact.
    k : length of the lists.
    folder : where the files are; None: artifacts of the session.
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
        """One of the files."""
        return np.load(locate(name, self.folder), mmap_mode="r") if name else None


def list_batches(search: Search, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Lists of the songs in each block that is asked for; a batch of :data:`LISTS` a block."""
    ids, expected = search.array(search.ids), search.array(search.expected)
    method = "approximate" if search.index else "exact"
    for asking, found, limit in _blocks(search, batches):
        wanted = found.places >= 0
        if limit is not None:
            wanted &= found.corrected <= limit[:, None]  # NaN where there is none
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
    """Local scales of the songs in each block; a batch of :data:`SCALES` a block."""
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


#: Neighbours that scales are made of, and that are judged before correction.
SCALE_LENGTH = max(SCALE_OF, JUDGED)
