"""Songs like a song or a file, read from tables without Spark."""

import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

import genreatlas
from conftest import make_config
from genreatlas.audio.feature_sets import get_feature_set
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.audio.whole_files import whole_file
from genreatlas.errors import ClipError, InputError, StoreError
from genreatlas.neighbours.search import local_scale, nearest
from genreatlas.neighbours.space import expected_distance, fit_space
from one_file_models import recipe, sound

deltalake = pytest.importorskip("deltalake")
SECONDS = "clip.seconds=2.0"


def song(number: int) -> bytes:
    """Five seconds, of which the middle two are noise or a tone."""
    return sound("silence", ("noise", "tone")[number % 2], "silence", seconds=2.0, seed=number)


def write(path, rows: dict) -> None:
    deltalake.write_deltalake(str(path), pa.table(rows), mode="overwrite")


def write_store(folder, values, features, facts, retired=()) -> None:
    """The tables that ``find_neighbours`` writes, of songs with some values."""
    n = len(values)
    space, vectors = fit_space(values, features)
    everybody = np.arange(n, dtype=np.int32)
    scale = local_scale(nearest(vectors, everybody, everybody, 20), n)
    ids = [f"song{number:02d}" for number in range(n)]
    write(folder / "neighbour_spaces", {
        "space_id": ["old", "s"], "sequence": [1, 2], "features": [["x"], list(space.features)],
        "centre": [[0.0], space.centre.tolist()], "spread": [[1.0], space.spread.tolist()],
        "mean": [[0.0], space.mean.tolist()], "variance": [1.0, space.variance], "scale_weight": [0.5, 0.75],
        "correction": ["local_scaling"] * 2,
        **{name: pa.array([value] * 2, pa.string()) for name, value in facts.items()},
    })  # fmt: skip
    write(folder / "neighbour_songs", {
        "space_id": ["s"] * n, "song_id": ids, "vector": pa.array(list(vectors), pa.list_(pa.float32())),
        "fitted": [True] * n, "expected": expected_distance(vectors, space), "local_scale": scale,
        "recording": ["song00" if number == 2 else one for number, one in enumerate(ids)],
        **{name: [f"{name}{number % few}" for number in range(n)] for name, few in (("artist", 3), ("album", 4))},
    })  # fmt: skip
    write(folder / "songs", {
        "song_id": ids, "title": [f"Title {number}" for number in range(n)], "artist": ["Somebody"] * n,
        "album": ["Some"] * n, "retired_at": pa.array([1 if one in retired else None for one in ids], pa.int64()),
    })  # fmt: skip


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """A store of 16 songs of noise and tones, with their features as extraction makes them."""
    folder = tmp_path_factory.mktemp("similar")
    config = make_config(folder, SECONDS)
    how = recipe(config, "summary9")
    how = type(how)(how.feature_set, how.clip, how.limits, how.columns, cut=True)
    found = [whole_file(song(number), how, content=True).windows for number in range(16)]
    assert {len(one) for one in found} == {1} and found[0][0].start_s == 2.0
    values = np.concatenate([one[0].values for one in found])
    values[2] = values[0]
    facts = {
        "feature_set": "summary9", "set_version": get_feature_set("summary9").version,
        "preprocessing_id": preprocessing_id(config.clip), "clip": config.clip.model_dump_json(),
    }  # fmt: skip
    write_store(folder / "tables", values, how.columns, facts)
    return folder / "tables"


def ids(found):
    return [one.song_id for one in found]


def test_a_file_is_found_at_no_distance_and_its_neighbours_are_those_of_the_song(heard, tmp_path):
    path = tmp_path / "file.wav"
    path.write_bytes(song(4))
    by_bytes, by_path = genreatlas.similar(song(4), heard, 5), genreatlas.similar(path, heard, 5)
    assert by_bytes == by_path
    assert by_bytes[0].song_id == "song04" and by_bytes[0].distance == 0 and by_bytes[0].similarity == 1
    assert by_bytes[0].title == "Title 4"
    by_id = genreatlas.similar("song04", heard, 4)
    assert ids(by_bytes)[1:] == ids(by_id)
    assert [one.distance for one in by_bytes[1:]] == [one.distance for one in by_id]
    assert {int(one.song_id[4:]) % 2 for one in genreatlas.similar(song(40), heard, 3)} == {0}


def test_a_file_is_answered_within_two_seconds_once_everything_is_loaded(heard):
    genreatlas.similar(song(4), heard)
    started = time.monotonic()
    genreatlas.similar(song(6), heard)
    assert time.monotonic() - started < 2.0


def test_filters_leave_out_copies_albums_artists_and_what_was_heard(heard):
    everything = ids(genreatlas.similar("song00", heard, 20, copies=True))
    assert len(everything) == 15 and everything[0] == "song02"
    assert "song02" not in ids(genreatlas.similar("song00", heard, 20))
    other = ids(genreatlas.similar("song00", heard, 20, same_album=False))
    assert not {int(one[4:]) % 4 for one in other} & {0} and len(other) == 12 - 1
    few = ids(genreatlas.similar("song00", heard, 20, per_artist=2))
    assert sorted(int(one[4:]) % 3 for one in few) == [0, 0, 1, 1, 2, 2]
    assert few[0] == ids(genreatlas.similar("song00", heard, 1))[0]
    assert few[0] not in ids(genreatlas.similar("song00", heard, 20, heard=[few[0]]))


def test_lists_are_those_of_the_exact_search(tmp_path):
    values = np.random.default_rng(1).normal(size=(400, 12)).astype(np.float32)
    facts = {"feature_set": "mine", "set_version": "1", "preprocessing_id": "imported", "clip": None}
    write_store(tmp_path, values, tuple("abcdefghijkl"), facts, retired=("song05",))
    _, vectors = fit_space(values, tuple("abcdefghijkl"))
    everybody = np.arange(400, dtype=np.int32)
    scale = local_scale(nearest(vectors, everybody, everybody, 20), 400)
    truth = nearest(vectors, everybody, everybody, 30, 0.75 * scale)
    for place in (0, 5, 399):
        wanted = [f"song{other:02d}" for other in truth.places[place] if other != 5]
        if place == 0:
            wanted = [one for one in wanted if one != "song02"]
        found = genreatlas.similar(f"song{place:02d}", tmp_path, 20)
        assert ids(found) == [one for one in wanted if place != 2][:20]


def test_what_cannot_be_answered_says_why(heard, tmp_path):
    with pytest.raises(StoreError, match="Run find_neighbours"):
        genreatlas.similar("song00", tmp_path)
    with pytest.raises(InputError, match="no song with neighbours has this id"):
        genreatlas.similar("nobody", heard)
    with pytest.raises(ClipError):
        genreatlas.similar(b"no sound", heard)
    facts = {"feature_set": "mine", "set_version": "1", "preprocessing_id": "imported"}
    values = np.random.default_rng(1).normal(size=(30, 3))
    write_store(tmp_path / "imported", values, ("a", "b", "c"), facts | {"clip": None})
    with pytest.raises(InputError, match="imported"):
        genreatlas.similar(song(1), tmp_path / "imported")


def test_no_spark_is_loaded(heard):
    code = f"import sys, genreatlas; genreatlas.similar('song00', {str(heard)!r}); assert 'pyspark' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
