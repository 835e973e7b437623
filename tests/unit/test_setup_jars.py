"""Jars are loaded into every Spark session, so set-up keeps only those that were checked."""

import hashlib

from genreatlas import setup_jars
from genreatlas.session import jars_folder


def test_every_jar_that_was_set_up_is_the_one_that_was_checked():
    jars = sorted(jars_folder().glob("*.jar"))
    assert len(jars) > 1
    assert [setup_jars.check(jar, jar.name) for jar in jars] == [None] * len(jars)


def test_a_jar_with_other_bytes_or_of_another_name_is_named_and_not_kept(tmp_path):
    jar = tmp_path / "jar"
    jar.write_bytes(b"other")
    fault = setup_jars.check(jar, "delta-storage-4.4.0.jar")
    assert "delta-storage-4.4.0.jar" in fault and hashlib.sha256(b"other").hexdigest() in fault
    assert "no checksum is known" in setup_jars.check(jar, "new-1.0.jar")
