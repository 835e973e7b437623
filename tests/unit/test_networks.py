"""Networks are trained on the order of rows, resumed, exported to ONNX, and scored without what trained them."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clip_factory import FEATURES, SETTINGS, make_clips, make_trial
from genreatlas.audio.frames import dequantise, quantise
from genreatlas.datasets.clip_files import ClipFiles, mapped
from genreatlas.errors import ModelError
from genreatlas.models.engines.networks import network_fits, snippets
from genreatlas.models.engines.networks.networks_facts import ESTIMATORS
from genreatlas.models.engines.task_answers import predict_batch
from genreatlas.models.engines.task_fits import score_fold
from genreatlas.models.types import FoldTask

needs_keras = pytest.mark.skipif(
    find_spec("keras") is None or find_spec("jax") is None,
    reason="networks are trained with Keras on JAX: pip install genreatlas[deep]",
)

# What a network sees of a clip


@pytest.mark.parametrize("n_rows", [1, 15, 16, 17, 40, 48])
def test_windows_begin_with_a_clip_end_with_it_and_leave_no_row_out(n_rows):
    reading = snippets.Reading("columns", (0,), (0.0,), (1.0,), rows=16, n_columns=2)
    clip = np.stack([np.arange(n_rows), np.full(n_rows, np.nan)], axis=1).astype(np.float32)
    windows = reading.windows(clip)
    assert windows.shape == (-(-n_rows // 16), 16, 1)
    assert set(windows.ravel()) == set(range(n_rows))
    assert (windows[0, 0, 0], windows[-1].max()) == (0, n_rows - 1)


def test_a_clip_without_rows_is_one_window_of_missing_values_which_are_their_mean():
    reading = snippets.Reading("columns", (1,), (5.0,), (2.0,), rows=8, n_columns=2)
    assert np.array_equal(reading.windows(np.empty((0, 2), np.float32)), np.zeros((1, 8, 1)))
    assert reading.encode(np.array([[0, 9], [0, np.nan]], np.float32)).ravel().tolist() == [2.0, 0.0]


def test_notes_are_encoded_by_the_pause_before_them_their_phase_band_and_pitch():
    nan = np.nan
    found = snippets.encode_notes(np.array([[1.0, 0.25, 0.5, 2, nan], [1.25, nan, 1.0, 0, 11], [9.0, 0, nan, 1, 0]]))
    assert found[:, 0] == pytest.approx([0.0, 1.0, 2 * np.sqrt(2.0)])  # a long pause is one of two seconds
    assert found[0, 1:5] == pytest.approx([1.0, 0.0, 1.0, 0.5], abs=1e-6)
    assert found[1, 1:5].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert found[:, 5:8].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert found[0, 8:].sum() == 0 and found[1, 19] == found[2, 8] == 1


def test_a_window_of_events_has_as_many_as_clips_have_in_so_many_seconds():
    clip = np.stack([np.arange(40) * 0.25, np.ones(40)], axis=1).astype(np.float32)
    found = snippets.read_clips(lambda n: clip, 3, ("start", "timbre_1"), None, "timbre", 5.0, None)
    assert (found.rows, found.places, found.mean, found.spread) == (20, (1,), (1.0,), (1.0,))
    frames = snippets.read_clips(lambda n: clip, 3, ("mel1", "mel2"), 0.025, "all", 5.0, None)
    assert (frames.rows, frames.places) == (200, (0, 1))


def test_columns_that_are_not_there_are_refused_with_those_that_are():
    assert snippets.choose_columns(FEATURES, "timbre + pitch") == (0, 1, 2)
    with pytest.raises(ValueError, match=r"no column begins with chroma. There are: timbre_1, timbre_2, pitch_C"):
        snippets.choose_columns(FEATURES, "chroma")


# Clips in shards


@pytest.mark.parametrize("quantised", [False, True])
def test_clips_are_read_where_they_lie(tmp_path, quantised):
    files = make_clips(tmp_path, quantised=quantised)
    clips, places = ClipFiles(tmp_path), files.array("X")
    with np.load(tmp_path / "train-00001.npz") as shard:
        start, end = shard["offsets"][2:4]
        values = shard["values"][start:end]
        if quantised:
            values = values * shard["step"][2].astype("f4") + shard["lowest"][2].astype("f4")
    place = next(place for place in places if place[0] == 1 and place[1] == 2)
    assert place[2] == end - start
    assert np.array_equal(clips.rows(place), values)
    assert np.array_equal(clips.rows(place, 3, 5), values[3:8])
    assert clips.rows(place).dtype == np.float32


def test_a_compressed_shard_cannot_be_mapped(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", values=np.zeros(3))
    with pytest.raises(ValueError, match="values is compressed"):
        mapped(tmp_path / "a.npz", "values")


# Training


def test_songs_that_stop_the_training_share_no_group_with_the_others():
    random = np.random.default_rng(1)
    group = random.integers(0, 40, 200)
    fold = group % 4 + 1
    held = network_fits.hold_back(fold, group)
    assert not set(group[held]) & set(group[~held])
    assert set(fold[held]) == {1} and 0.08 < held.mean() < 0.2
    alone = network_fits.hold_back(np.zeros(200, int), group)
    assert 0 < alone.mean() < 0.4 and not set(group[alone]) & set(group[~alone])


def test_even_weights_make_genres_count_the_same():
    y = np.eye(3, dtype=np.float32)[[0] * 10 + [1] * 5 + [2]]
    weight = network_fits._even_weights(y, np.arange(16))
    assert (y * weight[:, None]).sum(axis=0) == pytest.approx([16 / 3] * 3) and weight.mean() == pytest.approx(1)


def test_mixed_crops_keep_their_shares_and_blanked_ones_lose_at_most_a_quarter_each_way():
    random = np.random.default_rng(2)
    x, y = np.ones((64, 40, 20), np.float32), np.eye(4, dtype=np.float32)[random.integers(0, 4, 64)]
    mixed, labels = network_fits._mixed(x * y.argmax(1)[:, None, None], y, 0.4, random)
    assert labels.sum(axis=1) == pytest.approx(np.ones(64)) and (labels.max(axis=1) >= 0.5).all()
    assert mixed[:, 0, 0] == pytest.approx(labels @ np.arange(4), abs=1e-5)
    network_fits._blank(x, random)
    assert 0 < (x == 0).mean() < 0.5
    assert all((crop == 0).all(axis=1).sum() <= 10 and (crop == 0).all(axis=0).sum() <= 5 for crop in x)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def fitted(files):
    """A network that was trained on all clips but those of fold 0, and what is noted of it."""
    return network_fits.fit(make_trial(epochs=20), files, SETTINGS, np.flatnonzero(files.array("fold") != 0))


@needs_keras
def test_a_recurrent_network_hears_the_order_of_rows_that_have_the_same_values(files):
    found = score_fold(FoldTask("one", make_trial("gru", epochs=25), 0), files, SETTINGS)
    assert found.reason is None and found.score > 0.8, found
    assert "epochs, best" in found.detail


@needs_keras
@pytest.mark.slow
def test_training_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(files, monkeypatch):
    rows, trial = np.flatnonzero(files.array("fold") != 1), make_trial(epochs=4, dropout=0.5, mixup=0.2)
    whole, _ = network_fits.fit(trial, files, SETTINGS, rows)
    monkeypatch.setattr(network_fits, "CHECKPOINT_S", 0.0)
    judge, calls = network_fits.Training._held_out, []

    def killed(training, state, judged):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return judge(training, state, judged)

    monkeypatch.setattr(network_fits.Training, "_held_out", killed)
    with pytest.raises(KeyboardInterrupt):
        network_fits.fit(trial, files, SETTINGS, rows)
    resumed, _ = network_fits.fit(trial, files, SETTINGS, rows)
    assert len(calls) == 5  # two epochs, the one that was killed, and the two that were left
    assert resumed.dumps() == whole.dumps()


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Four songs of 16 are of the first genre, and what is seen is noise, so that only the shares can be learnt."""
    files = make_clips(tmp_path_factory.mktemp("uneven"), uneven=8)

    def share(**params):
        """Mean probability of the rare genre after training."""
        trial = make_trial(columns="pitch", epochs=6, **params)
        model, _ = network_fits.fit(trial, files, SETTINGS, np.arange(16))
        return model.matrix_scores(files.array("X"), slice(None), None)[:, 0].mean()

    assert (files.array("y") == 0).sum() == 4
    return share, share()


@needs_keras
@pytest.mark.slow  # four fits
@pytest.mark.parametrize(
    "params",
    [{"imbalance": "weights", "spec_augment": True}, {"imbalance": "resampling"}, {"imbalance": "logit_adjustment"}],
    ids=lambda params: params["imbalance"],
)
def test_rare_genres_can_be_made_to_count(uneven, params):
    share, plain = uneven
    assert share(**params) > plain + 0.05


# What is stored


@needs_keras
def test_a_network_scores_clips_alike_by_matrix_and_by_column(files, fitted):
    model, _ = fitted
    clips, X = ClipFiles(Path(files.sequences)), files.array("X")
    wanted = model.matrix_scores(X, np.arange(6), None)
    values = [clips.rows(X[number]) for number in range(6)]
    found = predict_batch(model, batch(values))
    n_rows = np.array(found["n_rows"].to_pylist())
    assert n_rows.tolist() == [-(-len(one) // 16) for one in values]
    assert np.array(found["score_sum"].to_pylist()) / n_rows[:, None] == pytest.approx(wanted, abs=1e-9)
    assert np.array(found["votes"].to_pylist()).sum(axis=1).tolist() == n_rows.tolist()
    wide = [np.zeros((4, 5), np.float32)]
    with pytest.raises(ModelError, match="clip 0 has 5 features; the network was trained on 3"):
        predict_batch(model, batch(wide))


@needs_keras
def test_bytes_are_scored_as_the_values_that_they_stand_for(fitted):
    model, _ = fitted
    values = [np.random.default_rng(n).normal(size=(20 + n, 3)) for n in range(3)]
    packed = [quantise(one) for one in values]
    columns = {
        "song_id": ["a", "b", "c"], "clip_id": ["a", "b", "c"], "width": pa.array([3] * 3, pa.int32()),
        "frames": pa.array([one[2] for one in packed], pa.binary()), "lowest": [one[0] for one in packed],
        "step": [one[1] for one in packed],
    }  # fmt: skip
    stored = pa.RecordBatch.from_pydict(columns)
    floats = [dequantise(one[2], 3, one[0], one[1]) for one in packed]
    assert (
        predict_batch(model, stored)["score_sum"].to_pylist()
        == predict_batch(model, batch(floats))["score_sum"].to_pylist()
    )
    assert (
        predict_batch(model, stored.slice(1))["score_sum"].to_pylist()
        == predict_batch(model, stored)["score_sum"].to_pylist()[1:]
    )


def batch(values):
    """Clips as scoring in Spark gets them."""
    names = pa.array([str(number) for number in range(len(values))])
    lists = pa.array([one.ravel() for one in values], pa.list_(pa.float32()))
    widths = pa.array([one.shape[1] for one in values], pa.int32())
    return pa.RecordBatch.from_pydict({"song_id": names, "clip_id": names, "frames": lists, "width": widths})


@needs_keras
def test_scoring_needs_nothing_of_what_trained_it_nor_spark(fitted, tmp_path):
    model, _ = fitted
    (tmp_path / "model.onnx").write_bytes(model.dumps())
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from genreatlas.models.engines import reader_of\n"
        f"model = reader_of('onnx').open(Path({str(tmp_path / 'model.onnx')!r}))\n"
        "print(model.scores(np.ones((1, 16, 3), 'f4')).tolist(), model.history['best'])\n"
        "assert not {'keras', 'jax', 'onnx', 'pyspark'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{model.scores(np.ones((1, 16, 3), 'f4')).tolist()} {model.history['best']}"


@needs_keras
def test_a_forked_child_opens_a_session_of_its_own(fitted):
    model, _ = fitted
    windows = np.ones((2, 16, 3), np.float32)
    wanted, session = model.scores(windows), model._session
    if (child := os.fork()) == 0:
        alike = np.array_equal(model.scores(windows), wanted) and model._session is not session
        os._exit(0 if alike else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert model._session is session


@needs_keras
def test_the_losses_of_a_stored_network_are_told_without_what_runs_it(fitted, tmp_path, monkeypatch):
    from genreatlas.models.engines import get_engine

    model, (note,) = fitted
    (tmp_path / "model.onnx").write_bytes(model.dumps())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = get_engine("networks").losses(tmp_path / "model.onnx")
    assert note.startswith(f"{len(found.trained)} epochs, best {found.best}: loss {found.trained[found.best - 1]:.3f}")
    assert len(found.held_out) == len(found.trained) and min(found.held_out) == found.held_out[found.best - 1]
    (tmp_path / "model.onnx").write_bytes(b"no model")
    assert get_engine("networks").losses(tmp_path / "model.onnx") is None
    assert get_engine("networks").losses(tmp_path / "gone.onnx") is None
    assert get_engine("sklearn").losses(tmp_path / "model.onnx") is None


@needs_keras
def test_a_fit_says_how_far_it_is_after_every_epoch_and_leaves_nothing(files, monkeypatch):
    from genreatlas.models.engines.networks.sequence_grid import SequenceGrid

    grid = SequenceGrid.__new__(SequenceGrid)
    grid._folder = Path(files.sequences)
    tell, told = network_fits._tell, []

    def seen(*given):
        tell(*given)
        told.extend(grid.running())

    monkeypatch.setattr(network_fits, "_tell", seen)
    network_fits.fit(make_trial(epochs=2), files, SETTINGS, np.arange(12))
    assert [line.partition(":")[0] for line in told] == ["cnn_1d epoch 1 of 2", "cnn_1d epoch 2 of 2"]
    assert all("held out 0." in line or "held out 1." in line for line in told)
    assert grid.running() == [] and not list(Path(files.sequences).glob("running-*"))


def test_what_is_no_network_of_ours_is_refused():
    from genreatlas.models.engines.networks.onnx_model import loads

    with pytest.raises(ModelError, match="onnxruntime cannot read it"):
        loads(b"no model")


@needs_keras
@pytest.mark.slow  # one more fit
def test_songs_with_several_genres_have_a_probability_for_each(tmp_path):
    files = make_clips(tmp_path, multi=True)
    model, _ = network_fits.fit(make_trial(epochs=2), files, SETTINGS, np.arange(16))
    found = model.matrix_scores(files.array("X"), np.arange(4), None)
    assert model.multi and ((found > 0) & (found < 1)).all() and not np.allclose(found.sum(axis=1), 1)


def test_every_network_is_known_to_the_engine_and_has_a_grid_that_is_allowed():
    from genreatlas.models.engines import get_engine

    engine = get_engine("networks")
    for name in ESTIMATORS:
        assert engine.grid_points(name, {}) == [{"columns": "all"}]
        assert engine.grid_errors(name, {"imbalance": ("wieghts",), "crop_s": (5.0,)}) == [
            f"train.candidates: {name}: imbalance = 'wieghts' is not possible. Allowed: none, weights, "
            "logit_adjustment, resampling."
        ]


@needs_keras
def test_the_report_finds_the_losses_of_the_networks_on_its_board(fitted, tmp_path):
    import pandas as pd

    from genreatlas.config import load_config
    from genreatlas.report.boards import Board
    from genreatlas.report.queries import _losses_of

    model, _ = fitted
    for name in ("one", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_bytes(model.dumps() if name == "one" else b"")
    rows = [("one", "networks", "onnx"), ("broken", "networks", "onnx"), ("gone", "networks", "onnx"),
            ("svm", "sklearn", "skops"), ("odd", "an engine of before", "odd")]  # fmt: skip
    board = Board(
        "genre", "drop", "default", 1, "macro_f1", pd.DataFrame(rows, columns=["model_id", "engine", "format"])
    )
    found = _losses_of(board, load_config([], [f'models.path="{tmp_path}"']))
    assert list(found) == ["one"] and found["one"].best == model.history["best"]
