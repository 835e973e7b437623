"""Command-line options common to all jobs, and the exit of a job that fails."""

import argparse
import os
import sys
import traceback
from typing import NoReturn

from genreatlas.config import Config, load_config
from genreatlas.errors import GenreAtlasError
from genreatlas.redaction import redact, shown

USAGE = "[--conf FILE]... [--set section.key=value]... [--verbose]"

#: Environment variable set by ``--verbose``: Spark, which starts later, then logs errors, too.
VERBOSE = "GENREATLAS_VERBOSE"


def job_parser(job: str, description: str, usage: str = USAGE) -> argparse.ArgumentParser:
    """A parser with the options ``--conf``, ``--set`` and ``--verbose``."""
    parser = argparse.ArgumentParser(
        prog=job,
        usage=f"{job} {usage}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--conf",
        action="append",
        default=[],
        metavar="FILE",
        help="TOML file; later ones take precedence",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one value, such as train.min_songs=20"
    )
    parser.add_argument("--verbose", action="store_true", help="print the whole error, not one line")
    return parser


def configuration(parsed: argparse.Namespace) -> Config:
    """Load the configuration given by ``--conf`` and ``--set``.

    Raises
    ------
    ConfigError : a file or key is wrong.
    """
    if parsed.verbose:
        os.environ[VERBOSE] = "1"
    return load_config(parsed.conf, parsed.set)


def stop(problem: GenreAtlasError) -> NoReturn:
    """Print the error in one line, preceded by its traceback with ``--verbose``, and exit with its exit code."""
    if os.environ.get(VERBOSE):
        print(redact("".join(traceback.format_exception(problem))), file=sys.stderr)
    print(f"genreatlas: {shown(problem)}", file=sys.stderr)
    sys.exit(problem.exit_code)
