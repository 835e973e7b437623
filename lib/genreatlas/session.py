"""The only place that builds a SparkSession.

An active session (Databricks, a notebook, spark-submit, Spark Connect) is used as it is; static options are set only
on a session that is started here. Workers on other machines get the package as a zip.
"""

import io
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

import genreatlas
from genreatlas.config import SparkSection
from genreatlas.errors import ConfigError
from genreatlas.ids import stable_id
from genreatlas.redaction import shown_log
from genreatlas.scratch import scratch_folder, sweep

log = shown_log(__name__)
_DELTA = {"4.0": "io.delta:delta-spark_2.13:4.0.0", "4.2": "io.delta:delta-spark_4.2_2.13:4.4.0"}

#: Delta package for the installed Spark: Spark 4.0 (the oldest supported) or 4.2 (used for development).
DELTA_PACKAGE = _DELTA.get(".".join(pyspark.__version__.split(".")[:2]), _DELTA["4.2"])

#: Time stamp of all files in a zip (the earliest possible), so that equal files produce equal zips.
_EPOCH = (1980, 1, 1, 0, 0, 0)

#: Settings required by Delta, for every session that is started here.
DELTA_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

#: For masters on this machine. Two state partitions and few shuffle partitions halve the time of
#: small jobs (43 s to 20 s); the loopback address avoids a look-up of the host's name.
LOCAL_SETTINGS = {
    "spark.databricks.delta.snapshotPartitions": "2",
    # Delta's default log store for local files starts a process (readlink) eight times per commit.
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
    # Writing Delta's checksum files, which help with large logs, starts another eight.
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # Number of tasks in which VACUUM lists a folder; the default is 10,000.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
}

#: Parts of PySpark's messages when no JVM could be started. "Java" alone also occurs in errors of a running JVM.
_NO_JAVA = ("JAVA_GATEWAY", "Java gateway", "JAVA_HOME", "UnsupportedClassVersion")

#: Harmless warnings that Java prints at every start and about optional libraries. ``spark-submit.sh`` leaves out the
#: same. Spark itself requests the incubator module, and Java has no option to silence that warning.
HARMLESS = (
    r"^WARNING: (Using incubator modules|A (terminally deprecated|restricted) method in |sun\.misc\.Unsafe::|"
    r"java\.lang\.System::load|Use --enable-native-access|Restricted methods will be |"
    r"Please consider reporting this to )|^netlib-(blas|lapack|arpack): "
)

#: Settings that can be changed on a running session; one that the platform refuses is logged and skipped.
SESSION_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Rows with audio or frames are large: with the default of 4096 rows per batch, two tasks
    # exhausted a 1 GB heap before Python saw a row.
    "spark.sql.parquet.columnarReaderBatchSize": "64",
}


def jars_folder() -> Path:
    """Folder where set-up stores the Delta jars, so that later starts need no network."""
    return Path(os.environ.get("GENREATLAS_JARS", Path(sys.prefix) / "share" / "genreatlas" / "jars"))


def get_spark(settings: SparkSection, app_name: str = "genreatlas") -> SparkSession:
    """Return the active session, or start one as configured.

    Parameters
    ----------
    settings : the ``[spark]`` section.
    app_name : name of a session that is started.

    Raises
    ------
    ConfigError : Java is missing or too old, or the master cannot be reached.
    """
    # PySpark logs every failed statement as a page of JSON; our own errors name the failure.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL)
    active = SparkSession.getActiveSession()
    spark = active if active is not None else _start(settings, app_name)
    for key, value in SESSION_SETTINGS.items():
        _set(spark, key, value)
    if active is None:
        _ship_package(spark)
    return spark


def _start(settings: SparkSection, app_name: str) -> SparkSession:
    sweep()  # killed runs leave up to a gigabyte each in the temporary folder
    builder: SparkSession.Builder = SparkSession.builder.appName(app_name)
    if os.environ.get("SPARK_REMOTE") or os.environ.get("SPARK_CONNECT_MODE_ENABLED"):
        return builder.getOrCreate()
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    # spark-submit has started the JVM: master, memory and class path are already set.
    master = os.environ.get("GENREATLAS_MASTER", "") if submitted else settings.master or "local[*,4]"
    options = dict(DELTA_SETTINGS)
    if master.startswith("local"):
        cores = _cores(master)
        options |= LOCAL_SETTINGS | {
            "spark.sql.shuffle.partitions": str(cores),
            "spark.default.parallelism": str(cores),
            "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / f"genreatlas-warehouse-{os.getuid()}"),
        }
        if "PYSPARK_PYTHON" not in os.environ and "spark.pyspark.python" not in settings.settings:
            os.environ["PYSPARK_PYTHON"] = sys.executable
    if not submitted:
        builder = builder.master(master)
        options |= {"spark.driver.memory": settings.driver_memory, **_jars()}
    # Each attempt of a failed task is logged with a Java stack trace; our own errors name the failure in one line.
    options |= {"spark.log.level": "ERROR" if os.environ.get("GENREATLAS_VERBOSE") else "OFF", **settings.settings}
    for key, value in options.items():
        builder = builder.config(key, value)
    try:
        with nullcontext() if submitted or os.environ.get("GENREATLAS_VERBOSE") else quiet_java():
            return builder.getOrCreate()
    except Exception as error:
        if any(sign in str(error) for sign in _NO_JAVA):
            raise ConfigError(
                "Spark could not start Java. Install a JDK of version 17 or later (Debian: openjdk-17-jre-headless, "
                "macOS: brew install openjdk@17) and set JAVA_HOME if it is not found."
            ) from error
        raise


@contextmanager
def quiet_java() -> Iterator[None]:
    """Remove :data:`HARMLESS` lines from the standard error of processes started in this block.

    Their standard error goes to a separate ``grep`` process that lives as long as they do, even after this process
    ends, so that no line is lost. Without ``grep``, everything is shown.
    """
    grep = shutil.which("grep")
    if grep is None:
        yield
        return
    sys.stderr.flush()
    before = os.dup(2)
    try:
        # In its own process session: Control-C ends Java, and the filter ends when its last writer has closed.
        command = [grep, "-a", "--line-buffered", "-vE", HARMLESS]
        quiet = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=before, start_new_session=True)
        _filters.append(quiet)  # keep a reference: Popen warns if it is collected while the process runs
        assert quiet.stdin is not None
        os.dup2(quiet.stdin.fileno(), 2)
        quiet.stdin.close()
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
    finally:
        os.close(before)


_filters: list["subprocess.Popen[bytes]"] = []


def _cores(master: str) -> int:
    inside = master.partition("[")[2].rstrip("]").split(",")[0]
    return int(inside) if inside.isdigit() else (os.cpu_count() or 1)


def _jars() -> dict[str, str]:
    jars = sorted(jars_folder().glob("*.jar"))
    return {"spark.jars": ",".join(map(str, jars))} if jars else {"spark.jars.packages": DELTA_PACKAGE}


def _set(spark: SparkSession, key: str, value: str) -> None:
    try:
        if spark.conf.get(key, None) != value:
            spark.conf.set(key, value)
    except Exception as error:  # a managed platform may refuse any setting
        log.info("%s stays as the platform has it: %s", key, str(error).splitlines()[0])


def _ship_package(spark: SparkSession) -> None:
    """Send this package to workers that may not have it installed."""
    if not is_local(spark):
        spark.addArtifacts(str(package_zip()), pyfile=True)


def is_local(spark: SparkSession) -> bool:
    """Whether the workers are processes of this machine that share its Python."""
    return not is_remote(spark) and (spark.conf.get("spark.master", None) or "").startswith("local")


def is_remote(spark: SparkSession) -> bool:
    """Whether this is a session of Spark Connect: only those have the attribute ``session_id``."""
    return hasattr(spark, "session_id")


def package_zip() -> Path:
    """Write the package's files to a zip in a folder that only this user can access; return its path.

    Workers execute the zip, so an existing file is reused only if its contents are equal. The folder is removed when
    this process ends.
    """
    root = Path(genreatlas.__file__).parent
    files = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    contents = [(path.relative_to(root.parent).as_posix(), path.read_bytes()) for path in files]
    name = stable_id(*(part for item in contents for part in (item[0], item[1].hex())), length=12)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for arcname, data in contents:
            archive.writestr(zipfile.ZipInfo(arcname, _EPOCH), data)
    target = scratch_folder("sent") / f"genreatlas-{name}.zip"
    if not target.exists() or target.read_bytes() != written.getvalue():
        target.write_bytes(written.getvalue())
    return target
