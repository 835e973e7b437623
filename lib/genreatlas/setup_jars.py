"""Fetch the Delta jars once, during set-up: ``python -m genreatlas.setup_jars``.

A jar is kept only if its SHA-256 is the one in :data:`CHECKSUMS`.
"""

import hashlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pyspark

from genreatlas.session import DELTA_PACKAGE, jars_folder

#: SHA-256 by jar that Delta needs in addition to Spark's own jars. A new version of Delta needs new entries.
CHECKSUMS = {
    "commons-logging-1.3.0.jar": "66d3c980470b99b0c511dad3dfc0ae7b265ec1fb144e96bc0253a8a175fd34d9",
    "delta-kernel-api-4.4.0.jar": "ee9b5a14ac3b7efdff4d61a58478fe8eb0e5a3fbca43889dca7290795fe79a11",
    "delta-kernel-defaults-4.4.0.jar": "225c975199e4718b38ee5b7e6da7f19e9585024262b2cec2656b32151a856b0b",
    "delta-kernel-unitycatalog-4.4.0.jar": "cea22dfb4ac562b3cd27bf652697750e8336009d73fb06631363aaaad5345ffa",
    "delta-spark_2.13-4.0.0.jar": "538511702aae0ef6973a6a70af3d4543c9009f8edbed786a00737e2d3cd7f04e",
    "delta-spark_4.2_2.13-4.4.0.jar": "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead",
    "delta-storage-4.0.0.jar": "9bdb9fb450f1e119eba53feb427f331b0d09072d26485b8273883ad72c9a2e1d",
    "delta-storage-4.4.0.jar": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
    "jackson-datatype-jdk8-2.13.5.jar": "e58761751fea8a00dc626aae1c5f1be38c5cfd487aeb333d933a4ab5f5a73c55",
    "javax.annotation-api-1.3.2.jar": "e04ba5195bcd555dc95650f7cc614d151e4bcd52d29a10b8aa2197f3ab89ab9b",
    "shims-0.9.25.jar": "0b82ed6cb1caf0706304b42358d568eb6faf190eadea7f2b2d365cb63156b40d",
    "unitycatalog-client-0.6.0.jar": "48257499a86b801a3e2372cec55ac226ca1c1c7eabe5c118e7302f29a1fdbc19",
    "unitycatalog-hadoop-0.6.0.jar": "c47b63c961c87102b9e1d63809a0915ba4c86b7652f57c8d39ca3a05b441a150",
}


def main() -> int:
    """Resolve Delta and its dependencies, and keep the jars that Spark does not already have.

    Returns
    -------
    Exit code: 0 on success, 1 if a checksum is unknown or wrong.
    """
    folder = jars_folder()
    done = folder / ".complete"
    if done.exists() and done.read_text() == DELTA_PACKAGE:
        return 0
    from pyspark.sql import SparkSession

    own = {_artifact(path.name) for path in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}
    with tempfile.TemporaryDirectory() as cache:
        builder = SparkSession.builder.master("local[1]").config("spark.jars.packages", DELTA_PACKAGE)
        builder.config("spark.jars.ivy", cache).config("spark.ui.enabled", "false").getOrCreate().stop()
        fetched = {jar.name.partition("_")[2]: jar for jar in sorted((Path(cache) / "jars").glob("*.jar"))}
        wanted = {name: jar for name, jar in fetched.items() if _artifact(name) not in own}
        if faults := [fault for name, jar in wanted.items() if (fault := check(jar, name))]:
            print("\n".join(faults), file=sys.stderr)
            return 1
        folder.mkdir(parents=True, exist_ok=True)
        for name, jar in wanted.items():
            shutil.copy(jar, folder / name)
    done.write_text(DELTA_PACKAGE)
    return 0


def check(jar: Path, name: str) -> str | None:
    """Describe what is wrong with the checksum of a fetched jar, in one line; None if it is as listed."""
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    if name not in CHECKSUMS:
        return f"{name}: no checksum is known for it. Compare it with the project's release, then add it to {__file__}."
    if found != CHECKSUMS[name]:
        return f"{name}: its SHA-256 is {found}, not {CHECKSUMS[name]}. It was not kept: fetch it from another mirror."
    return None


def _artifact(filename: str) -> str:
    return re.sub(r"-\d[\w.\-]*\.jar$", "", filename)


if __name__ == "__main__":
    sys.exit(main())
