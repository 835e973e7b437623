"""Read models from ``.npz`` files of numeric arrays, one of which contains JSON; no pickle, no code."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from genreatlas.errors import ModelError
from genreatlas.models.engines.thousands import layered, nearest_songs
from genreatlas.models.engines.thousands.array_models import Array, ArrayModel, Columns


class _Reader(Protocol):
    def __call__(self, facts: Mapping[str, object], columns: Columns, arrays: Mapping[str, Array]) -> ArrayModel: ...


#: Kind of model = function that builds it from the content of a file.
_READERS: Mapping[str, _Reader] = {layered.KIND: layered.read, nearest_songs.KIND: nearest_songs.read}


def loads(content: bytes) -> ArrayModel:
    """Read the result of :meth:`.array_models.ArrayModel.dumps`.

    Raises
    ------
    ModelError : the file is of another kind, or has arrays with wrong types or shapes or values that are not finite.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        facts = json.loads(arrays.pop("facts").tobytes())
        reader = _READERS[facts["genreatlas"]]
        if odd := [name for name, array in arrays.items() if array.dtype.kind not in "fi"]:
            raise ValueError(f"{', '.join(odd)} is not an array of numbers")
        if bad := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
            raise ValueError(f"{', '.join(bad)} has values that are not finite")
        columns = Columns(*(arrays.pop(name) for name in ("fill", "centre", "scale")))
        width = columns.fill.shape
        if len(width) != 1 or columns.centre.shape != width or columns.scale.shape != width:
            raise ValueError("fill, centre and scale differ in length")
        return reader(facts, columns, arrays)
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"the model file is not a file of arrays: {type(error).__name__}: {error}") from None
