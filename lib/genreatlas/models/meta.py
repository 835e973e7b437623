"""What a model's folder says beside its classifier, and which model bears which alias; read without Spark."""

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

#: In the folder of the models: alias = model id. A copy of what the table ``promotions`` decided.
ALIASES = "aliases.json"


@dataclass(frozen=True)
class Meta:
    """``meta.json`` of a model.

    ``songs_of`` names the feature set whose songs it was trained on, with version and preprocessing: its own, but
    for baselines. ``train`` and ``clip`` are the configuration's sections as the release that trained it wrote them;
    :meth:`train_section` and :meth:`clip_section` read them. ``format`` says which engine reads the model, and
    ``spark`` holds what the engine keeps of it beside its file, such as what a Spark pipeline does not know of itself:
    input columns, classes that it saw, calibration. ``identity`` is what made two songs copies of one
    recording (:data:`genreatlas.datasets.library.Identity`). ``confidence`` holds temperatures and prediction sets
    (:meth:`sureness`); None in models that have none, such as those of earlier releases.
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
    identity: Literal["sound", "bytes"] = "bytes"  #: as in models of releases that did not say
    confidence: JsonView | None = None

    def sureness(self) -> Confidence | None:
        """How mean scores become calibrated probabilities and prediction sets; None where they stay as they are.

        Raises
        ------
        ModelError : what is stored cannot be read.
        """
        try:
            return Confidence.from_json(self.confidence, len(self.classes))
        except ModelError as error:
            raise ModelError(f"{self.model_id}: {error}") from None

    def train_section(self) -> TrainSection:
        """``[train]`` as this release spells it, without candidates; ModelError where it cannot be read."""
        try:
            return former.train_section(self.train)
        except ValueError as error:
            raise ModelError(f"{self.model_id}: {META}: {error}") from None

    def clip_section(self) -> ClipSection:
        """``[clip]`` as this release spells it; ModelError where it cannot be read."""
        try:
            return former.clip_section(self.clip)
        except ValueError as error:
            raise ModelError(f"{self.model_id}: {META}: {error}") from None


#: Fields whose values are names that a release may have changed.
_NAMES = ("axis", "format", "score_kind")


def read(folder: Path) -> Meta:
    """Read a model's ``meta.json``.

    Raises
    ------
    ModelError : its folder is missing, or holds something else.
    """
    try:
        fields = json.loads((folder / META).read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        names = {name: former.present_name(name, fields[name]) for name in _NAMES if name in fields}
        meta = Meta(**(fields | lists | names))
        if meta.axis not in LAYOUTS:
            raise ValueError(f"axis = {meta.axis!r} is no layout of feature sets")
        if not meta.model_id or Path(meta.model_id).name != meta.model_id:  # it names folders
            raise ValueError(f"model_id = {meta.model_id!r} is no name of a folder")
        return meta
    except OSError as error:
        raise ModelError(
            f"{folder / META}: {error.strerror}. Set models.path to where the model is, or run train_models again."
        ) from None
    except (ValueError, TypeError) as error:
        raise ModelError(f"{folder / META}: not a model of this version of Genre Atlas: {error}") from None


def read_aliases(models: Path) -> dict[str, str]:
    """Alias = model id; none where nothing was promoted yet."""
    try:
        return dict(json.loads((models / ALIASES).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{models / ALIASES}: cannot be read: {error}") from None


def write_alias(models: Path, alias: str, model_id: str) -> None:
    """Let an alias mean a model; the file is replaced whole."""
    aliases = read_aliases(models)
    if aliases.get(alias) == model_id:
        return
    models.mkdir(parents=True, exist_ok=True)
    partly = models / f".{ALIASES}.part"
    partly.write_text(json.dumps(aliases | {alias: model_id}, indent=1, sort_keys=True), encoding="utf-8")
    partly.replace(models / ALIASES)
