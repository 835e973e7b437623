"""What tasks of the search give back, without Spark: lists with names, scales, and new songs that enter old lists."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from genreatlas.neighbours import approximate
from genreatlas.neighbours.search import local_scale, nearest
from genreatlas.neighbours.space import similarity
from genreatlas.neighbours.tasks import BLOCK, SCALE_LENGTH, Search, list_batches, scale_batches

N, K = 3000, 15


@pytest.fixture(scope="module")
def songs():
    return np.random.default_rng(1).normal(size=(N, 10)).astype(np.float32)


@pytest.fixture
def search(songs, tmp_path):
    """A function that saves arrays and makes a search of them."""
    ids = np.char.encode(np.array([f"sóng{number:05d}" for number in range(N)]), "utf-8")
    expected = np.linspace(1, 2, N)

    def make(**arrays) -> Search:
        arrays = {"songs": songs, "ids": ids, "expected": expected} | arrays
        places = {"k": arrays.pop("k", K), "probes": arrays.pop("probes", 0), "index": arrays.pop("index", "")}
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
        return Search(**{name: f"{name}.npy" for name in arrays}, **places, folder=str(tmp_path))

    return make


def blocks(n):
    numbers = np.arange(-(-n // BLOCK))
    return iter([pa.RecordBatch.from_arrays([pa.array(numbers[:1])], ["id"]),
                 pa.RecordBatch.from_arrays([pa.array(numbers[1:])], ["id"])])  # fmt: skip


def table(batches):
    return pa.Table.from_batches(list(batches)).to_pandas()


def places(n):
    return np.arange(n, dtype=np.int32)


def test_lists_come_with_ids_in_utf8_and_ranks(songs, search):
    found = table(list_batches(search(asking=places(N), base=places(N)), blocks(N)))
    truth = nearest(songs, places(N), places(N), K)
    assert found.song_id.tolist() == [f"sóng{number:05d}" for number in range(N) for _ in range(K)]
    assert found.neighbour_song_id.tolist() == [f"sóng{number:05d}" for number in truth.places.ravel()]
    assert (found["rank"].to_numpy().reshape(N, K) == np.arange(1, K + 1)).all()
    assert (found.distance.to_numpy() == truth.distance.ravel()).all() and set(found.method) == {"exact"}
    expected = np.linspace(1, 2, N)
    wanted = similarity(truth.distance, expected[:, None], expected[truth.places])
    assert found.similarity.to_numpy() == pytest.approx(wanted.ravel())


def test_scales_are_measured_by_the_songs_that_were_asked_for(songs, search):
    asking, base = places(N)[100:2400], places(N)[::2].copy()
    found = table(scale_batches(search(asking=asking, base=base, k=SCALE_LENGTH), blocks(len(asking))))
    truth = nearest(songs, asking, base, SCALE_LENGTH)
    assert found.place.tolist() == asking.tolist()
    assert (found.local_scale.to_numpy() == local_scale(truth, len(base))).all()
    assert (np.stack(found.nearest.to_numpy()) == truth.places[:, :10]).all()


def test_lists_that_new_songs_enter_are_those_made_anew(songs, search):
    pull = np.random.default_rng(2).uniform(0.1, 0.4, N)
    old = np.flatnonzero(np.arange(N) % 7).astype(np.int32)
    new = np.flatnonzero(np.arange(N) % 7 == 0).astype(np.int32)
    before = nearest(songs, old, old, K, pull)
    have = table(list_batches(search(asking=old, base=old, pull=pull), blocks(len(old))))
    entering = search(asking=old, base=new, pull=pull, bound=before.corrected[:, -1].copy())
    entered = table(list_batches(entering, blocks(len(old))))
    assert 0 < len(entered) < len(have)
    both = pd.concat([have, entered]).sort_values(["song_id", "corrected", "neighbour_song_id"])
    both = both.groupby("song_id").head(K).reset_index(drop=True)
    anew = table(list_batches(search(asking=old, base=places(N), pull=pull), blocks(len(old))))
    for name in ("song_id", "neighbour_song_id", "distance", "corrected", "similarity"):
        assert (both[name] == anew[name]).all(), name


def test_an_index_is_read_from_its_file(songs, search, tmp_path):
    pytest.importorskip("faiss")
    tuned = approximate.build(songs, places(N), None, 0.95, 7)
    approximate.write(tuned, tmp_path / "some.faiss")
    asked = search(asking=places(N), base=places(N), index="some.faiss", probes=tuned.cells)
    found = table(list_batches(asked, blocks(N)))
    assert set(found.method) == {"approximate"}
    assert (found.corrected.to_numpy() == nearest(songs, places(N), places(N), K).corrected.ravel()).all()
