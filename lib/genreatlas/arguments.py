"""The options that every job has: ``--conf FILE`` and ``--set section.key=value``."""

import argparse

from genreatlas.config import Config, load_config

USAGE = "[--conf FILE]... [--set section.key=value]..."


def job_parser(job: str, description: str, usage: str = USAGE) -> argparse.ArgumentParser:
    """A parser with these two options."""
    parser = argparse.ArgumentParser(
        prog=job,
        usage=f"{job} {usage}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--conf", action="append", default=[], metavar="FILE", help="TOML file; later ones win")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one value, such as train.min_songs=20"
    )
    return parser


def configuration(parsed: argparse.Namespace) -> Config:
    """The configuration that the options ask for.

    Raises
    ------
    ConfigError : a file or key is wrong.
    """
    return load_config(parsed.conf, parsed.set)
