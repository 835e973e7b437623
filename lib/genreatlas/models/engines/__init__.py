"""The engines that candidates are fitted with, one package each, and where they are found by their stored names.

What is asked of an engine is in :mod:`.protocol`. One whose model is one file is a
:class:`.task_engine.FileEngine`. One that fits a candidate on one core, too, is a :class:`.task_engine.TaskEngine`, and
says little more than how to fit and how to read the file.
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
    """Make an engine known, so that configurations may name it and its models are read.

    Raises
    ------
    ValueError : another engine has its name, or reads one of its formats.
    """
    for other in _KNOWN.values():
        if taken := ({other.name} & {engine.name}) or (other.formats.keys() & engine.formats.keys()):
            raise ValueError(f"{engine.name}: {other.name} has {', '.join(sorted(taken))} already")
    from genreatlas.config import ENGINES  # a task of Spark imports this package, and needs no configuration

    ENGINES[engine.name] = None
    adopt(engine)


def adopt(engine: Engine) -> None:
    """Make an engine known in place of one of its name, as a worker does that is sent one."""
    _KNOWN[engine.name] = engine


def forget(engine: Engine) -> None:
    """Take back what :func:`register` did."""
    from genreatlas.config import ENGINES

    _KNOWN.pop(engine.name, None)
    ENGINES.pop(engine.name, None)


def engines() -> tuple[Engine, ...]:
    """Every engine that is known."""
    return tuple(_KNOWN.values())


def not_built_in(names: Iterable[str]) -> tuple[Engine, ...]:
    """The engines of some names that are not of this package."""
    return tuple(engine for name in dict.fromkeys(names) if (engine := get_engine(name)) not in BUILT_IN)


def get_engine(name: str) -> Engine:
    """The engine of that name; ConfigError with the nearest one where there is none."""
    if name not in _KNOWN:
        raise ConfigError(f"no engine is called {name!r}. {nearest(name, _KNOWN, every=True)}")
    return _KNOWN[name]


def get_task_engine(name: str) -> TaskEngine:
    """The engine of that name, which fits each candidate in a task of its own."""
    engine = get_engine(name)
    if not isinstance(engine, TaskEngine):
        raise TypeError(f"{name} does not fit candidates in tasks")
    return engine


def reader_of(model_format: str) -> Engine:
    """The engine that reads models of a format; ModelError where there is none."""
    for engine in _KNOWN.values():
        if model_format in engine.formats:
            return engine
    known = ", ".join(name for engine in _KNOWN.values() for name in engine.formats)
    raise ModelError(f"no engine of this release reads models of the format {model_format!r}. Known: {known}.")


def file_name(model_format: str) -> str:
    """Name of the file or folder of a model of a format, in the model's folder."""
    return reader_of(model_format).formats[model_format]


def baselines() -> tuple[str, ...]:
    """Names of the engines whose models are there to be compared with."""
    return tuple(name for name, engine in _KNOWN.items() if engine.is_baseline)


def is_baseline(name: str) -> bool:
    """Whether models of an engine are there to be compared with; False for one that is not known any more."""
    return name in baselines()


def have_importances(engine: str, estimator: str) -> bool:
    """Whether models of an estimator have importances of their own; True where nobody knows."""
    facts = _KNOWN[engine].estimators.get(estimator) if engine in _KNOWN else None
    return facts is None or facts.importances


def reads_sequences(name: str) -> bool:
    """Whether models of an engine read the rows of a clip in their order; False for one that is not known any more."""
    return name in _KNOWN and _KNOWN[name].sequences


def title_of(name: str) -> str:
    """An engine's name for people; its stored name where it is not known any more."""
    return _KNOWN[name].title if name in _KNOWN else name
