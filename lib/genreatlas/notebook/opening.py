"""Functions for the first cell of every notebook: read the widgets, open the store."""

from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from genreatlas.config import Config, load_config
from genreatlas.errors import ConfigError
from genreatlas.session import get_spark
from genreatlas.store import Store, open_store


def config_from_widgets(dbutils: Any, *overrides: str) -> Config:
    """Load the configuration from the widgets ``conf``, ``store`` and ``home``.

    Parameters
    ----------
    dbutils : the object of Databricks, or of the local runner. Widget ``conf`` lists TOML files, searched for in the
        working directory and its parents; ``store`` is a path, or ``catalog.schema``; ``home`` is a folder for music,
        models and report, and for the tables if ``store`` is empty. Empty widgets leave the configuration unchanged.
    overrides : such as ``train.min_songs=20``; they take precedence.

    Raises
    ------
    ConfigError : a file or key is wrong.
    """
    store, home = (dbutils.widgets.get(name).strip().rstrip("/") for name in ("store", "home"))
    settings: list[str] = []
    if home:
        settings += [f'sandbox.path="{home}/music"', f'folder.path="{home}/music"', f'models.path="{home}/models"']
        settings += [f'folder.manifest="{home}/music/manifest.csv"', f'report.path="{home}/report"']
        settings += [f'store.path="{home}/tables"']
    if "/" in store:
        settings.append(f'store.path="{store}"')
    elif store:
        catalog, _, schema = store.rpartition(".")
        settings += [f'store.catalog="{catalog}"', f'store.schema="{schema}"']
    return load_config([_found(name) for name in dbutils.widgets.get("conf").split()], [*settings, *overrides])


def open_from_widgets(spark: SparkSession, dbutils: object, *overrides: str) -> tuple[Store, Config]:
    """Open the store and load the configuration of the widgets; see :func:`config_from_widgets`.

    Also sets the session settings that the tables need, as far as the platform allows.
    """
    config = config_from_widgets(dbutils, *overrides)
    get_spark(config.spark)
    return open_store(spark, config.store), config


def _found(name: str) -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / name).is_file():
            return folder / name
    raise ConfigError(f"{name}: no such configuration file in {here} or above")
