"""One shard of exported features: what is in the file, and that it is always the same file."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genreatlas.audio.layouts import EVENTS, FRAMES, QUANTISED, VECTOR
from genreatlas.datasets.shards import ShardRequest, write_shard

CLASSES = ("folk", "rock")


def clips(**columns) -> pa.Table:
    """Three clips of two songs, out of order."""
    return pa.table(
        {
            "part": pa.array(["train"] * 3),
            "shard": pa.array([2] * 3, pa.int32()),
            "clip_id": ["c", "a", "b"],
            "song_id": ["s2", "s1", "s1"],
            "group_id": ["g2", "g1", "g1"],
            "fold": pa.array([None, 0, 0], pa.int32()),
            "genres": pa.array([["rock", "folk"], ["folk"], []], pa.list_(pa.string())),
        }
        | columns
    )


def notes() -> pa.Table:
    listed = pa.list_(pa.float32())
    return clips(
        n_events=pa.array([1, 2, 0], pa.int32()),
        time=pa.array([[9.0], [0.5, 1.0], []], listed),
        pitch_class=pa.array([[4.0], [None, 11.0], []], listed),
    )


def spectrogram() -> pa.Table:
    return clips(
        n_frames=pa.array([1, 2, 1], pa.int32()),
        width=pa.array([3, 3, 3], pa.int32()),
        lowest=[-80.0, -70.0, -60.0],
        step=[0.3, 0.2, 0.1],
        frames=pa.array([bytes([7, 8, 9]), bytes(range(6)), bytes([1, 1, 1])], pa.binary()),
    )


def request(folder, form, features=("m1", "m2", "m3"), layout=QUANTISED):
    return ShardRequest(str(folder), form, CLASSES, features, layout)


def test_a_shard_of_notes_has_the_rows_of_every_clip_end_to_end_with_labels_and_fold(tmp_path):
    (row,) = write_shard(request(tmp_path, "npz", ("time", "pitch_class"), EVENTS), notes()).to_pylist()
    path = tmp_path / "train-00002.npz"
    assert row == {
        "part": "train",
        "shard": 2,
        "file": path.name,
        "n_clips": 3,
        "n_bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    with np.load(path) as shard:
        assert shard["clip_id"].tolist() == ["a", "b", "c"]
        assert shard["song_id"].tolist() == ["s1", "s1", "s2"]
        assert shard["group_id"].tolist() == ["g1", "g1", "g2"]
        assert shard["fold"].tolist() == [0, 0, -1]
        assert shard["genres"].tolist() == [[1, 0], [0, 0], [1, 1]]
        assert shard["offsets"].tolist() == [0, 2, 2, 3]
        np.testing.assert_array_equal(shard["values"], np.float32([[0.5, np.nan], [1.0, 11.0], [9.0, 4.0]]))


def test_a_shard_of_bytes_keeps_them_with_the_scale_of_each_clip(tmp_path):
    write_shard(request(tmp_path, "npz"), spectrogram())
    with np.load(tmp_path / "train-00002.npz") as shard:
        assert shard["values"].dtype == np.uint8
        assert shard["values"].tolist() == [[0, 1, 2], [3, 4, 5], [1, 1, 1], [7, 8, 9]]
        assert (shard["lowest"].tolist(), shard["step"].tolist()) == ([-70, -60, -80], [0.2, 0.1, 0.3])
        assert shard["offsets"].tolist() == [0, 2, 3, 4]


def test_a_shard_of_frames_has_their_values(tmp_path):
    frames = pa.array([[7.0, 8.0], [1.0, 2.0, 3.0, 4.0], []], pa.list_(pa.float32()))
    counts = {"n_frames": pa.array([1, 2, 0], pa.int32()), "width": pa.array([2, 2, 2], pa.int32())}
    write_shard(request(tmp_path, "npz", ("a", "b"), FRAMES), clips(**counts, frames=frames))
    with np.load(tmp_path / "train-00002.npz") as shard:
        assert shard["values"].tolist() == [[1, 2], [3, 4], [7, 8]]


def test_a_shard_of_vectors_has_a_row_a_clip(tmp_path):
    vectors = pa.array([[7.0, 8.0], [1.0, 2.0], [3.0, None]], pa.list_(pa.float32()))
    write_shard(request(tmp_path, "npz", ("a", "b"), VECTOR), clips(vector=vectors))
    with np.load(tmp_path / "train-00002.npz") as shard:
        np.testing.assert_array_equal(shard["values"], np.float32([[1, 2], [3, np.nan], [7, 8]]))
        assert shard["offsets"].tolist() == [0, 1, 2, 3]


def test_a_parquet_shard_has_a_row_a_clip(tmp_path):
    write_shard(request(tmp_path, "parquet", ("time", "pitch_class"), EVENTS), notes())
    rows = pq.read_table(tmp_path / "train-00002.parquet").to_pylist()
    assert rows[0] == {
        "clip_id": "a",
        "song_id": "s1",
        "group_id": "g1",
        "fold": 0,
        "genres": ["folk"],
        "n_events": 2,
        "time": [0.5, 1.0],
        "pitch_class": [None, 11.0],
    }
    assert [row["clip_id"] for row in rows] == ["a", "b", "c"]


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_the_same_rows_in_any_order_are_the_same_bytes(tmp_path, form):
    (first,) = write_shard(request(tmp_path / "one", form), spectrogram()).to_pylist()
    (second,) = write_shard(request(tmp_path / "two", form), spectrogram().take([1, 2, 0])).to_pylist()
    assert first == second
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [first["file"]]
