"""The plan of a job: its steps in order, the tables that each reads and writes, and errors in the configuration."""

import ast
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genreatlas import checks
from genreatlas.audio.feature_sets import ALWAYS, FEATURE_SETS, adopt_embeddings
from genreatlas.audio.layouts import LAYOUTS
from genreatlas.checks.problems import Problem, is_address, not_writable, raised, sandbox_lacks
from genreatlas.config import Candidate, Config, toml_value
from genreatlas.config.joined import feature_sets_of
from genreatlas.errors import ConfigError, nearest
from genreatlas.models.candidates import grid_points, is_quick, listed, quick
from genreatlas.redaction import redact_value
from genreatlas.tables import SPOTIFY_AUDIO_SET

#: Environment variables that indicate that paths are not on the local file system.
_ELSEWHERE = ("SPARK_REMOTE", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "DATABRICKS_RUNTIME_VERSION")

#: Keys of a step that are shown even with their default value; other keys are shown if they differ from it.
_SHOWN = {
    "compose_library": ("sandbox.path",),
    "scrape_genres": ("every_noise.map",),
    "import_folder": ("folder.path", "folder.labels"),
    "import_features": ("import_features.path", "import_features.name"),
    "fetch_previews": ("fetch_previews.providers",),
    "extract_features": ("extract.feature_sets", "clip.position", "clip.seconds"),
    "link_recordings": ("recordings.timbre",),
    "assign_splits": ("splits.name", "splits.test", "splits.promotion", "splits.folds", "splits.group_by"),
    "fit_topics": ("topics.feature_set", "topics.words", "topics.topics", "splits.name"),
    "train_models": ("train.feature_sets", "train.labels", "train.metric", "train.min_songs", "models.path"),
    "evaluate_models": ("evaluate.part",),
    "probe": ("probe.experiments",),
    "map_genres": ("map.feature_set", "map.lenses"),
    "find_neighbours": ("neighbours.feature_set", "neighbours.correction"),
    "make_playlist": ("playlist.path", "playlist.feature_set", "playlist.publish"),
    "write_report": ("report.path",),
    "publish_site": ("web.path", "web.feature_set"),
    "export": ("export.feature_sets", "export.path"),
    "promote_model": ("retrain.engines",),
    "score": ("score.model",),
}


@dataclass(frozen=True)
class StepFacts:
    """Facts declared in a step's module: first line of the docstring, tables, sections of the configuration."""

    summary: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    sections: tuple[str, ...]


@dataclass(frozen=True)
class PlannedStep:
    """One step of a job, with its problems."""

    name: str
    facts: StepFacts
    settings: tuple[str, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Plan:
    """All steps of a job."""

    steps: tuple[PlannedStep, ...]
    common: tuple[Problem, ...]

    def found(self, warnings: bool = False) -> list[Problem]:
        """Errors (or warnings) of the whole job, without duplicates."""
        every = [*self.common, *(problem for step in self.steps for problem in step.problems)]
        return list({str(problem): problem for problem in every if problem.warning == warnings}.values())

    def require(self) -> None:
        """Raise if there are errors.

        Raises
        ------
        ConfigError : there are errors; the message has all of them, one per line.
        """
        problems = [_indented(str(problem)) for problem in self.found()]
        if len(problems) == 1:
            raise ConfigError(problems[0])
        if problems:
            head = f"{len(problems)} errors in the configuration; no step was started:"
            raise ConfigError("\n  - ".join([head, *problems]))


def facts_of(step: str) -> StepFacts:
    """Facts of a step, parsed from its source without importing it: the imports would take seconds."""
    spec = importlib.util.find_spec(f"genreatlas.steps.{step}")
    source = spec.loader.get_source(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]
    tree = ast.parse(source or "")
    found: dict[str, tuple[str, ...]] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id in ("READS", "WRITES", "SECTIONS"):
            found[target.id] = tuple(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    return StepFacts(
        (ast.get_docstring(tree) or "").splitlines()[0], found["READS"], found["WRITES"], found["SECTIONS"]
    )


def make_plan(steps: Sequence[str], config: Config) -> Plan:
    """Check every step of a job, and register the configured pretrained networks in this process.

    The inputs of a step must be outputs of earlier steps, or exist in the store (checked if it is a local folder).
    """
    common = raised(adopt_embeddings, config.extract.embeddings)
    made: set[Path] = set()
    given: set[str] = set()
    planned: list[PlannedStep] = []
    told: set[str] = set()
    for place, name in enumerate(steps):
        check: Callable[[Config], list[Problem]] = getattr(checks, name)
        problems = [problem for problem in check(config) if not _is_made(problem, made)]
        problems += _order(name, config, given, steps[place + 1 :])
        given |= _gives(name, config)
        if name == "compose_library":
            made.add(config.sandbox.path.absolute())
        facts = facts_of(name)
        settings = [line for line in _settings(name, facts, config) if line not in told]
        told.update(settings)
        planned.append(PlannedStep(name, facts, tuple(settings), tuple(problems)))
    return Plan(tuple(planned), (*common, *_common(config)))


def lines(job: str, plan: Plan, config: Config) -> Iterator[str]:
    """Lines of the plan for printing."""
    store = _place(config)
    yield f"{job}: {len(plan.steps)} steps, on {store}"
    for number, step in enumerate(plan.steps, 1):
        yield f"\n{number:2}. {step.name}: {step.facts.summary}"
        yield f"      reads   {', '.join(step.facts.reads) or '-'}"
        yield f"      writes  {', '.join(step.facts.writes) or '-'}"
        yield from (f"      with    {setting}" for setting in step.settings)
    for title, found in (("error", plan.found()), ("warning", plan.found(warnings=True))):
        if found:
            yield f"\n{len(found)} {title}{'s' * (len(found) > 1)}:"
            yield from (f"  - {_indented(str(problem))}" for problem in found)
    if not plan.found():
        yield f"\nNo errors found. Run it with the job {job}."


def _common(config: Config) -> list[Problem]:
    found = []
    if _is_folder(config):
        found += not_writable("store.path", Path(config.store.path))
    if config.world.start:
        found += sandbox_lacks("world.start: the sandbox world", "aiohttp", "lameenc", "mutagen")
    if config.fan_out.runner == "executors" and config.spark.settings.get("spark.speculation") == "true":
        text = 'fan_out.runner = "executors" needs spark.speculation = false: duplicate tasks double the request rate.'
        found.append(Problem(text))
    return found


def _is_made(problem: Problem, made: Iterable[Path]) -> bool:
    """Whether a missing path will be created by an earlier step."""
    path = problem.path.absolute() if problem.path is not None else None
    return path is not None and any(folder == path or folder in path.parents for folder in made)


def _gives(step: str, config: Config) -> set[str]:
    """Outputs of a step: tables, and feature sets as ``set:name``."""
    sets: Iterable[str] = ()
    if step == "extract_features":
        sets = (*config.extract.feature_sets, *ALWAYS)
    if step == "import_features":
        sets = (config.import_features.name,)
    if step == "collect_songs":
        sets = (SPOTIFY_AUDIO_SET,)
    if step == "fit_topics":
        sets = (config.topics.name,)
    return {*facts_of(step).writes, *(f"set:{name}" for name in sets)}


def _needs(step: str, config: Config) -> list[tuple[str, ...]]:
    """Required inputs of a step; each tuple lists alternatives."""
    songs, clips, models = ("song_genres",), ("clips",), ("models",)
    if step == "collect_songs" and not ({"configuration", "search"} & set(config.spotify.routes)):
        return [("everynoise_playlists", "genres")]
    if step == "fetch_previews" and "http" not in config.fetch_previews.providers:
        return [("songs", "genres") if "every_noise" in config.fetch_previews.providers else ("songs",)]
    needs: dict[str, list[tuple[str, ...]]] = {
        "extract_features": [clips],
        "link_recordings": [clips, ("set:fingerprint",)],
        "assign_splits": [songs],
        "fit_topics": [("splits",), (f"set:{config.topics.feature_set}",)],
        "train_models": [("splits",), songs],
        "evaluate_models": [models],
        "probe": [("splits",), songs],
        "map_genres": [songs],
        "find_neighbours": [("songs",)],
        "make_playlist": [("songs",)],
        "write_report": [songs],
        "publish_site": [("songs",)],
        "export": [("splits",), clips],
        "purge": [("clip_audio",)],
        "promote_model": [models],
        "rollback": [("promotions",)],
        "score": [models],
        "measure_drift": [("promotions",)],
        "log_mlflow": [models],
        "rebuild_training_set": [models],
    }
    return needs.get(step, [])


def _order(step: str, config: Config, given: set[str], later: Sequence[str]) -> Iterator[Problem]:
    """Problems of inputs of a step that neither earlier steps nor the store provide."""
    for wanted in _needs(step, config):
        if any(_has(config, one) or one in given for one in wanted):
            continue
        makers = [name for name in later if set(wanted) & _gives(name, config)]
        hint = f"Put {makers[0]} before it." if makers else "Run a step first that writes it."
        names = " or ".join(one.replace("set:", "the feature set ") for one in wanted)
        text = f"{step}: no earlier step writes {names}, and the store has no such table. {hint}"
        yield Problem(text, warning=True)
    if step == "train_models":
        yield from _sets(config, given, later)


def _sets(config: Config, given: set[str], later: Sequence[str]) -> Iterator[Problem]:
    """Problems of feature sets of ``[train]`` that are neither stored nor extracted or imported by earlier steps."""
    if not _is_folder(config):
        return
    there = [one.removeprefix("set:") for one in given if one.startswith("set:")]
    for name in feature_sets_of(config.train.feature_sets):
        if name in there or name == "technical" or _has(config, f"set:{name}"):
            continue
        makers = [step for step in later if f"set:{name}" in _gives(step, config)]
        if makers:
            yield Problem(f"train.feature_sets: {name} is written by {makers[0]}, a later step. Put {makers[0]} first.")
        elif name == config.topics.name:
            yield Problem(
                f"train.feature_sets: {name} is written by fit_topics, which is not a step before train_models. Add "
                "it after assign_splits, or run it first."
            )
        elif name in FEATURE_SETS:
            extracted = ", ".join(config.extract.feature_sets)
            yield Problem(
                f"train.feature_sets: {name} was not extracted, and no step before train_models extracts it "
                f"(extract.feature_sets = {extracted}). Add it to extract.feature_sets and run extract_features first."
            )
        else:
            known = dict.fromkeys([*there, *FEATURE_SETS, SPOTIFY_AUDIO_SET])
            yield Problem(
                f"train.feature_sets: no feature set is called {name!r}, in the store, the registry or an import of "
                f"this job. {nearest(name, known)}"
            )


def _is_folder(config: Config) -> bool:
    """Whether the store is a local folder. On a cluster, a path may refer to HDFS or a server's disk."""
    if config.store.catalog or config.store.schema_ or is_address(config.store.path):
        return False
    master = os.environ.get("GENREATLAS_MASTER") or config.spark.master or "local"
    return master.startswith("local") and not any(os.environ.get(name) for name in _ELSEWHERE)


def _has(config: Config, wanted: str) -> bool:
    """Whether the store has a table or a feature set; True if that cannot be determined without Spark."""
    if not _is_folder(config):
        return True
    name = wanted.removeprefix("set:")
    tables = {layout.table_name(name) for layout in LAYOUTS.values()} if wanted != name else {name}
    return any((Path(config.store.path) / table / "_delta_log").is_dir() for table in tables)


def _settings(step: str, facts: StepFacts, config: Config) -> Iterator[str]:
    """Lines of a step's settings: those in :data:`_SHOWN`, and others that differ from their default."""
    shown = dict.fromkeys(_SHOWN.get(step, ()))
    default = Config()
    for section in facts.sections:
        mine, usual = getattr(config, section), getattr(default, section)
        if isinstance(mine, tuple):
            continue
        shown |= dict.fromkeys(
            f"{section}.{key}" for key in type(mine).model_fields if getattr(mine, key) != getattr(usual, key)
        )
    for dotted in shown:
        section, key = dotted.split(".")
        if dotted != "train.candidates":
            value: object = redact_value(dotted, getattr(getattr(config, section), key))
            yield _indented(f"{dotted} = {toml_value(value) or 'not set'}", 100)
    if step == "train_models":
        yield from _candidates(config)


def _candidates(config: Config) -> Iterator[str]:
    """Lines of the candidates that training would fit."""
    train = config.train
    if is_quick(train):
        yield 'train.preset = "quick": candidates for the size of the data, with grids searched by halving on folds:'
        for entry in quick():
            yield f"  {entry.engine} {entry.estimator}: {_settings_of(entry.candidate)}; {entry.why}"
        return
    yield f"{len(listed(train))} candidates, all settings on all {config.splits.folds} folds:"
    for candidate in listed(train):
        on = ", ".join(candidate.feature_sets or train.feature_sets)
        yield f"  {candidate.engine} {candidate.estimator}: {_settings_of(candidate)} on {on}"


def _settings_of(candidate: Candidate) -> str:
    try:
        number = len(grid_points(candidate))
    except ConfigError:
        return "unknown"
    return f"{number} setting{'s' * (number != 1)}"


def _place(config: Config) -> str:
    section = config.store
    if section.catalog or section.schema_:
        return ".".join(part for part in (section.catalog, section.schema_) if part)
    new = "" if not _is_folder(config) or Path(section.path).exists() else " (does not exist yet)"
    return f"{section.path}{new}"


def _indented(text: str, most: int = 0) -> str:
    """Text cut to ``most`` characters (0: not cut), with continuation lines indented."""
    short = f"{text[:most]}..." if most and len(text) > most else text
    return short.replace("\n", "\n    ")
