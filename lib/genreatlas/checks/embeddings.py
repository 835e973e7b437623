"""Checks of pretrained networks: the file exists, has the configured hash, and fits its entry."""

from pathlib import Path

from genreatlas.audio.onnx_files import Signature, Tensor, file_hash, read_signature
from genreatlas.checks.problems import Problem, missing, not_installed
from genreatlas.config import Config, EmbeddingEntry
from genreatlas.errors import ConfigError

#: Extra with onnxruntime.
_ONNX = "'genreatlas[onnx]'"


def embedding_problems(config: Config) -> list[Problem]:
    """Problems of the networks whose feature sets are to be extracted; files are read but not run."""
    asked = set(config.extract.feature_sets)
    used = [entry for entry in config.extract.embeddings if asked & {entry.name, entry.tags_name}]
    found = [problem for entry in used for problem in _file_problems(entry)]
    return found + (not_installed("onnxruntime", "extract.embeddings", _ONNX) if used else [])


def _file_problems(entry: EmbeddingEntry) -> list[Problem]:
    where = f"extract.embeddings: {entry.name}"
    if lacking := missing(f"{where}: file", Path(entry.file), "file"):
        return lacking
    try:
        if (found := file_hash(entry.file)) != entry.sha256:
            text = f"{where}: {entry.file} has the hash {found}, not {entry.sha256}"
            return [
                Problem(
                    f"{text}: it is another network. Set sha256 to this hash, which makes a new version of its sets."
                )
            ]
        signature = read_signature(entry.file.read_bytes())
    except (ConfigError, OSError) as error:
        return [Problem(f"{where}: {entry.file}: {error}.")]
    return [Problem(f"{where}: {entry.file}: {text}.") for text in misfits(signature, entry)]


def misfits(signature: Signature, entry: EmbeddingEntry) -> list[str]:
    """All differences between a network's inputs and outputs and its entry, as texts."""
    found = []
    lengths = {"batch": 1, "one": 1, "time": entry.patch, "mels": entry.n_mels}
    expected = tuple(lengths[axis] for axis in entry.axes)
    if len(signature.inputs) != 1:
        names = ", ".join(one.name for one in signature.inputs) or "none"
        found.append(f"it has the inputs {names}; exactly one is supported, for patches")
    else:
        (given,) = signature.inputs
        if not given.is_float32:
            found.append(f"its input {given.name} is not of 32-bit floats")
        if not _fits(given, expected):
            words = ", ".join(f"{axis} {length}" for axis, length in zip(entry.axes, expected, strict=True))
            found.append(f"its input {given.name} is {given.shown}, but axes, patch and n_mels give ({words})")
    outputs = {one.name: one for one in signature.outputs}
    wanted = [("output", entry.output, "dimensions", entry.dimensions)]
    wanted += [("tags_output", entry.tags_output, "the number of tags", len(entry.tags))] if entry.tags else []
    for key, name, words, width in wanted:
        if name not in outputs:
            found.append(f"{key} = {name}: no such output. Outputs: {', '.join(outputs)}")
        elif not _fits(outputs[name], (1, width)) or not outputs[name].is_float32:
            found.append(f"{key} = {name} is {outputs[name].shown}, but {words} is {width}: (batch, {width}) of floats")
    return found


def _fits(tensor: Tensor, expected: tuple[int, ...]) -> bool:
    """Whether a tensor can have these lengths; dynamic axes fit any length."""
    if tensor.shape is None:
        return True
    return len(tensor.shape) == len(expected) and all(
        length is None or length == wanted for length, wanted in zip(tensor.shape, expected, strict=True)
    )
