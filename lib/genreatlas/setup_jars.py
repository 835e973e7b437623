"""Fetch the Delta jars once, during set-up: ``python -m genreatlas.setup_jars``."""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import pyspark

from genreatlas.session import DELTA_PACKAGE, jars_folder


def main() -> int:
    """Resolve Delta and what it needs, and keep the jars that Spark does not already have."""
    folder = jars_folder()
    done = folder / ".complete"
    if done.exists() and done.read_text() == DELTA_PACKAGE:
        return 0
    from pyspark.sql import SparkSession

    own = {_artifact(path.name) for path in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}
    with tempfile.TemporaryDirectory() as cache:
        builder = SparkSession.builder.master("local[1]").config("spark.jars.packages", DELTA_PACKAGE)
        builder.config("spark.jars.ivy", cache).config("spark.ui.enabled", "false").getOrCreate().stop()
        folder.mkdir(parents=True, exist_ok=True)
        for jar in sorted((Path(cache) / "jars").glob("*.jar")):
            name = jar.name.partition("_")[2]  # the resolver puts the organisation and _ before the file's name
            if _artifact(name) not in own:
                shutil.copy(jar, folder / name)
    done.write_text(DELTA_PACKAGE)
    return 0


def _artifact(filename: str) -> str:
    return re.sub(r"-\d[\w.\-]*\.jar$", "", filename)


if __name__ == "__main__":
    sys.exit(main())
