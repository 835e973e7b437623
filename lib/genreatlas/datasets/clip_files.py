"""Read clips from memory-mapped shards: only requested rows are loaded. Does not import pyspark."""

import json
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray

#: File with the names of the shards and features of a folder, and the hop between rows in s if known.
INDEX = "index.json"

#: Local header of a zip file: its length without the name, and the offsets of the lengths of name and extra field.
_HEADER, _NAME_LENGTH, _EXTRA_LENGTH = 30, slice(26, 28), slice(28, 30)


def mapped(path: Path, name: str) -> AnyArray:
    """Memory-map an array of an uncompressed ``.npz`` file, read-only.

    Raises
    ------
    ValueError : the array is compressed or in Fortran order.
    """
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{path}: {name} is compressed and cannot be read in parts")
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(_HEADER)
        lengths = (int.from_bytes(header[part], "little") for part in (_NAME_LENGTH, _EXTRA_LENGTH))
        file.seek(member.header_offset + _HEADER + sum(lengths))
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if fortran:
            raise ValueError(f"{path}: {name} is in Fortran's order")
        if not np.prod(shape):
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, "r", file.tell(), shape)


class ClipFiles:
    """Clips of a folder of shards.

    Attributes
    ----------
    features : names of the columns.
    hop_s : hop between rows in s; None if rows have times of their own, or if unknown.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self._paths = [folder / name for name in index["files"]]
        self.features: tuple[str, ...] = tuple(index["features"])
        self.hop_s: float | None = index["hop_s"]

    def rows(self, place: NDArray[np.int64], first: int = 0, most: int | None = None) -> NDArray[np.float32]:
        """Rows of a clip, (n_rows, n_features); NaN = undefined.

        Parameters
        ----------
        place : (3,) a row of X: shard, index of the clip in it, number of rows.
        first : index of the first row to read.
        most : maximum number of rows; None for all rows from ``first`` on.
        """
        shard, clip, _ = (int(number) for number in place)
        arrays = _arrays(self._paths[shard])
        start, end = int(arrays["offsets"][clip]) + first, int(arrays["offsets"][clip + 1])
        values = arrays["values"][start : end if most is None else min(end, start + most)]
        if values.dtype != np.uint8:
            return np.asarray(values, dtype=np.float32)
        return values * np.float32(arrays["step"][clip]) + np.float32(arrays["lowest"][clip])


@lru_cache(maxsize=4096)
def _arrays(path: Path) -> Mapping[str, AnyArray]:
    """The arrays of a shard that are needed here, memory-mapped: they use address space, not memory."""
    with zipfile.ZipFile(path) as archive:
        there = {name.removesuffix(".npy") for name in archive.namelist()}
    return {name: mapped(path, name) for name in ("values", "offsets", "lowest", "step") if name in there}
