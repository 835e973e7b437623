"""Spark jobs that search the neighbours of all songs: send files to tasks, and collect local scales and lists."""

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from genreatlas.config import NeighboursSection
from genreatlas.datasets.sending import copy_once, send_file
from genreatlas.errors import ConfigError
from genreatlas.neighbours import approximate
from genreatlas.neighbours.hubness import JUDGED
from genreatlas.neighbours.search import Places
from genreatlas.neighbours.space import Floats, Vectors
from genreatlas.neighbours.tasks import (
    BLOCK,
    LISTS,
    SCALE_LENGTH,
    SCALES,
    Search,
    list_batches,
    scale_batches,
)
from genreatlas.scratch import scratch_folder

#: An index that compares a larger share of the songs than this is slower than exact search.
_MOST_READ = 0.2
#: Blocks per job: about 100,000 lists, so that a killed run loses only minutes of work.
BLOCKS_A_JOB = 50


@dataclass(frozen=True)
class Found:
    """Neighbour lists as DataFrames, with recall and a note on the search. Evaluate each DataFrame only once."""

    frames: Iterator[DataFrame]
    recall10: float
    note: str = ""


class SongFiles:
    """Songs in files that tasks memory-map.

    Parameters
    ----------
    song_ids, vectors, expected : ids, vectors and expected distances of all songs, sorted by id.

    Raises
    ------
    ConfigError : the matrix is larger than ``neighbours.max_matrix_mb``, and there is no ``neighbours.shared_path``.
    """

    def __init__(
        self,
        spark: SparkSession,
        section: NeighboursSection,
        song_ids: npt.NDArray[np.str_],
        vectors: Vectors,
        expected: Floats,
    ) -> None:
        self.spark, self.section, self.vectors = spark, section, vectors
        megabytes = vectors.nbytes / 1e6
        if megabytes > section.max_matrix_mb and section.shared_path is None:
            raise ConfigError(
                f"the matrix of songs has {megabytes:,.0f} MB ({vectors.shape[0]:,} songs of {vectors.shape[1]:,} "
                f"features), more than neighbours.max_matrix_mb = {section.max_matrix_mb:,}, the limit for sending it "
                "to every worker. Raise the limit, or name a folder that all workers can read in "
                "neighbours.shared_path."
            )
        self.n_songs = len(song_ids)
        self._all = np.arange(self.n_songs, dtype=np.int32)
        self._whole = Search(
            songs=self._send(vectors, "songs"),
            ids=self._send(np.char.encode(song_ids, "utf-8"), "ids"),
            expected=self._send(expected, "expected"),
            asking="",
            base="",
            k=section.per_song,
            folder=None if section.shared_path is None else str(section.shared_path.absolute()),
        )

    def scales(self, asking: Places, base: Places) -> tuple[Floats, Places]:
        """Local scales of songs, measured on the songs in ``base``, and their nearest songs before correction.

        Returns
        -------
        scale : (n_asking,) local scales.
        lists : (n_asking, 10) indices of the nearest songs, -1 if fewer.
        """
        search = replace(self._asked(asking, base), k=SCALE_LENGTH)
        search, _, _ = self._indexed(search, asking, base, None)
        scale = np.zeros(len(asking))
        lists = np.full((len(asking), JUDGED), -1, dtype=np.int32)
        work = partial(scale_batches, search)
        at = 0
        for numbers in _jobs(len(asking)):
            rows = self._frame(numbers, work, SCALES).toArrow().sort_by("place")
            end = at + rows.num_rows
            scale[at:end] = rows.column("local_scale").to_numpy()
            flat = pa.concat_arrays([chunk.flatten() for chunk in rows.column("nearest").chunks])
            lists[at:end] = flat.to_numpy(zero_copy_only=False).reshape(-1, JUDGED)
            at = end
        return scale, lists

    def lists(self, asking: Places, base: Places, pull: Floats | None) -> Found:
        """Complete lists of songs, sorted by id, as rows of :data:`genreatlas.neighbours.tasks.LISTS`.

        Parameters
        ----------
        asking, base, pull : as in :func:`genreatlas.neighbours.search.nearest`.
        """
        search, recall, note = self._indexed(self._asked(asking, base, pull), asking, base, pull)
        work = partial(list_batches, search)
        return Found((self._frame(numbers, work, LISTS) for numbers in _jobs(len(asking))), recall, note)

    def entering(self, asking: Places, new: Places, pull: Floats | None, bound: Floats) -> DataFrame:
        """New songs that are at least as near as the last song of existing lists, as rows of LISTS; exact search.

        Parameters
        ----------
        asking : indices of songs with lists.
        new : indices of new songs.
        pull : as in :func:`genreatlas.neighbours.search.nearest`.
        bound : (n_asking,) corrected distance of the last song of each list.
        """
        search = replace(self._asked(asking, new, pull), bound=self._send(bound, "bound"))
        return self._frame(range(_blocks(len(asking))), partial(list_batches, search), LISTS)

    def _asked(self, asking: Places, base: Places, pull: Floats | None = None) -> Search:
        return replace(
            self._whole,
            asking=self._send(asking, "asking"),
            base=self._send(base, "base"),
            pull="" if pull is None else self._send(pull, "pull"),
        )

    def _indexed(self, search: Search, asking: Places, base: Places, pull: Floats | None) -> tuple[Search, float, str]:
        """Use an index if there are too many pairs for exact search and the index is faster."""
        if len(asking) * len(base) <= self.section.exact_songs**2:
            return search, 1.0, ""
        if importlib.util.find_spec("faiss") is None:
            return (
                search,
                1.0,
                (
                    f"exact search of {len(base):,} songs, which is slow: an index needs faiss (pip install "
                    "'genreatlas[neighbours]')"
                ),
            )
        tuned = approximate.build(self.vectors, base, pull, self.section.min_recall, self.section.seed)
        said = f"{tuned.probes} of {tuned.cells} cells, {tuned.read:.0%} of the songs, recall@10 {tuned.recall10:.3f}"
        if tuned.read > _MOST_READ or tuned.recall10 < self.section.min_recall:
            return search, 1.0, f"exact search: no index is faster for these songs (it would read {said})"
        path = scratch_folder("matrix") / "index"
        approximate.write(tuned, path)
        with path.open("rb") as file:
            name = f"{hashlib.file_digest(file, 'sha256').hexdigest()[:20]}.faiss"
        self._bring(path, name)
        path.unlink()
        return replace(search, index=name, probes=tuned.probes), tuned.recall10, f"approximate search reads {said}"

    def _frame(self, numbers: range, work: partial[Iterator[pa.RecordBatch]], schema: str) -> DataFrame:
        # There is no shuffle, so adaptive execution does not coalesce partitions: one task per block.
        tasks = max(1, min(len(numbers), BLOCKS_A_JOB))
        return self.spark.range(numbers.start, numbers.stop, 1, tasks).mapInArrow(work, schema)

    def _send(self, array: np.ndarray, what: str) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        name = f"{digest[:20]}-{what}.npy"
        path = scratch_folder("matrix") / name
        np.save(path, array)
        self._bring(path, name)
        path.unlink()
        return name

    def _bring(self, path: Path, name: str) -> None:
        folder = self.section.shared_path
        if folder is None:
            send_file(self.spark, path, name)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            copy_once(path, folder.absolute() / name)


def _blocks(n: int) -> int:
    return -(-n // BLOCK)


def _jobs(n: int) -> Iterator[range]:
    """Block numbers of each job."""
    blocks = _blocks(n)
    for start in range(0, blocks, BLOCKS_A_JOB):
        yield range(start, min(start + BLOCKS_A_JOB, blocks))


def merged(lists: DataFrame, entering: DataFrame, k: int) -> DataFrame:
    """Merge new songs into lists and keep the k with the smallest corrected distances, ties by song id."""
    columns = [name for name in entering.columns if name != "rank"]
    both = lists.select(*columns).unionByName(entering.select(*columns))
    both = both.dropDuplicates(["song_id", "neighbour_song_id"])
    order = Window.partitionBy("song_id").orderBy("corrected", "neighbour_song_id")
    ranked = both.withColumn("rank", F.row_number().over(order))
    return ranked.where(F.col("rank") <= k)
