"""ONNX files: reading inputs and outputs without onnxruntime, and running networks with one thread per process.

A session is opened and cached in the process that uses it, a worker's helper. A session opened before a fork does not
work in the child, which lacks its threads and locks.
"""

import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genreatlas.audio.protobuf import fields, nested, text, whole
from genreatlas.errors import ConfigError

#: Fields of ONNX's messages (onnx.proto), by number.
_MODEL_GRAPH, _MODEL_METADATA, _ENTRY_KEY, _ENTRY_VALUE = 7, 14, 1, 2
_GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 5, 11, 12
_TENSOR_NAME, _TENSOR_LOCATION = 8, 14
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE, _SHAPE_DIMENSION, _DIMENSION_VALUE = 1, 1, 2, 1, 1
_EXTERNAL = 1
#: ONNX's number of 32-bit floats.
_FLOAT32 = 1


@dataclass(frozen=True)
class Tensor:
    """An input or output. ``shape`` has None for variable lengths, and is None if not stated."""

    name: str
    is_float32: bool
    shape: tuple[int | None, ...] | None

    @property
    def shown(self) -> str:
        """The shape as text."""
        if self.shape is None:
            return "of no known shape"
        return f"({', '.join('?' if length is None else str(length) for length in self.shape)})"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a network."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_signature(content: bytes) -> Signature:
    """Read inputs and outputs of a network.

    Parameters
    ----------
    content : the whole file.

    Raises
    ------
    ConfigError : not an ONNX file, or its weights are stored in other files.
    """
    try:
        graphs = [nested(value) for number, value in fields(memoryview(content)) if number == _MODEL_GRAPH]
        if len(graphs) != 1:
            raise ValueError("it has no graph")
        inputs, outputs, weights = [], [], set()
        for number, value in fields(graphs[0]):
            if number == _GRAPH_INITIALIZER:
                weights.add(_weight_name(nested(value)))
            elif number == _GRAPH_INPUT:
                inputs.append(_tensor(nested(value)))
            elif number == _GRAPH_OUTPUT:
                outputs.append(_tensor(nested(value)))
        if not outputs:
            raise ValueError("its graph has no output")
    except ValueError as error:
        raise ConfigError(f"not an ONNX file: {error}") from None
    # before version 4 of the format, weights are also listed as inputs
    return Signature(tuple(one for one in inputs if one.name not in weights), tuple(outputs))


def read_metadata(content: bytes) -> dict[str, str]:
    """Read the metadata of an ONNX file, by key.

    Raises
    ------
    ConfigError : not an ONNX file.
    """
    try:
        entries = [list(fields(nested(v))) for n, v in fields(memoryview(content)) if n == _MODEL_METADATA]
        pairs = [{number: text(value) for number, value in entry} for entry in entries]
    except ValueError as error:
        raise ConfigError(f"not an ONNX file: {error}") from None
    return {pair.get(_ENTRY_KEY, ""): pair.get(_ENTRY_VALUE, "") for pair in pairs}


def _weight_name(data: memoryview) -> str:
    name = ""
    for number, value in fields(data):
        if number == _TENSOR_NAME:
            name = text(value)
        elif number == _TENSOR_LOCATION and value == _EXTERNAL:
            raise ConfigError(
                "its weights are stored in other files, which its hash does not cover. Save it as one file"
            )
    return name


def _tensor(data: memoryview) -> Tensor:
    name, is_float32, shape = "", False, None
    for number, value in fields(data):
        if number == _VALUE_NAME:
            name = text(value)
        elif number == _VALUE_TYPE:
            for kind, tensor in fields(nested(value)):
                if kind != _TYPE_TENSOR:  # a sequence or a map
                    continue
                for part, one in fields(nested(tensor)):
                    if part == _TENSOR_ELEMENT:
                        is_float32 = whole(one) == _FLOAT32
                    elif part == _TENSOR_SHAPE:
                        shape = tuple(_length(nested(d)) for n, d in fields(nested(one)) if n == _SHAPE_DIMENSION)
    return Tensor(name, is_float32, shape)


def _length(data: memoryview) -> int | None:
    lengths = [whole(value) for number, value in fields(data) if number == _DIMENSION_VALUE]
    return lengths[0] if lengths and lengths[0] > 0 else None


@dataclass(frozen=True)
class Network:
    """An opened network: a session of onnxruntime."""

    session: Any
    input_name: str

    def run(self, outputs: Sequence[str], batch: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Run the network on a batch and return the named outputs."""
        found: list[npt.NDArray[np.float32]] = self.session.run(list(outputs), {self.input_name: batch})
        return found


def open_network(path: Path, sha256: str) -> Network:
    """Open a network, cached per process.

    Parameters
    ----------
    path : the ONNX file.
    sha256 : expected hash of the file, so that all rows of a version of a feature set are from the same network.

    Raises
    ------
    ConfigError : the file is missing, cannot be run, or has another hash.
    ImportError : onnxruntime is not installed.
    """
    return _opened(path, sha256, os.getpid())


@functools.lru_cache(maxsize=4)
def _opened(path: Path, sha256: str, process: int) -> Network:
    """Open a network. ``process`` is part of the cache key, so that a fork does not use its parent's session."""
    import onnxruntime

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}. Put the network there, where every worker can read it.") from None
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ConfigError(f"{path}: its hash is {found}, not {sha256}: it is another network.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one worker per core
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own exception types
        raise ConfigError(f"{path}: onnxruntime cannot run it: {' '.join(str(error).split())[:300]}") from None
    return Network(session, session.get_inputs()[0].name)
