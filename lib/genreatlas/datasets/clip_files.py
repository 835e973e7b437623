"""Read clips from shards where they lie: only the rows that are asked for come into memory. No pyspark here."""

import json
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray

#: Names the shards of a folder, the features, and the distance of rows in s where it is known.
INDEX = "index.json"

#: Length of a local header of a zip file before its name, and where the lengths of name and extra field stand.
_HEADER, _NAME_LENGTH, _EXTRA_LENGTH = 30, slice(26, 28), slice(28, 30)


def mapped(path: Path, name: str) -> AnyArray:
    """An array of an ``.npz`` file that is not compressed, memory-mapped and read-only.

    Raises
    ------
    ValueError : it is compressed, or in Fortran's order.
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
    hop_s : distance of rows in s; None where rows have times of their own, or nobody knows.
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
        place : (3,) a row of X: shard, place in it, number of rows.
        first, most : the first row, and at most so many; all that follow.
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
    """What is needed of a shard; it is mapped, so it costs addresses and no memory."""
    with zipfile.ZipFile(path) as archive:
        there = {name.removesuffix(".npy") for name in archive.namelist()}
    return {name: mapped(path, name) for name in ("values", "offsets", "lowest", "step") if name in there}
