"""Arrays of an extract that are read row by row, without mapping their file into memory."""

import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np


class ArrayFile:
    """Rows of a ``.npy`` file, read one at a time.

    The pages of a memory-mapped file would count as memory of the process: up to 120 MB for the features and neighbours
    of 450,000 songs.
    """

    def __init__(self, path: Path) -> None:
        mapped: np.memmap[Any, Any] = np.load(path, mmap_mode="r")
        self._shape, self._dtype, self._start = mapped.shape, mapped.dtype, mapped.offset
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return int(self._shape[0])

    def __getitem__(self, row: int) -> np.ndarray:
        """(n_columns,) of one row."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        size = self._dtype.itemsize * self._shape[1]
        return np.frombuffer(os.pread(self._file, size, self._start + row * size), self._dtype)
