"""The command line: ``genreatlas JOB [--conf FILE]... [--set section.key=value]...``."""

import importlib
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import get_args

from pydantic.fields import FieldInfo

from genreatlas.arguments import USAGE, configuration, job_parser, stop
from genreatlas.checks.plan import facts_of, lines, make_plan
from genreatlas.checks.problems import not_installed, sandbox_lacks
from genreatlas.config import Config, toml_value
from genreatlas.config.loading import describe, keys_of
from genreatlas.config.sections import Section, StepName
from genreatlas.errors import ConfigError, GenreAtlasError, UnexpectedError
from genreatlas.query import query

#: Steps that have a job of their own, in the order of the pipeline.
STEPS: tuple[str, ...] = get_args(StepName)
JOBS = (*STEPS, "check", "pipeline", "query", "retrain", "serve_sandbox", "serve_web")


def console() -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: genreatlas JOB {USAGE}\n\njobs:")
        for name in STEPS:
            print(f"  {name:18} {facts_of(name).summary}")
        print(f"  {'check':18} Print the plan of a job and every error in its configuration; starts nothing.")
        print(f"  {'pipeline':18} Run every step of [pipeline] steps, in order.")
        print(f"  {'serve_sandbox':18} Serve the sandbox world until Control-C.")
        print(f"  {'serve_web':18} Serve the site that publish_site wrote until Control-C.")
        print(f"  {'query':18} Run a SQL statement on the store.")
        print(f"  {'retrain':18} Run every step of [retrain] steps, in order; for a schedule.")
        sys.exit(0 if arguments else 2)
    job, *rest = arguments
    doors = {
        "check": check,
        "pipeline": pipeline,
        "query": query,
        "retrain": retrain,
        "serve_sandbox": serve_sandbox,
        "serve_web": serve_web,
    }
    if job in doors:
        doors[job](rest)
    elif job in STEPS:
        main(_step(job), rest)
    else:
        stop(ConfigError(f"unknown job {job}. Jobs: {', '.join(JOBS)}"))


def main(step: ModuleType, arguments: Sequence[str] | None = None) -> None:
    """Run one step as a job. Return on success; exit with the error's exit code on failure.

    A successful job returns instead of exiting because managed platforms treat ``SystemExit``, even with code 0, as
    a failure.

    Parameters
    ----------
    step : a module of :mod:`genreatlas.steps`.
    arguments : the command-line arguments; None for ``sys.argv[1:]``.
    """
    name = step.__name__.rpartition(".")[2]
    _run([name], _configure(name, _describe(step), arguments))


def pipeline(arguments: Sequence[str] | None = None) -> None:
    """Run every step that ``[pipeline] steps`` names, in order; stop at the first that fails."""
    text = (
        "Run every step of [pipeline] steps, in order. Stops at the first step that fails.\n\n"
        "STEP --help lists the tables and settings of a step; check prints the plan without starting Spark.\n\n"
    )
    config = _configure("pipeline", text + _settings(["pipeline"]), arguments)
    _run(config.pipeline.steps, config)


def retrain(arguments: Sequence[str] | None = None) -> None:
    """Run every step that ``[retrain] steps`` names, in order, under one lease, so that two runs never overlap."""
    text = (
        "Import new data, train, and replace the model in use if the best new model is better.\n\n"
        "Runs every step of [retrain] steps, in order. Exit codes: 0 done, 1 failed, 2 wrong configuration,\n"
        "3 stopped at a limit, 4 another run is in progress. The table promotions has the decision.\n\n"
    )
    config = _configure("retrain", text + _settings(["retrain"]), arguments)
    _run(config.retrain.steps, config, lease="retrain")


def check(arguments: Sequence[str] | None = None) -> None:
    """Print the plan of a job and all errors in its configuration, without Spark; exit with 2 if there are errors."""
    text = (
        "Print the plan of a job (steps in order, what each reads and writes, main settings) and every error in\n"
        "its configuration. Nothing is started or written. Every job makes the same checks before its first\n"
        "step. Exit codes: 0 no error, 2 errors."
    )
    parser = job_parser("check", text, f"[--job JOB] {USAGE}")
    several = ("pipeline", "retrain")
    parser.add_argument(
        "--job",
        default="pipeline",
        choices=[*several, *STEPS],
        metavar="JOB",
        help="pipeline, retrain or a step; default: pipeline",
    )
    parsed = parser.parse_args(arguments)
    try:
        config = configuration(parsed)
    except ConfigError as error:
        stop(error)
    steps = getattr(config, parsed.job).steps if parsed.job in several else (parsed.job,)
    plan = make_plan(steps, config)
    print(*lines(parsed.job, plan, config), sep="\n")
    if plan.found():
        sys.exit(ConfigError.exit_code)


def serve_sandbox(arguments: Sequence[str] | None = None) -> None:
    """Serve the sandbox world of ``[world]`` and ``[sandbox]`` until Control-C; its front page lists its services."""
    text = "Serve the sandbox world until Control-C: Every Noise, Spotify, Deezer and a clip server on this machine."
    config = _configure("serve_sandbox", text, arguments)
    try:
        for problem in sandbox_lacks("serve_sandbox", "aiohttp", "lameenc", "mutagen"):
            raise ConfigError(problem.text)
        from genreatlas.sandbox.world.server import serve_by_hand

        serve_by_hand(config.world, config.sandbox)
    except GenreAtlasError as error:
        stop(error)


def serve_web(arguments: Sequence[str] | None = None) -> None:
    """Serve the site of ``[web]`` until Control-C, with the processes that analyse uploads."""
    text = "Serve the site that publish_site wrote until Control-C. Needs the extra web, and no Spark."
    config = _configure("serve_web", text, arguments)
    try:
        for module in ("fastapi", "uvicorn", "sqlalchemy", "python_multipart", "duckdb"):
            for problem in not_installed(module, "serve_web", "'genreatlas[web]'"):
                raise ConfigError(problem.text)
        from genreatlas.web.serving import serve

        serve(config)
    except GenreAtlasError as error:
        stop(error)


def _configure(job: str, description: str, arguments: Sequence[str] | None) -> Config:
    parsed = job_parser(job, description).parse_args(arguments)
    try:
        return configuration(parsed)
    except ConfigError as error:
        stop(error)
        raise


def _run(steps: Sequence[str], config: Config, lease: str = "") -> None:
    try:
        make_plan(steps, config).require()
    except ConfigError as error:
        stop(error)
    from genreatlas.runner import hold, run_step, sandbox_world
    from genreatlas.session import get_spark

    # One OpenMP thread per worker: Spark runs as many workers as there are cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    code = 0
    try:
        with ExitStack() as around:
            around.enter_context(_ended_in_order())
            around.enter_context(sandbox_world(config))
            spark = get_spark(config.spark)
            around.enter_context(hold(spark, config, lease))
            for step in steps:
                code = run_step(_step(step), spark, config)
                sys.stdout.flush()
                if code:
                    print(
                        f"genreatlas: {step}: more than limits.max_failed_share of the "
                        "work failed, or none of it could be done. The table quarantine has the reasons.",
                        file=sys.stderr,
                    )
                    break
    except GenreAtlasError as error:
        stop(error)
    except (KeyboardInterrupt, _Terminated) as error:
        name, code = ("SIGTERM", 143) if isinstance(error, _Terminated) else ("Ctrl-C", 130)
        print(
            f"genreatlas: stopped by {name}. Committed results are kept; run the job again to continue.",
            file=sys.stderr,
        )
        sys.exit(code)
    except Exception as error:
        from genreatlas.store import explain

        unexpected = UnexpectedError(explain(error, str(Path(config.store.path).absolute())))
        unexpected.__cause__ = error
        stop(unexpected)
    if code:
        sys.exit(code)


class _Terminated(BaseException):
    """Raised on SIGTERM, so that resources are closed and temporary files removed, as after Ctrl-C."""


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Raise :class:`_Terminated` on SIGTERM within the block; by default Python ends at once and leaves its files."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _step(name: str) -> ModuleType:
    return importlib.import_module(f"genreatlas.steps.{name}")


def _describe(step: ModuleType) -> str:
    """Text of ``--help`` for a step: its purpose, tables, and configuration with defaults."""
    lines = [(step.__doc__ or "").strip(), ""]
    lines += [f"reads:  {', '.join(step.READS) or '-'}", f"writes: {', '.join(step.WRITES) or '-'}", ""]
    return "\n".join(lines) + "\n" + _settings(step.SECTIONS)


def _settings(sections: Sequence[str]) -> str:
    """Keys of the sections with default and description; expert keys come last."""
    lines, apart = [], []
    for name in sections:
        if isinstance(getattr(Config(), name), Section):
            usual, expert = keys_of(type(getattr(Config(), name)))
            lines += _listed(name, usual)
            apart += _listed(name, expert)
    return "\n".join([*lines, *(["", "Expert keys, seldom changed:", *apart] if apart else [])])


def _listed(name: str, fields: Mapping[str, FieldInfo]) -> list[str]:
    """Keys of a section with default and description, wrapped."""
    section = getattr(Config(), name)
    lines = [f"[{name}]"] if fields else []
    for key, field in fields.items():
        default = "" if key == "seed" else toml_value(getattr(section, key)) or ""
        text = f"  {field.alias or key} = {default}  # {describe(field)}"
        lines.append(textwrap.fill(text, 110, subsequent_indent="      "))
    return lines
