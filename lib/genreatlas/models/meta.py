"""Metadata in a model's folder (``meta.json``) and the file of aliases; both are read without Spark."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genreatlas.audio.layouts import LAYOUTS
from genreatlas.config import ClipSection, TrainSection, former
from genreatlas.errors import ModelError
from genreatlas.models.confidence import Confidence
from genreatlas.models.types import ScoreKind
from genreatlas.values import JsonView

META = "meta.json"

#: File in the folder of the models: alias = model id. A copy of the decisions in the table ``promotions``.
ALIASES = "aliases.json"


@dataclass(frozen=True)
class Meta:
    """``meta.json`` of a model.

    ``songs_of`` is (feature set, version, preprocessing id) of the set whose songs the model was trained on; it is the
    model's own set except for baselines. ``train`` and ``clip`` are sections of the configuration as written by the
    release that trained the model; :meth:`train_section` and :meth:`clip_section` convert them. ``format`` determines
    the engine that reads the model. ``spark`` holds what the engine stores outside the model file, such as the input
    columns, observed classes and calibration of a Spark pipeline. ``identity`` is the rule by which two songs counted
    as copies of one recording (:data:`genreatlas.datasets.library.Identity`). ``confidence`` holds temperatures and
    prediction sets (:meth:`sureness`); None for models without them, such as those of earlier releases.
    """

    model_id: str
    feature_set: str
    set_version: str
    preprocessing_id: str
    songs_of: tuple[str, str, str]
    axis: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    class_names: tuple[str, ...]
    multi: bool
    score_kind: ScoreKind
    format: str
    imputation: str
    train: JsonView
    clip: JsonView
    spark: JsonView | None = None
    identity: Literal["sound", "bytes"] = "bytes"  #: default: the rule of releases that did not store it
    confidence: JsonView | None = None

    def sureness(self) -> Confidence | None:
        """Calibration and prediction sets of the model; None if it has none.

        Raises
        ------
        ModelError : the stored values cannot be read.
        """
        try:
            return Confidence.from_json(self.confidence, len(self.classes))
        except ModelError as error:
            raise ModelError(f"{self.model_id}: {error}") from None

    def train_section(self) -> TrainSection:
        """``[train]`` with the names of this release, without candidates; ModelError if it cannot be read."""
        try:
            return former.train_section(self.train)
        except ValueError as error:
            raise ModelError(f"{self.model_id}: {META}: {error}") from None

    def clip_section(self) -> ClipSection:
        """``[clip]`` with the names of this release; ModelError if it cannot be read."""
        try:
            return former.clip_section(self.clip)
        except ValueError as error:
            raise ModelError(f"{self.model_id}: {META}: {error}") from None


#: Fields whose values may have had other names in earlier releases.
_NAMES = ("axis", "format", "score_kind")


def read(folder: Path) -> Meta:
    """Read a model's ``meta.json``.

    Raises
    ------
    ModelError : the file is missing or is not a model of this version.
    """
    try:
        fields = json.loads((folder / META).read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        names = {name: former.present_name(name, fields[name]) for name in _NAMES if name in fields}
        meta = Meta(**(fields | lists | names))
        if meta.axis not in LAYOUTS:
            raise ValueError(f"axis = {meta.axis!r} is not a layout of feature sets")
        if not meta.model_id or Path(meta.model_id).name != meta.model_id:  # used as the name of a folder
            raise ValueError(f"model_id = {meta.model_id!r} is not a valid folder name")
        return meta
    except OSError as error:
        raise ModelError(
            f"{folder / META}: {error.strerror}. Set models.path to where the model is, or run train_models again."
        ) from None
    except (ValueError, TypeError) as error:
        raise ModelError(f"{folder / META}: not a model of this version of Genre Atlas: {error}") from None


def read_aliases(models: Path) -> dict[str, str]:
    """Read the aliases as alias = model id; empty if nothing was promoted yet."""
    try:
        return dict(json.loads((models / ALIASES).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{models / ALIASES}: cannot be read: {error}") from None


def write_alias(models: Path, alias: str, model_id: str) -> None:
    """Point an alias to a model. The file is replaced atomically."""
    aliases = read_aliases(models)
    if aliases.get(alias) == model_id:
        return
    models.mkdir(parents=True, exist_ok=True)
    partly = models / f".{ALIASES}.part"
    partly.write_text(json.dumps(aliases | {alias: model_id}, indent=1, sort_keys=True), encoding="utf-8")
    partly.replace(models / ALIASES)
