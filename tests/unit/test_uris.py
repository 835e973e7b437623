"""Names of files as URIs, and names that only their bytes can open."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from genreatlas.audio.uris import path_bytes, path_to_uri, uri_to_path


@pytest.mark.parametrize(
    "name",
    [
        "plain.mp3",
        "quote\"'.mp3",
        "line\nbreak.mp3",
        "emoji 🎵.mp3",
        "a:b?c#d%41.mp3",
        "x" * 250 + ".mp3",
        "ünïcode.mp3",
    ],
)
def test_any_name_survives_its_uri(name):
    uri = path_to_uri(f"/music/{name}")
    assert uri.isascii()
    assert uri_to_path(uri) == f"/music/{name}".encode()


def test_bytes_that_are_not_utf8_survive_their_uri():
    assert path_to_uri(b"/music/\xff\xfe.mp3") == "file:///music/%FF%FE.mp3"
    assert uri_to_path("file:///music/%FF%FE.mp3") == b"/music/\xff\xfe.mp3"
    assert path_bytes("/music/\udcff.mp3") == b"/music/\xff.mp3"


def test_foreign_uris_are_refused():
    for uri in ("https://example.org/a.mp3", "file://elsewhere/a.mp3", "/a.mp3"):
        with pytest.raises(ValueError):
            uri_to_path(uri)
    with pytest.raises(ValueError):
        path_to_uri("a.mp3")


def test_names_are_opened_by_their_bytes_under_the_c_locale(tmp_path):
    name = os.fsencode(tmp_path) + "/été 🎵 \udcff.wav".encode("utf-8", "surrogateescape")
    with open(name, "wb") as file:  # noqa: PTH123 - a name of bytes
        soundfile.write(file, np.full(8000, 0.1), 8000, format="WAV")
    code = f"from genreatlas.audio import probe, uris; print(probe.probe(uris.uri_to_path({path_to_uri(name)!r})))"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "sample_rate=8000" in done.stdout, done.stderr
