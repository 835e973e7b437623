"""The only place that builds a SparkSession.

A session that is already there (Databricks, a notebook, spark-submit, Spark Connect) is used as it
is; static options are set only on a session that is started here. Workers elsewhere get the package as a zip.
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

#: Delta for the Spark that is installed: the one that this is developed on, or the oldest that is meant to do.
DELTA_PACKAGE = _DELTA.get(".".join(pyspark.__version__.split(".")[:2]), _DELTA["4.2"])

#: The earliest time that a zip can hold, so that equal files make equal zips.
_EPOCH = (1980, 1, 1, 0, 0, 0)

#: What Delta needs; every session that is started here has it.
DELTA_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

#: For masters on this machine. Two state partitions and few shuffle partitions halve the time of
#: small jobs (43 s to 20 s); the loopback address spares a look-up of the host's own name.
LOCAL_SETTINGS = {
    "spark.databricks.delta.snapshotPartitions": "2",
    # Delta's other way of writing a local log starts a process (readlink) eight times a commit.
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
    # Its checksum files, an aid for large logs, start as many again.
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # VACUUM lists a folder in as many tasks as this: 10,000 unless it is said.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
}

#: Signs that no JVM came up, in PySpark's words; what goes wrong in one that did speaks of Java, too.
_NO_JAVA = ("JAVA_GATEWAY", "Java gateway", "JAVA_HOME", "UnsupportedClassVersion")

#: What Java says at every start and of libraries that it does without; nothing of it is a fault. ``spark-submit.sh``
#: leaves out the same. Spark asks for the incubator module itself, and Java has no switch for what it says of it.
HARMLESS = (
    r"^WARNING: (Using incubator modules|A (terminally deprecated|restricted) method in |sun\.misc\.Unsafe::|"
    r"java\.lang\.System::load|Use --enable-native-access|Restricted methods will be |"
    r"Please consider reporting this to )|^netlib-(blas|lapack|arpack): "
)

#: May be changed on a running session; a platform that refuses one goes on without it.
SESSION_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Rows that hold audio or frames are large: with the default of 4096 rows a batch, two tasks
    # exhausted a 1 GB heap before Python saw a row.
    "spark.sql.parquet.columnarReaderBatchSize": "64",
}


def jars_folder() -> Path:
    """Folder where set-up leaves the Delta jars, so that later starts need no network."""
    return Path(os.environ.get("GENREATLAS_JARS", Path(sys.prefix) / "share" / "genreatlas" / "jars"))


def get_spark(settings: SparkSection, app_name: str = "genreatlas") -> SparkSession:
    """Return the active session, or start one as configured.

    Parameters
    ----------
    settings : the ``[spark]`` section.

    Raises
    ------
    ConfigError : Java is missing or too old, or the master cannot be reached.
    """
    # PySpark logs every failed statement as a page of JSON; what failed is said by our own errors.
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
    sweep()  # what killed runs left in the temporary folder, up to a gigabyte each
    builder: SparkSession.Builder = SparkSession.builder.appName(app_name)
    if os.environ.get("SPARK_REMOTE") or os.environ.get("SPARK_CONNECT_MODE_ENABLED"):
        return builder.getOrCreate()
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    # spark-submit has started the JVM: its master, memory and class path stand already.
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
    # Each try of a failed task is logged with a page of Java; what failed is said by our own errors, in one line.
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
    """Let what is started in this block say everything but :data:`HARMLESS` lines.

    It writes its errors to a filter, a process of its own, for as long as it lives: also when this process is gone, so
    that no line is lost. Where there is no such program, everything is shown.
    """
    grep = shutil.which("grep")
    if grep is None:
        yield
        return
    sys.stderr.flush()
    before = os.dup(2)
    try:
        # In a session of its own: Control-C ends Java, and the filter goes when nobody writes to it any more.
        command = [grep, "-a", "--line-buffered", "-vE", HARMLESS]
        quiet = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=before, start_new_session=True)
        _filters.append(quiet)  # kept, so that nobody asks for its end
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
    """Whether it is a session of Spark Connect: only those have an id of their own."""
    return hasattr(spark, "session_id")


def package_zip() -> Path:
    """Write the package's own files to a zip in a folder that nobody else can enter; return its path.

    Workers execute it, so none that lies about is taken for it; the folder goes with this process.
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
