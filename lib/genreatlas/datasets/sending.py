"""Send files to the workers once per session, as artifacts, on classic Spark and on Spark Connect.

Spark cannot remove an artifact: its copies stay in Spark's temporary folders until the session ends. On a classic
cluster, executors that start later fetch the driver's file, so a hard link keeps it until this process ends, even if
the original file is deleted.
"""

import os
import shutil
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from genreatlas.scratch import scratch_folder

if TYPE_CHECKING:  # tasks only locate files and must not import Spark here
    from pyspark.sql import SparkSession


def send_file(spark: "SparkSession", path: Path, name: str = "") -> None:
    """Add a file to the session as an artifact. A name is sent once, so it must identify the content of the file.

    Parameters
    ----------
    spark : the session.
    path : file to send.
    name : name of the artifact; empty for the name of the file.
    """
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
    """Path of a file in the shared folder, or of an artifact on this worker if ``folder`` is None."""
    if folder is not None:
        return str(Path(folder) / name)
    from pyspark import SparkFiles  # only here: everything else runs without Spark

    return str(SparkFiles.get(name))


def copy_once(source: Path, target: Path) -> None:
    """Copy a file to a shared folder unless it exists; the copy is renamed when complete."""
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        partly = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(source, partly)
        partly.replace(target)


@lru_cache(maxsize=16)
def sent_names(session: str) -> set[str]:
    """Names sent in a session; recorded here because Spark Connect cannot list artifacts."""
    return set()


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _session_key(spark: "SparkSession") -> str:
    """Id of the Spark Connect session, or of the classic application, whose sessions share their files."""
    return _connect_id(spark) or str(spark.conf.get("spark.app.id"))


def _connect_id(spark: "SparkSession") -> str:
    """Id of a Spark Connect session; empty for a classic session."""
    return str(getattr(spark, "session_id", ""))
