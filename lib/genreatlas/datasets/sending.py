"""Bring files to the workers once a session, as artifacts, which works on classic Spark and on Spark Connect.

What stays behind: Spark cannot take an artifact back. Its copies lie in Spark's own temporary folders until the
session ends; and as a classic cluster lets a late executor fetch from the driver's file, that file is held by a hard
link until this process ends, whatever becomes of the file that was sent.
"""

import os
import shutil
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from genreatlas.scratch import scratch_folder

if TYPE_CHECKING:  # tasks locate files, and need no Spark for it
    from pyspark.sql import SparkSession


def send_file(spark: "SparkSession", path: Path, name: str = "") -> None:
    """Add a file to the session, under a name (its own); the name must tell its content, and is sent once."""
    name = name or path.name
    sent = sent_names(_session_key(spark))
    if name not in sent:
        kept = scratch_folder("sent") / name
        if not kept.exists():
            _link_or_copy(path, kept)
        spark.addArtifacts(str(kept), file=True)
        if _connect_id(spark):
            kept.unlink()  # it was uploaded
        sent.add(name)


def locate(name: str, folder: str | None) -> str:
    """Path of a file in a shared folder, or of an artifact that Spark brought to this worker."""
    if folder is not None:
        return str(Path(folder) / name)
    from pyspark import SparkFiles  # only here: everything else runs without Spark

    return str(SparkFiles.get(name))


def copy_once(source: Path, target: Path) -> None:
    """Copy a file into a shared folder, unless it is there; it has its name when it is whole."""
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        partly = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(source, partly)
        partly.replace(target)


@lru_cache(maxsize=16)
def sent_names(session: str) -> set[str]:
    """Names sent in a session; kept here because Connect has no way to ask."""
    return set()


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _session_key(spark: "SparkSession") -> str:
    """Connect's own id of the session, or the application's, whose sessions share their files."""
    return _connect_id(spark) or str(spark.conf.get("spark.app.id"))


def _connect_id(spark: "SparkSession") -> str:
    """Id of a session of Spark Connect; a classic one has none."""
    return str(getattr(spark, "session_id", ""))
