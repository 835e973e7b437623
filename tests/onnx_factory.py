"""Small networks with known outputs, as ONNX files, and their entries in ``[[extract.embeddings]]``."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from genreatlas.config import EmbeddingEntry

onnx = pytest.importorskip("onnx", reason="make test-oldest runs without onnx")
helper, numpy_helper, TensorProto = onnx.helper, onnx.numpy_helper, onnx.TensorProto

RATE, PATCH, BANDS = 16_000, 32, 24
TAGS = ("low", "High & clear")


def band_means(path: Path, axes: tuple[str, ...] = ("batch", "time", "mels"), **changes: object) -> EmbeddingEntry:
    """A network whose embedding is the mean of each band over time, with two tags for low and high sound.

    The tag ``low`` is the logistic function of the mean of the lower half of the bands minus the mean of the upper
    half.
    """
    time, mels = axes.index("time"), axes.index("mels")
    lengths = [{"batch": "n", "time": PATCH, "mels": BANDS, "one": 1}[axis] for axis in axes]
    patch = helper.make_tensor_value_info("patches", TensorProto.FLOAT, lengths)
    outputs = [
        helper.make_tensor_value_info("means", TensorProto.FLOAT, ["n", BANDS]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]),
    ]
    half = np.repeat([1.0, -1.0], BANDS // 2) / (BANDS // 2)
    constants = {
        "time": np.array([time], dtype=np.int64),
        "flat": np.array([-1, BANDS], dtype=np.int64),
        "halves": np.stack([half, -half], axis=1).astype(np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["patches", "time"], ["reduced"], keepdims=0),
        helper.make_node("Reshape", ["reduced", "flat"], ["means"]),
        helper.make_node("MatMul", ["means", "halves"], ["differences"]),
        helper.make_node("Sigmoid", ["differences"], ["probabilities"]),
    ]
    assert mels != time
    write(path, nodes, [patch], outputs, constants)
    onnx.checker.check_model(path)
    return entry(path, **{"axes": axes, **changes})


def write(path: Path, nodes, inputs, outputs, constants=()) -> None:
    """Write a network to an ONNX file."""
    weights = [numpy_helper.from_array(value, name) for name, value in dict(constants).items()]
    graph = helper.make_graph(nodes, "network", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


def entry(path: Path, **changes: object) -> EmbeddingEntry:
    """Configuration entry of a network."""
    fields = {
        "name": "bands", "file": path, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "licence": "CC0-1.0",
        "taught": "nothing, on no recordings", "sample_rate": RATE, "n_fft": 512, "hop": 256, "n_mels": BANDS,
        "log_scale": 10_000.0, "log_shift": 1.0, "patch": PATCH, "patch_hop": PATCH, "output": "means",
        "dimensions": BANDS, "tags_output": "probabilities", "tags": TAGS,
    }  # fmt: skip
    return EmbeddingEntry(**(fields | changes))


def setting(one: EmbeddingEntry) -> str:
    """The entry as a TOML value."""
    from genreatlas.config import toml_value

    return str(toml_value([one]))
