"""Pretrained networks in the folder of a model that was trained on their embeddings: a copy of each and its entry.

With them a model's folder can be moved and scores files without the configuration of its training.
"""

import json
import shutil
from pathlib import Path

from pydantic import ValidationError

from genreatlas.audio.embeddings import EmbeddingSet, sets_of
from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.config import EmbeddingEntry
from genreatlas.config.joined import members_of
from genreatlas.errors import ModelError

NETWORKS = "networks.json"


def bring_along(models: Path, folder: Path, feature_set: str) -> None:
    """Copy the networks that compute a model's features into its folder; models of one network share a hard link.

    Parameters
    ----------
    models : folder of the models.
    folder : folder of the model that is being written.
    feature_set : feature set of the model, or several joined sets.

    Raises
    ------
    ModelError : the file of a network is missing.
    """
    known = (FEATURE_SETS.get(name) for name in members_of(feature_set))
    entries = tuple(dict.fromkeys(one.entry for one in known if isinstance(one, EmbeddingSet)))
    for entry in entries:
        target = folder / f"{entry.sha256}.onnx"
        if not any(_linked(source, target) for source in sorted(models.glob(f"[!.]*/{target.name}"))):
            try:
                shutil.copyfile(entry.file, target)
            except OSError as error:
                raise ModelError(
                    f"{entry.file}: {error.strerror}. The network must be readable, because the model stores a copy."
                ) from None
    if entries:
        told = [entry.model_dump(mode="json", exclude={"file"}) for entry in entries]
        (folder / NETWORKS).write_text(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without hard links
        return False
    return True


def networks_of(folder: Path) -> tuple[EmbeddingSet, ...]:
    """Read the feature sets of the networks in a model's folder; empty if it was trained on other features.

    Raises
    ------
    ModelError : the entries of the networks cannot be read.
    """
    file = folder / NETWORKS
    if not file.exists():
        return ()
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        placed = [EmbeddingEntry(**entry, file=folder / f"{entry['sha256']}.onnx") for entry in entries]
    except (OSError, ValueError, TypeError, KeyError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{file}: not the networks of a model of this version of Genre Atlas: {first}") from None
    return tuple(one for entry in placed for one in sets_of(entry))
