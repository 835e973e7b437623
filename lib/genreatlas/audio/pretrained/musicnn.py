"""musicnn (Pons & Serra 2019), trained on the Million Song Dataset, as an ONNX file: ``make embeddings``.

The weights are those of MSD_musicnn in the PyPI package musicnn 0.1.0 (ISC licence), which is downloaded, checked
against its hash and read; neither the package nor TensorFlow is installed. The network is rebuilt from its description:
J. Pons, X. Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging", ISMIR 2019
late-breaking; J. Pons et al., "End-to-end learning for music audio tagging at scale", ISMIR 2018.

One change makes it faster, with results equal up to rounding. The front end takes the maximum over bands of rectified
and normalised convolutions. Rectification and a normalisation with a positive factor preserve the order, so they are
applied after the maximum. For a negative factor the minimum is needed: it is the negated maximum of the convolution
with the negated kernel.
"""

import argparse
import ast
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genreatlas.arrays import AnyArray
from genreatlas.audio.pretrained.checkpoint import read_variables
from genreatlas.config import EmbeddingEntry, toml_value
from genreatlas.errors import GenreAtlasError, InputError

if TYPE_CHECKING:
    import onnx

Arrays = Mapping[str, npt.NDArray[np.float32]]

NAME = "msd_musicnn"
PACKAGE = "musicnn==0.1.0"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
TAUGHT = (
    "to name 50 tags that listeners gave to songs, most of them genres, on some 200,000 songs of the Million Song "
    "Dataset"
)
LICENCE = "ISC"

PATCH, MELS = 187, 96
#: Added to variances in batch normalisation, TensorFlow's default.
_EPSILON = 1e-3
#: Indices in the checkpoint of the front end's convolutions over time and frequency, and over time only.
_TIMBRAL, _TEMPORAL = (0, 1), (2, 3, 4)
#: Indices of the middle convolutions over time, with all preceding outputs as channels. Their normalisations follow
#: those of the front end.
_MIDDLE = (5, 6, 7)


def main() -> None:
    """Download and convert the network, and write it with its configuration entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=Path("data/embeddings"), help="folder for network and entry")
    parser.add_argument("--wheel", type=Path, help="the package's wheel, where it was downloaded already")
    parsed = parser.parse_args()
    try:
        file, conf = convert(parsed.into, parsed.wheel)
    except GenreAtlasError as error:
        sys.exit(f"make embeddings: {error}")
    print(f"{file}: the network ({file.stat().st_size / 1e6:.1f} MB)")
    print(f"{conf}: its entry in [[extract.embeddings]]. Extract its sets, {NAME} and {NAME}_tags, with")
    print(f"  ./spark-submit.sh pipeline --conf my.toml --conf {conf} \\")
    print(f'    --set \'extract.feature_sets=["{NAME}", "{NAME}_tags"]\' --set \'train.feature_sets=["{NAME}"]\'')


def convert(into: Path, wheel: Path | None = None) -> tuple[Path, Path]:
    """Write the network, and its entry as a configuration file.

    Parameters
    ----------
    into : folder to write to.
    wheel : the downloaded package; None downloads it.

    Returns
    -------
    Paths of the network and of the configuration file.

    Raises
    ------
    InputError : the package cannot be downloaded, or has another hash.
    """
    package = read_package(wheel)
    tags = package.tags
    model = build(package.variables, len(tags))
    into.mkdir(parents=True, exist_ok=True)
    file, conf = into / f"{NAME}.onnx", into / f"{NAME}.toml"
    content = model.SerializeToString(deterministic=True)
    file.write_bytes(content)
    (into / f"{NAME}.licence.md").write_bytes(package.licence)
    conf.write_text(conf_text(entry(file, hashlib.sha256(content).hexdigest(), tags)), encoding="utf-8")
    return file, conf


@dataclass(frozen=True)
class Package:
    """Contents read from the package: variables of the checkpoint, names of the tags, and text of the licence."""

    variables: Arrays
    tags: tuple[str, ...]
    licence: bytes


def read_package(wheel: Path | None = None) -> Package:
    """Read the package; downloads it if no wheel is given.

    Raises
    ------
    InputError : the package cannot be downloaded, or has another hash.
    """
    with tempfile.TemporaryDirectory(prefix="musicnn-") as folder:
        wheel = wheel or _download(Path(folder))
        if (found := hashlib.sha256(wheel.read_bytes()).hexdigest()) != WHEEL_SHA256:
            raise InputError(f"{wheel}: its hash is {found}, not that of {PACKAGE}, {WHEEL_SHA256}.")
        with zipfile.ZipFile(wheel) as archive:
            for end in (".index", ".data-00000-of-00001"):
                archive.extract(f"musicnn/MSD_musicnn/{end}", folder)
            tags = _constant(archive.read("musicnn/configuration.py").decode("utf-8"), "MSD_LABELS")
            licence = archive.read("musicnn-0.1.0.dist-info/LICENSE.md")
        return Package(read_variables(Path(folder) / "musicnn" / "MSD_musicnn"), tags, licence)


def entry(file: Path, sha256: str, tags: tuple[str, ...]) -> EmbeddingEntry:
    """Configuration entry with the network's input as in training: patches of three seconds without overlap."""
    return EmbeddingEntry(
        name=NAME,
        file=file,
        sha256=sha256,
        licence=LICENCE,
        taught=TAUGHT,
        sample_rate=16_000,
        n_fft=512,
        hop=256,
        n_mels=MELS,
        logarithm="log10",
        log_scale=10_000.0,
        log_shift=1.0,
        patch=PATCH,
        patch_hop=PATCH,
        output="embedding",
        dimensions=200,
        tags_output="tags",
        tags=tags,
    )


def conf_text(one: EmbeddingEntry) -> str:
    """Format an entry as a configuration file."""
    head = f"# Written by make embeddings. {PACKAGE}, {LICENCE} licence; docs/embeddings.md"
    keys = (f"{key} = {toml_value(getattr(one, key))}" for key in type(one).model_fields)
    return "\n".join([head, "[[extract.embeddings]]", *keys]) + "\n"


def _download(folder: Path) -> Path:
    asked = folder / "asked.txt"
    asked.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    options = ["-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), "-r", str(asked)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip download failed"])[-1]
        raise InputError(f"{PACKAGE} cannot be downloaded: {last}. Give a downloaded wheel by --wheel.")
    return next(folder.glob("*.whl"))


def _constant(source: str, name: str) -> tuple[str, ...]:
    """Value of a list of strings assigned to a name in a module's source."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            return tuple(str(one) for one in ast.literal_eval(node.value))
    raise InputError(f"{PACKAGE} has no {name}.")


def build(variables: Arrays, n_tags: int = 50) -> "onnx.ModelProto":
    """Build the network from the variables of a checkpoint. Input: patches (n, 187, 96); outputs: embedding and tags.

    Raises
    ------
    InputError : a variable is missing.
    """
    graph = _Graph(variables)
    (scale,), (shift,) = graph.normalisation(0)
    listened = graph.node("Unsqueeze", "patches", graph.whole(1))  # (n, 1, time, mels)
    listened = graph.affine(listened, np.array(scale), np.array(shift))
    front = [graph.highest_band(listened, place, (3, 0, 3, 0)) for place in _TIMBRAL]
    for place in _TEMPORAL:
        length = len(graph.variable(f"{_numbered('conv2d', place)}/kernel"))
        front.append(graph.highest_band(listened, place, ((length - 1) // 2, 0, length // 2, 0)))
    together = graph.node("Concat", *front, axis=1)  # (n, 561, time)
    first = graph.over_time(together, _MIDDLE[0])
    second = graph.node("Add", graph.over_time(first, _MIDDLE[1]), first)
    third = graph.node("Add", graph.over_time(second, _MIDDLE[2]), second)
    heard = graph.node("Concat", together, first, second, third, axis=1)
    # maximum and mean of each channel are adjacent
    pooled = [graph.node(kind, heard, graph.whole(2), keepdims=1) for kind in ("ReduceMax", "ReduceMean")]
    flat = graph.node("Flatten", graph.node("Concat", *pooled, axis=2), axis=1)
    hidden = graph.node("Relu", graph.dense(graph.affine(flat, *graph.normalisation(9)), "dense"))
    graph.node("Identity", graph.affine(hidden, *graph.normalisation(10)), name="embedding")
    graph.node("Sigmoid", graph.dense("embedding", "dense_1"), name="tags")
    return graph.model(n_tags)


def _numbered(name: str, place: int) -> str:
    """TensorFlow's name of a layer; the first layer of a kind has no number."""
    return f"{name}_{place}" if place else name


class _Graph:
    """Nodes and weights of the network under construction."""

    def __init__(self, variables: Arrays) -> None:
        self._variables = variables
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def variable(self, name: str) -> npt.NDArray[np.float64]:
        """A variable as float64, so that combined weights are rounded only once."""
        if name not in self._variables:
            raise InputError(f"the checkpoint has no {name}.")
        return np.asarray(self._variables[name], dtype=np.float64)

    def normalisation(self, place: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Factor and offset of a trained batch normalisation."""
        beta, gamma, mean, variance = (
            self.variable(f"{_numbered('batch_normalization', place)}/{part}")
            for part in ("beta", "gamma", "moving_mean", "moving_variance")
        )
        factor = gamma / np.sqrt(variance + _EPSILON)
        return factor, beta - mean * factor

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        name = name or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def weight(self, values: AnyArray) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def whole(self, *numbers: int) -> str:
        """Add an int64 constant, such as axes."""
        return self.weight(np.array(numbers, dtype=np.int64))

    def real(self, values: npt.NDArray[np.float64]) -> str:
        """Add a float32 constant."""
        return self.weight(np.asarray(values, dtype=np.float32))

    def affine(self, value: str, factor: npt.NDArray[np.float64], summand: npt.NDArray[np.float64]) -> str:
        """Add ``factor * value + summand``."""
        return self.node("Add", self.node("Mul", value, self.real(factor)), self.real(summand))

    def dense(self, value: str, layer: str) -> str:
        """Add a fully connected layer."""
        weights = (self.real(self.variable(f"{layer}/{part}")) for part in ("kernel", "bias"))
        return self.node("Gemm", value, *weights)

    def highest_band(self, listened: str, place: int, pads: tuple[int, int, int, int]) -> str:
        """Add a convolution of the front end, its maximum over bands, and normalisation: (n, filters, time)."""
        kernel = self.variable(f"{_numbered('conv2d', place)}/kernel")  # (time, mels, 1, filters)
        bias = self.variable(f"{_numbered('conv2d', place)}/bias")[:, None]
        factor, summand = self.normalisation(1 + place)
        sign = np.where(factor < 0.0, -1.0, 1.0)
        signed = kernel.transpose(3, 2, 0, 1) * sign[:, None, None, None]
        found = self.node("Conv", listened, self.real(signed), pads=pads)
        highest = self.node("ReduceMax", found, self.whole(3), keepdims=0)
        heard = self.node("Relu", self.affine(highest, sign[:, None], bias))
        return self.affine(heard, factor[:, None], summand[:, None])

    def over_time(self, value: str, place: int) -> str:
        """Add a middle convolution over time with its normalisation: (n, filters, time)."""
        layer = _numbered("conv2d", place)
        kernel = self.variable(f"{layer}/kernel")[:, :, 0, :].transpose(2, 1, 0)  # (filters, channels, time)
        weights = (self.real(kernel), self.real(self.variable(f"{layer}/bias")))
        heard = self.node("Relu", self.node("Conv", value, *weights, pads=(3, 3)))
        factor, summand = self.normalisation(1 + place)
        return self.affine(heard, factor[:, None], summand[:, None])

    def model(self, n_tags: int) -> "onnx.ModelProto":
        """Return the complete network."""
        import onnx
        from onnx import TensorProto, helper

        patches = helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["n", PATCH, MELS])
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
            for name, width in (("embedding", len(self.variable("dense/bias"))), ("tags", n_tags))
        ]
        graph = helper.make_graph(self._nodes, NAME, [patches], outputs, self._weights)
        # versions supported by onnxruntime 1.15 and later
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        onnx.checker.check_model(model)
        return model


if __name__ == "__main__":
    main()
