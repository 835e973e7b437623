"""Registry of the engines that fit candidates; each engine is a package.

:mod:`.protocol` defines the interface of an engine. An engine whose model is one file derives from
:class:`.task_engine.FileEngine`. If it also fits a candidate on one core, it derives from
:class:`.task_engine.TaskEngine` and implements little more than fitting and reading the file.
"""

from collections.abc import Iterable

from genreatlas.errors import ConfigError, ModelError, nearest
from genreatlas.models.engines.baseline import Baseline
from genreatlas.models.engines.networks import Networks
from genreatlas.models.engines.protocol import Engine
from genreatlas.models.engines.scikit_learn import ScikitLearn
from genreatlas.models.engines.spark_ml import SparkML
from genreatlas.models.engines.stacks import Stacks
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.engines.thousands import Thousands

#: The engines of this release, in the order in which they are listed and fitted.
BUILT_IN: tuple[Engine, ...] = (ScikitLearn(), Thousands(), Stacks(), SparkML(), Networks(), Baseline())

_KNOWN: dict[str, Engine] = {engine.name: engine for engine in BUILT_IN}


def register(engine: Engine) -> None:
    """Register an engine, so that configurations can name it and its models can be read.

    Raises
    ------
    ValueError : another engine has the same name or reads one of its formats.
    """
    for other in _KNOWN.values():
        if taken := ({other.name} & {engine.name}) or (other.formats.keys() & engine.formats.keys()):
            raise ValueError(f"{engine.name}: {', '.join(sorted(taken))} is already used by the engine {other.name}")
    from genreatlas.config import ENGINES  # imported here, as Spark tasks import this package without configuration

    ENGINES[engine.name] = None
    adopt(engine)


def adopt(engine: Engine) -> None:
    """Register an engine, replacing one of the same name; for workers to which an engine is sent."""
    _KNOWN[engine.name] = engine


def forget(engine: Engine) -> None:
    """Remove an engine that was registered with :func:`register`."""
    from genreatlas.config import ENGINES

    _KNOWN.pop(engine.name, None)
    ENGINES.pop(engine.name, None)


def engines() -> tuple[Engine, ...]:
    """All registered engines."""
    return tuple(_KNOWN.values())


def not_built_in(names: Iterable[str]) -> tuple[Engine, ...]:
    """Registered engines of the given names that are not built in."""
    return tuple(engine for name in dict.fromkeys(names) if (engine := get_engine(name)) not in BUILT_IN)


def get_engine(name: str) -> Engine:
    """Engine by name; ConfigError with the nearest name if there is none."""
    if name not in _KNOWN:
        raise ConfigError(f"no engine is called {name!r}. {nearest(name, _KNOWN, every=True)}")
    return _KNOWN[name]


def get_task_engine(name: str) -> TaskEngine:
    """Engine by name; TypeError if it does not fit each candidate in a task of its own."""
    engine = get_engine(name)
    if not isinstance(engine, TaskEngine):
        raise TypeError(f"{name} does not fit each candidate in a task of its own")
    return engine


def reader_of(model_format: str) -> Engine:
    """Engine that reads models of a format; ModelError if there is none."""
    for engine in _KNOWN.values():
        if model_format in engine.formats:
            return engine
    known = ", ".join(name for engine in _KNOWN.values() for name in engine.formats)
    raise ModelError(f"no engine of this release reads models of the format {model_format!r}. Known: {known}.")


def file_name(model_format: str) -> str:
    """Name of the file or folder in a model's folder for a format."""
    return reader_of(model_format).formats[model_format]


def baselines() -> tuple[str, ...]:
    """Names of the engines whose models are baselines."""
    return tuple(name for name, engine in _KNOWN.items() if engine.is_baseline)


def is_baseline(name: str) -> bool:
    """Whether models of an engine are baselines; False for an unknown engine."""
    return name in baselines()


def have_importances(engine: str, estimator: str) -> bool:
    """Whether models of an estimator have importances of their own; True for an unknown engine or estimator."""
    facts = _KNOWN[engine].estimators.get(estimator) if engine in _KNOWN else None
    return facts is None or facts.importances


def reads_sequences(name: str) -> bool:
    """Whether models of an engine read the rows of a clip as a sequence; False for an unknown engine."""
    return name in _KNOWN and _KNOWN[name].sequences


def title_of(name: str) -> str:
    """Display name of an engine; the given name for an unknown engine."""
    return _KNOWN[name].title if name in _KNOWN else name
