"""Read TOML layers and overrides into one :class:`Config`, with errors that name file and key."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args, get_origin

from pydantic import Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from genreatlas.config import collecting, extraction, map_sections, operation, probing, recipes, sections
from genreatlas.config.topics import TopicsSection
from genreatlas.config.web import WebSection
from genreatlas.errors import ConfigError
from genreatlas.redaction import redact_value

#: Section class of the entries of each list of tables.
_ENTRIES: dict[str, Any] = {
    "candidates": sections.Candidate,
    "playlists": collecting.PlaylistsEntry,
    "searches": collecting.SearchEntry,
    "recipes": recipes.PlaylistRecipe,
    "apart": probing.ApartTest,
    "embeddings": extraction.EmbeddingEntry,
}


class Config(sections.Section):
    """The whole configuration, created once per job by :func:`load_config`."""

    seed: int = Field(7, description="Seed of every section that has no seed of its own.")
    store: sections.StoreSection = sections.StoreSection()
    spark: sections.SparkSection = sections.SparkSection()
    pipeline: sections.PipelineSection = sections.PipelineSection()
    sandbox: sections.SandboxSection = sections.SandboxSection()
    folder: sections.FolderSection = sections.FolderSection()
    world: sections.WorldSection = sections.WorldSection()
    every_noise: collecting.EveryNoiseSection = collecting.EveryNoiseSection()
    sync: sections.SyncSection = sections.SyncSection()
    clip: sections.ClipSection = sections.ClipSection()
    limits: sections.LimitsSection = sections.LimitsSection()
    fan_out: collecting.FanOutSection = collecting.FanOutSection()
    spotify: collecting.SpotifySection = collecting.SpotifySection()
    playlists: tuple[collecting.PlaylistsEntry, ...] = ()
    fetch_previews: collecting.FetchPreviewsSection = collecting.FetchPreviewsSection()
    deezer: collecting.DeezerSection = collecting.DeezerSection()
    http: collecting.HttpSection = collecting.HttpSection()
    extract: extraction.ExtractSection = extraction.ExtractSection()
    recordings: extraction.RecordingsSection = extraction.RecordingsSection()
    import_features: sections.ImportFeaturesSection = sections.ImportFeaturesSection()
    splits: sections.SplitsSection = sections.SplitsSection()
    topics: TopicsSection = TopicsSection()
    train: sections.TrainSection = sections.TrainSection()
    models: sections.ModelsSection = sections.ModelsSection()
    evaluate: sections.EvaluateSection = sections.EvaluateSection()
    probe: probing.ProbeSection = probing.ProbeSection()
    map: map_sections.MapSection = map_sections.MapSection()
    neighbours: map_sections.NeighboursSection = map_sections.NeighboursSection()
    playlist: recipes.PlaylistSection = recipes.PlaylistSection()
    report: sections.ReportSection = sections.ReportSection()
    web: WebSection = WebSection()
    export: operation.ExportSection = operation.ExportSection()
    purge: collecting.PurgeSection = collecting.PurgeSection()
    rebuild: sections.RebuildSection = sections.RebuildSection()
    housekeeping: operation.HousekeepingSection = operation.HousekeepingSection()
    retrain: operation.RetrainSection = operation.RetrainSection()
    rollback: operation.RollbackSection = operation.RollbackSection()
    score: operation.ScoreSection = operation.ScoreSection()
    drift: operation.DriftSection = operation.DriftSection()
    mlflow: operation.MlflowSection = operation.MlflowSection()

    @model_validator(mode="before")
    @classmethod
    def _hand_down_the_seed(cls, values: Any) -> Any:
        """Set the top-level seed in sections without a seed of their own; a seed that is no integer fails later."""
        seed = values.get("seed") if isinstance(values, Mapping) else None
        if not isinstance(seed, int):
            return values
        handed = dict(values)
        for name, field in cls.model_fields.items():
            given = handed.get(name, {})
            if _is_section(field.annotation) and "seed" in field.annotation.model_fields and isinstance(given, Mapping):
                handed[name] = {"seed": seed, **given}
        return handed


def load_config(files: Iterable[str | Path] = (), overrides: Iterable[str] = ()) -> Config:
    """Layer TOML files and ``section.key=value`` overrides over the defaults.

    Parameters
    ----------
    files : paths of TOML files; later files take precedence, key by key.
    overrides : such as ``train.min_songs=20``; the value is TOML, and a bare word is a string. A table is merged with
        the table of the files; an empty table ``{}`` replaces it.

    Raises
    ------
    ConfigError : a file that is missing or not TOML, an unknown key, a value of the wrong type.
        The message names the file (or ``--set``), the key, and the nearest valid key.
    """
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for file in files:
        _overlay(merged, _read_toml(Path(file)), str(file), origin)
    for override in overrides:
        key, value = parse_override(override)
        layer: dict[str, Any] = {}
        *parents, last = key.split(".")
        place, below = layer, merged
        for parent in parents:
            place = place.setdefault(parent, {})
            below = below.get(parent, {}) if isinstance(below, dict) else {}
        place[last] = value
        if value == {} and isinstance(below, dict):
            below.pop(last, None)
        # The value of any Spark setting may be a secret.
        said = key if key.startswith("spark.settings") else override
        _overlay(merged, layer, f"--set {said}", origin)
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, origin)) from None


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``section.key=value`` and parse the value as TOML; a bare word is a string.

    Raises
    ------
    ConfigError : the text has no ``=`` or no section.
    """
    key, equals, raw = text.partition("=")
    key = key.strip()
    if not equals or ("." not in key and key != "seed"):
        raise ConfigError(f"--set {text}: expected section.key=value, such as --set folder.path=/music")
    try:
        return key, tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return key, raw


def to_toml(config: sections.Section, comments: bool = True, secrets: bool = True) -> str:
    """Format a configuration as TOML.

    Parameters
    ----------
    comments : write the description of each key above it.
    secrets : include values that may be secret; otherwise see :mod:`genreatlas.redaction`.
    """
    blocks = []
    for name, field in type(config).model_fields.items():
        section = getattr(config, name)
        if not isinstance(section, sections.Section | tuple):
            blocks.append(
                "\n".join([*([f"# {describe(field)}"] if comments else []), f"{name} = {toml_value(section)}"])
            )
        elif isinstance(section, tuple):
            told = f"# {(_ENTRIES[name].__doc__ or '').strip()}"
            keys = [f"# {key} =" for key in _ENTRIES[name].model_fields]
            entries = [[f"[[{name}]]", *_keys(entry, name, False, secrets)] for entry in section]
            blocks += ["\n".join([told, *lines]) for lines in entries or [[f"# [[{name}]]", *keys]]]
        else:
            lines = [
                f"# {(type(section).__doc__ or '').strip()}",
                f"[{name}]",
                *_keys(section, name, comments, secrets, getattr(config, "seed", None)),
            ]
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _keys(
    section: sections.Section, name: str, comments: bool, secrets: bool, common_seed: int | None = None
) -> list[str]:
    usual, expert = keys_of(type(section))
    lines = []
    for key, field in (*usual.items(), *expert.items()):
        if comments and key == next(iter(expert), None):
            lines += ["", f"# Expert keys of [{name}]:"]
        if comments:
            lines.append(f"# {describe(field)}")
        value = getattr(section, key)
        text = toml_value(value if secrets else redact_value(f"{name}.{key}", value))
        if text is None or (key == "seed" and value == common_seed):
            lines.append(f"# {field.alias or key} =")
        else:
            lines.append(f"{field.alias or key} = {text}")
    return lines


def keys_of(section: type[sections.Section]) -> tuple[dict[str, FieldInfo], dict[str, FieldInfo]]:
    """Fields of a section by key: usual keys, and expert keys."""
    fields = section.model_fields
    expert = {key: field for key, field in fields.items() if field.json_schema_extra == sections.EXPERT}
    return {key: field for key, field in fields.items() if key not in expert}, expert


def describe(field: FieldInfo) -> str:
    """Description of a key, with the allowed values appended if the description does not list them."""
    text = field.description or ""
    words = [str(word) for word in _allowed(field.annotation) if word != ""]
    if len(words) > 10 or all(re.search(rf"\b{re.escape(word)}\b", text) for word in words):
        return text
    return f"{text} One of: {', '.join(words)}."


def _allowed(annotation: Any) -> list[Any]:
    """Values of all Literal types within a type."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return list(arguments)
    return [word for argument in arguments for word in _allowed(argument)]


def _is_section(annotation: Any) -> TypeGuard[type[sections.Section]]:
    return isinstance(annotation, type) and issubclass(annotation, sections.Section)


def toml_value(value: Any) -> str | None:
    """Format a value as TOML; None if the value is None, which TOML cannot express."""
    if value is None:
        return None
    if isinstance(value, bool | int | float | str | Path):
        return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
    if isinstance(value, sections.Section):
        value = value.model_dump(exclude_defaults=True)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    return "[" + ", ".join(str(toml_value(item)) for item in value) + "]"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _overlay(
    base: dict[str, Any], layer: Mapping[str, Any], where: str, origin: dict[str, str], prefix: str = ""
) -> None:
    for key, value in layer.items():
        dotted = f"{prefix}{key}"
        origin[dotted] = where
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _overlay(base[key], value, where, origin, f"{dotted}.")
        elif isinstance(value, Mapping):
            base[key] = {}
            _overlay(base[key], value, where, origin, f"{dotted}.")
        else:
            base[key] = value


#: Message by pydantic error type; {names} are filled from pydantic's context, such as the bound.
_WRONG = {
    "missing": "is missing",
    "int": "is not a whole number",
    "float": "is not a number",
    "bool": "is neither true nor false",
    "string_type": "is not a string",
    "dict_type": "is not a table",
    "tuple_type": "is not a list. Put it into [brackets]",
    "string_too_short": "must not be empty",
    "too_short": "needs at least {min_length}",
    "string_pattern_mismatch": "does not match {pattern}",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be finite",
}


def _explain(error: ValidationError, origin: Mapping[str, str]) -> str:
    problems = error.errors()
    words = {_key([str(part) for part in one["loc"]]) for one in problems if one["type"] == "literal_error"}
    lines = []
    for problem in problems:
        location = [str(part) for part in problem["loc"]]
        dotted, key = ".".join(location), _key(location)
        where = next((origin[key] for key in _prefixes(location) if key in origin), "configuration")
        given = redact_value(dotted, problem["input"])
        if problem["type"] == "extra_forbidden":
            valid = _valid_keys(location)
            near = difflib.get_close_matches(location[-1], valid, n=1, cutoff=0.5)
            meant = ".".join([*location[:-1], *near])
            hint = f"Did you mean {meant}?" if near else f"Valid here: {', '.join(valid)}."
            lines.append(f"{where}: unknown key {dotted}. {hint}")
        elif problem["type"] == "literal_error":
            allowed = re.findall(r"'([^']*)'", str(problem["ctx"]["expected"]))
            number = [" or a number"] if any(_key_and_kind(one) == (key, "float") for one in problems) else []
            lines.append(f"{where}: {key} = {given!r} is not allowed.{_hint(problem, allowed, *number)}")
        elif key in words:
            continue  # a word or a number is allowed: the line for the word names both
        elif isinstance(problem["input"], Mapping) and problem["type"] == "value_error":
            lines.append(
                f"{where}: {key}: {_said(problem)}"
            )  # of keys that do not fit together: the message names them
        elif problem["type"] == "missing":
            lines.append(f"{where}: {key} {'has too few values' if location[-1].isdigit() else 'is missing'}.")
        else:
            lines.append(f"{where}: {key} = {given!r} {_said(problem)}")
    return "\n".join(dict.fromkeys(lines))


def _said(problem: Any) -> str:
    """Message for a wrong value: from :data:`_WRONG`, or else pydantic's."""
    kind = problem["type"]
    words = _WRONG.get(kind) or _WRONG.get(kind.partition("_")[0])
    if words:
        return f"{words.format(**problem.get('ctx', {}))}."
    message = str(problem["msg"]).removeprefix("Value error, ")
    return message if isinstance(problem["input"], Mapping) else f"is not allowed: {message}"


def _key_and_kind(problem: Any) -> tuple[str, str]:
    return _key([str(part) for part in problem["loc"]]), str(problem["type"]).partition("_")[0]


def _key(location: list[str]) -> str:
    """The key as written in a file: without list indices (except in candidates) and pydantic's names of types."""
    named = [part for part in location if not re.fullmatch(r"\[key\]|(literal|float|int|str)\b.*", part)]
    while named and named[-1].isdigit() and named[-2:-1] != ["candidates"]:
        named.pop()
    return ".".join(named)


def _hint(problem: Any, allowed: list[str], more: str = "") -> str:
    near = difflib.get_close_matches(str(problem["input"]), allowed, n=1, cutoff=0.5)
    words = [f" Did you mean {near[0]}?"] if near else []
    return "".join([*words, f" Allowed: {', '.join(one or 'empty' for one in allowed)}{more}."])


def _prefixes(location: list[str]) -> list[str]:
    return [".".join(location[:end]) for end in range(len(location), 0, -1)]


def _valid_keys(location: list[str]) -> list[str]:
    model: Any = Config
    for part in location[:-1]:
        if part.isdigit():
            continue
        field = model.model_fields.get(part)
        annotation = field.annotation if field else None
        model = _ENTRIES.get(part, annotation)
        if not (isinstance(model, type) and issubclass(model, sections.Section)):
            return []
    return [field.alias or name for name, field in model.model_fields.items()]
