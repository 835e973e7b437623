"""Networks over log-mel patches: spectrogram, patches, versions, checks, and no session before a fork."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import onnx
import pyarrow as pa
import pytest
import soundfile
from onnx import TensorProto, helper

import genreatlas
from conftest import make_config
from genreatlas.audio import embeddings, onnx_files
from genreatlas.audio.embeddings import sets_of, version_of
from genreatlas.audio.feature_sets import FEATURE_SETS, adopt_embeddings, get_feature_set, table_of
from genreatlas.audio.onnx_files import read_signature
from genreatlas.audio.patches import cut, log_mel
from genreatlas.audio.worker import ExtractRequest, extract_batches, extract_clip
from genreatlas.checks import extract_features
from genreatlas.checks.embeddings import embedding_problems
from genreatlas.checks.plan import make_plan
from genreatlas.config import ClipSection, load_config
from genreatlas.errors import ClipError, ConfigError, ModelError, Reason
from genreatlas.models.network_files import NETWORKS
from one_file_models import save_model, sound
from onnx_factory import BANDS, PATCH, RATE, band_means, entry, setting, write

ROOT = Path(__file__).parents[2]
SETS = ("bands", "bands_tags")


@pytest.fixture(autouse=True)
def nothing_is_left_registered():
    yield
    adopt_embeddings([])


@pytest.fixture
def bands(tmp_path):
    return band_means(tmp_path / "bands.onnx")


def tone(hz=440.0, seconds=2.0, rate=RATE):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def wav(samples, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def extracted(samples, *sets, seconds=30.0):
    found = extract_clip(io.BytesIO(wav(samples)), 0.0, seconds, ClipSection(), [get_feature_set(one) for one in sets])
    return {one.feature_set: one for one in found}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mel_scale": "htk", "mel_norm": "none", "power": 1},
        {"centred": False, "low_hz": 125.0, "high_hz": 7500.0},
        {"window": 400, "hop": 160, "n_fft": 512},
        {"logarithm": "ln", "log_scale": 1.0, "log_shift": 0.01},
        {"logarithm": "none"},
    ],
)
def test_the_spectrogram_is_librosas(bands, changes):
    one = entry(bands.file, **changes)
    samples = np.random.default_rng(1).normal(0, 0.2, RATE + 77).astype(np.float32)
    expected = librosa.feature.melspectrogram(
        y=samples.astype(np.float64), sr=RATE, n_fft=one.n_fft, win_length=one.window or None, hop_length=one.hop,
        center=one.centred, power=one.power, n_mels=BANDS, fmin=one.low_hz, fmax=one.high_hz or None,
        htk=one.mel_scale == "htk", norm="slaney" if one.mel_norm == "slaney" else None,
    ).T  # fmt: skip
    if one.logarithm != "none":
        expected = {"log10": np.log10, "ln": np.log}[one.logarithm](one.log_scale * expected + one.log_shift)
    np.testing.assert_allclose(log_mel(samples, one), expected, atol=2e-5, rtol=2e-5)


def test_loud_music_does_not_overflow_as_it_would_in_16_bits(bands):
    values = log_mel(100.0 * tone(), bands)
    assert np.isfinite(values).all() and 10 ** values.max() > np.finfo(np.float16).max


def test_a_tone_of_440_hz_stands_in_its_band(bands):
    adopt_embeddings([bands])
    found = extracted(tone(440.0), *SETS)
    vector = found["bands"].frames
    assert (len(vector), found["bands_tags"].values.shape) == (2 * BANDS, (2,))
    centres = librosa.mel_frequencies(BANDS + 2, fmin=0.0, fmax=RATE / 2)[1:-1]
    assert np.argmax(vector[:BANDS]) == np.argmin(np.abs(centres - 440.0))
    assert found["bands_tags"].values[0] > 0.5 > found["bands_tags"].values[1]
    assert extracted(tone(6000.0), "bands_tags")["bands_tags"].values[0] < 0.5


def test_the_vector_is_mean_and_deviation_over_patches_and_tags_are_means(bands):
    adopt_embeddings([bands])
    samples = np.concatenate([tone(440.0, 1.5), 0.1 * tone(3000.0, 1.7)])
    frames = log_mel(samples, bands).astype(np.float64)
    patches = np.stack([frames[start : start + PATCH].mean(axis=0) for start in range(0, len(frames) - 31, PATCH)])
    assert len(patches) == 6
    found = extracted(samples, *SETS)
    np.testing.assert_allclose(found["bands"].frames, [*patches.mean(axis=0), *patches.std(axis=0)], atol=1e-5)
    half = BANDS // 2
    low = 1 / (1 + np.exp(patches[:, half:].mean(axis=1) - patches[:, :half].mean(axis=1)))
    np.testing.assert_allclose(found["bands_tags"].values, [low.mean(), 1 - low.mean()], atol=1e-5)
    assert found["bands"].frames[BANDS:].max() > 0.1


def test_patches_may_overlap_and_what_fills_none_is_left_out(bands):
    frames = np.arange(100, dtype=np.float32)[:, None] * np.ones((1, BANDS), np.float32)
    starts = [int(patch[0, 0]) for patch in cut(frames, entry(bands.file, patch_hop=20))]
    assert starts == [0, 20, 40, 60]
    assert [int(patch[0, 0]) for patch in cut(frames, bands)] == [0, 32, 64]


def test_a_short_clip_is_repeated_until_it_fills_a_patch(bands):
    frames = np.arange(3, dtype=np.float32)[:, None] * np.ones((1, BANDS), np.float32)
    (patch,) = cut(frames, bands)
    assert patch[:, 0].tolist() == [k % 3 for k in range(PATCH)]
    adopt_embeddings([bands])
    vector = extracted(tone(440.0, 0.05), "bands")["bands"].frames
    assert np.isfinite(vector).all() and not vector[BANDS:].any()


@pytest.mark.parametrize(
    "axes", [("batch", "one", "time", "mels"), ("batch", "mels", "time"), ("batch", "one", "mels", "time", "one")]
)
def test_a_patch_gets_the_axes_that_the_network_wants(bands, tmp_path, axes):
    other = band_means(tmp_path / "other.onnx", axes)
    assert embedding_problems(config_with(other)) == []
    samples = np.random.default_rng(2).normal(0, 0.2, RATE).astype(np.float32)
    (first, _), (second, _) = (embeddings.run_network(samples, one) for one in (bands, other))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_both_sets_come_from_one_run(bands, monkeypatch):
    adopt_embeddings([bands])
    runs = []
    inner = embeddings.run_network
    monkeypatch.setattr(embeddings, "run_network", lambda *arguments: runs.append(1) or inner(*arguments))
    extracted(tone(), *SETS, "summary9")
    assert len(runs) == 1


def test_tags_are_columns_by_name_and_dimensions_have_names(bands):
    vector, tags = sets_of(bands)
    assert [feature.name for feature in tags.features] == ["tag_low", "tag_high_clear"]
    assert [column.name for column in table_of(tags).columns][-2:] == ["tag_low", "tag_high_clear"]
    assert table_of(vector).name == "vectors_bands" and table_of(tags).name == "features_bands_tags"
    assert [vector.features[k].name for k in (0, BANDS)] == ["e0_mean", "e0_std"]
    assert "taught nothing, on no recordings" in vector.comment and "CC0-1.0" in tags.comment
    (alone,) = sets_of(entry(bands.file, tags_output="", tags=(), statistics=("mean",)))
    assert len(alone.features) == BANDS


def test_the_version_is_that_of_the_network_and_of_all_around_it_but_not_of_its_place(bands):
    same = [{"file": "/elsewhere.onnx"}, {"name": "other"}, {"licence": "ISC"}, {"taught": ""}]
    assert {version_of(entry(bands.file, **change)) for change in same} == {version_of(bands)}
    others = [
        {"sha256": "0" * 64}, {"hop": 128}, {"patch_hop": 16}, {"log_scale": 1.0}, {"statistics": ("std", "mean")},
        {"mel_scale": "htk"}, {"sample_rate": 22_050}, {"tags": ("high", "low")},
    ]  # fmt: skip
    assert len({version_of(entry(bands.file, **change)) for change in others} | {version_of(bands)}) == 9


def request(path: Path, *names: str) -> pa.RecordBatch:
    content = path.stat()
    copy = {"clip_id": "c", "song_id": "s", "uri": path.as_uri(), "path": path.name, "bytes": content.st_size,
            "modified_ns": content.st_mtime_ns}  # fmt: skip
    row = {"audio_id": "a", "sha256": "", "start_s": 0.0, "length_s": 2.0, "feature_sets": list(names),
           "copies": [copy], "audio": None}  # fmt: skip
    return pa.RecordBatch.from_pylist([row])


def test_a_worker_opens_the_network_behind_the_fork_alone(bands, tmp_path):
    adopt_embeddings([bands])
    (tmp_path / "tone.wav").write_bytes(wav(tone()))
    onnx_files._opened.cache_clear()
    work = ExtractRequest(ClipSection())
    adopt_embeddings([])  # a worker knows the package alone, and what the request brings
    (rows,) = extract_batches(work, iter([request(tmp_path / "tone.wav", *SETS)]))
    assert [(row["feature_set"], row["reason"]) for row in rows.to_pylist()] == [(name, None) for name in SETS]
    assert onnx_files._opened.cache_info().currsize == 0
    adopt_embeddings([bands])
    expected = extracted(tone(), "bands")["bands"].frames
    np.testing.assert_array_equal(np.array(rows.to_pylist()[0]["frames"], np.float32), expected)
    assert onnx_files._opened.cache_info().currsize == 1


@pytest.mark.parametrize("fault", ["gone", "other", "broken"])
def test_a_network_that_is_not_what_was_checked_ends_the_step_and_is_no_fault_of_the_clip(bands, tmp_path, fault):
    adopt_embeddings([bands])
    (tmp_path / "tone.wav").write_bytes(wav(tone()))
    if fault == "gone":
        bands.file.unlink()
    elif fault == "other":
        band_means(bands.file, ("batch", "mels", "time"))
    else:
        bands.file.write_bytes(b"nothing")
        adopt_embeddings([entry(bands.file)])
    (rows,) = extract_batches(ExtractRequest(ClipSection()), iter([request(tmp_path / "tone.wav", *SETS)]))
    (row,) = rows.to_pylist()
    assert row["reason"] == Reason.ENVIRONMENT_FAULT
    words = {"gone": "No such file", "other": "its hash is", "broken": "onnxruntime cannot run it"}[fault]
    assert row["detail"].startswith(f"embedding bands: {bands.file}: ") and words in row["detail"]


# What `check` says.


def config_with(one, *overrides, sets=SETS):
    names = json.dumps(list(sets))
    return load_config([], [f"extract.embeddings={setting(one)}", f"extract.feature_sets={names}", *overrides])


def test_an_entry_that_fits_its_file_has_no_fault(bands):
    plan = make_plan(["extract_features"], config_with(bands))
    assert [fault for fault in plan.found() if "embedding" in str(fault) or "bands" in str(fault)] == []
    assert set(SETS) <= set(FEATURE_SETS)


def test_networks_that_no_set_is_extracted_of_need_no_file(bands):
    bands.file.unlink()
    assert extract_features(config_with(bands, sets=["summary9"])) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"file": "/nowhere/x.onnx"}, "bands: file = /nowhere/x.onnx: no such file"),
        ({"sha256": "0" * 64}, f"not {'0' * 64}: it is another network. Set sha256"),
        ({"patch": 31}, "patches is (?, 32, 24), but axes, patch and n_mels give (batch 1, time 31, mels 24)"),
        ({"n_mels": 32}, "mels 32"),
        ({"axes": ("batch", "mels", "time")}, "axes, patch and n_mels give (batch 1, mels 24, time 32)"),
        ({"axes": ("batch", "one", "time", "mels")}, "its input patches is (?, 32, 24)"),
        ({"output": "embedding"}, "output = embedding: no such output. Outputs: means, probabilities"),
        ({"dimensions": 25}, "output = means is (?, 24), but dimensions is 25"),
        ({"tags": ("a", "b", "c")}, "tags_output = probabilities is (?, 2), but the number of tags is 3"),
    ],
)  # fmt: skip
def test_what_does_not_match_is_said_before_anything_starts(bands, changes, said):
    one = entry(bands.file, **changes)
    plan = make_plan(["extract_features"], config_with(one))
    (fault,) = [str(fault) for fault in plan.found() if "extract.embeddings" in str(fault)]
    assert said in fault and fault.startswith("extract.embeddings: bands: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": "abc"}, "sha256"),
        ({"name": "Big Name"}, "name"),
        ({"window": 1024}, "window = 1024 is longer than n_fft = 512"),
        ({"high_hz": 9000.0}, "at most at half of the sample_rate"),
        ({"axes": ["time", "mels"]}, "axes needs batch first"),
        ({"log_shift": 0.0}, "the logarithm of silence is infinite"),
        ({"tags": []}, "tags_output and tags must be set together"),
        ({"tags": ["hip-hop", "Hip Hop"]}, "tag_hip_hop is the column of two tags"),
        ({"statistics": []}, "statistics"),
        ({"patchs": 3}, "unknown key extract.embeddings.0.patchs. Did you mean extract.embeddings.0.patch?"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused_with_its_key(bands, changes, said):
    fields = bands.model_dump(mode="json") | changes
    with pytest.raises(ConfigError, match="embeddings") as refused:
        load_config([], [f"extract.embeddings=[{toml(fields)}]"])
    assert said in str(refused.value)


def toml(fields):
    from genreatlas.config import toml_value

    return toml_value({key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})


def test_a_name_that_is_taken_is_refused(bands):
    with pytest.raises(ConfigError, match="a feature set is called summary9 already"):
        adopt_embeddings([entry(bands.file, name="summary9")])
    with pytest.raises(ConfigError, match="a feature set is called bands already"):
        adopt_embeddings([bands, bands])
    assert any("summary9 already" in str(fault) for fault in
               make_plan(["extract_features"], config_with(entry(bands.file, name="summary9"))).found())  # fmt: skip


def test_checking_runs_no_network_and_loads_no_onnxruntime(bands, tmp_path):
    (tmp_path / "conf.toml").write_text(
        f'[extract]\nfeature_sets = ["bands"]\nembeddings = {setting(bands)}\n', encoding="utf-8"
    )
    code = (
        "import sys\nfrom genreatlas import cli\ntry:\n    cli.check(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'pyspark', 'onnxruntime', 'onnx', 'librosa', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--job", "extract_features", "--conf", str(tmp_path / "conf.toml")],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT / "lib"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]" and "No errors found" in done.stdout


def test_onnxruntime_that_is_not_installed_is_named_with_its_extra(bands, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    (fault,) = extract_features(config_with(bands, sets=["summary9", "bands"]))[-1:]
    assert "pip install 'genreatlas[onnx]'" in str(fault)


# What is read of an ONNX file.


def test_inputs_and_outputs_are_told_as_onnx_tells_them(tmp_path):
    path = tmp_path / "x.onnx"
    inputs = [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", 3, None]),
              helper.make_tensor_value_info("b", TensorProto.INT64, [])]  # fmt: skip
    outputs = [helper.make_tensor_value_info("c", TensorProto.FLOAT, None)]
    write(path, [helper.make_node("Identity", ["a"], ["c"])], inputs, outputs)
    found = read_signature(path.read_bytes())
    assert [(one.name, one.is_float32, one.shape) for one in found.inputs] == [
        ("a", True, (None, 3, None)), ("b", False, ())
    ]  # fmt: skip
    assert [(one.name, one.shape, one.shown) for one in found.outputs] == [("c", None, "of no known shape")]


def test_weights_that_are_listed_among_the_inputs_are_none(bands):
    model = onnx.load(bands.file)
    weight = model.graph.initializer[0]
    model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims)))
    assert [one.name for one in read_signature(model.SerializeToString()).inputs] == ["patches"]


def test_weights_in_other_files_are_refused(bands, tmp_path):
    model = onnx.load(bands.file)
    onnx.save(model, tmp_path / "outside.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(ConfigError, match="weights are stored in other files"):
        read_signature((tmp_path / "outside.onnx").read_bytes())


@pytest.mark.parametrize("cut_at", [1, 10, 100, -1])
def test_a_file_that_is_none_or_broke_off_is_refused(bands, cut_at):
    content = bands.file.read_bytes()
    with pytest.raises(ConfigError, match="not an ONNX file"):
        read_signature(content[:cut_at])
    for other in (b"", b"RIFF" + bytes(200), b"\xff" * 50):
        with pytest.raises(ConfigError, match="not an ONNX file"):
            read_signature(other)


# Models that were trained on an embedding.


@pytest.fixture
def trained(bands, tmp_path):
    adopt_embeddings([bands])
    config = make_config(tmp_path, "clip.seconds=2.0")
    save_model(config, "on_bands", "bands")
    save_model(config, "on_both", "bands+bands_tags")
    return config.models.path


def test_a_model_brings_its_network_along_and_answers_without_the_configuration(bands, trained, tmp_path):
    genre = {model: genreatlas.predict(sound("tone", seed=9), trained, model) for model in ("on_bands", "on_both")}
    assert [one.genre for one in genre.values()] == ["tone", "tone"]
    adopt_embeddings([])
    bands.file.unlink()
    elsewhere = shutil.move(trained, tmp_path / "elsewhere")
    genreatlas.models.one_file._load.cache_clear()
    for model, known in genre.items():
        assert genreatlas.predict(sound("tone", seed=9), elsewhere, model).probabilities == known.probabilities
    name = f"{bands.sha256}.onnx"
    assert (elsewhere / "on_bands" / name).samefile(elsewhere / "on_both" / name)


def test_a_model_keeps_its_own_network_where_the_configuration_has_another_of_the_name(bands, trained, tmp_path):
    known = genreatlas.predict(sound("noise", seed=8), trained, "on_bands")
    adopt_embeddings([band_means(tmp_path / "new.onnx", ("batch", "mels", "time"), hop=200)])
    assert genreatlas.predict(sound("noise", seed=8), trained, "on_bands").probabilities == known.probabilities


def test_a_model_whose_network_was_exchanged_or_lost_says_so(bands, trained):
    genreatlas.models.one_file._load.cache_clear()
    onnx_files._opened.cache_clear()
    (trained / "on_bands" / f"{bands.sha256}.onnx").unlink()
    with pytest.raises(ClipError, match=r"No such file.*Put the network there"):
        genreatlas.predict(sound("tone"), trained, "on_bands")
    (trained / "on_bands" / NETWORKS).write_text("[{}]")
    genreatlas.models.one_file._load.cache_clear()
    with pytest.raises(ModelError, match="not the networks of a model of this version"):
        genreatlas.predict(sound("tone"), trained, "on_bands")


def test_the_page_says_beside_the_scores_what_a_network_was_taught():
    from genreatlas.report import boards
    from genreatlas.report.flags import flags
    from report_factory import frame, report_data

    def said(version):
        data = report_data(
            networks=frame("feature_set set_version taught", ("summary9", version, "tags of a catalogue"))
        )
        board = boards.boards(data.models, data.scores, data.metric, data.level, data.labels)[0]
        return [flag for flag in flags(data, board) if flag.title == "Pretrained network"]

    (flag,) = said("1")
    assert flag.serious and flag.text.startswith(
        "summary9: features of a pretrained network that was taught tags of a catalogue."
    )
    assert "If its training data include songs of the test part, which is unknown" in flag.text
    assert said("another version") == []
