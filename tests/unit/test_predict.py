"""One file's genre without Spark: whole files in windows, refusals, and a timeline."""

import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

import genreatlas
from conftest import make_config
from genreatlas.audio.preprocess import file_windows
from genreatlas.audio.sets.definition import Feature, FeatureSet
from genreatlas.audio.whole_files import check_recipe, encode
from genreatlas.config import ClipSection
from genreatlas.errors import ClipError, ModelError, Reason
from one_file_models import recipe, save_model, sound

CLIP = ClipSection(seconds=2.0)


@pytest.mark.parametrize(
    ("duration", "options", "windows"),
    [
        (1.0, {}, [(0.0, 1.0)]),
        (2.0, {}, [(0.0, 2.0)]),
        (2.8, {}, [(0.0, 2.0)]),
        (3.2, {}, [(0.0, 2.0), (1.2, 2.0)]),
        (6.0, {}, [(0.0, 2.0), (2.0, 2.0), (4.0, 2.0)]),
        (4.0, {"hop_s": 1.0}, [(0.0, 2.0), (1.0, 2.0), (2.0, 2.0)]),
        (102.0, {"most": 3}, [(0.0, 2.0), (50.0, 2.0), (100.0, 2.0)]),
        (100.0, {"most": 1}, [(0.0, 2.0)]),
    ],
)
def test_windows_cover_a_file_from_its_start_to_its_end(duration, options, windows):
    assert file_windows(CLIP, duration, **options) == windows


def test_categories_are_one_hot_and_numbers_stay():
    features = FeatureSet("x", "1", "summary", None, None, (Feature("tempo"), Feature("key", kind="categorical")), "")
    row = encode(np.array([120.0, 3.0]), features, ("tempo", "key=2", "key=3"))
    np.testing.assert_array_equal(row, np.array([120, 0, 1], "f4"))
    assert np.isnan(encode(np.array([np.nan, 3.0]), features, ("tempo",))[0])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of models: one of summaries, one of frames, and some that must be refused."""
    config = make_config(tmp_path_factory.mktemp("predict"), "clip.seconds=2.0")
    save_model(config, "frames", "mfcc12_frames")
    save_model(config, "other_version", set_version="0")
    save_model(config, "other_cut", preprocessing_id="made otherwise")
    save_model(config, "other_version_of_one", "loudness+summary9", set_version="1+0")
    save_model(config, "joined", "loudness+summary9")
    save_model(config, "summary")
    return config.models.path


@pytest.mark.parametrize("model", ["champion", "frames", "joined"])
def test_a_file_and_its_bytes_are_told_alike_and_rightly(models, tmp_path, model):
    for name in ("noise", "tone"):
        path = tmp_path / f"{name}.wav"
        path.write_bytes(sound(name, seed=50))
        found = genreatlas.predict(path, models, model)
        assert found == genreatlas.predict(path.read_bytes(), models, model)
        assert (found.genre, found.names[found.genre]) == (name, name.title())
        assert found.confidence == max(found.probabilities.values()) > 0.6
        assert sum(found.probabilities.values()) == pytest.approx(1.0)


def test_a_long_file_has_a_timeline_whose_mean_is_its_answer_and_silence_takes_no_part(models):
    found = genreatlas.predict(sound("tone", "silence", "noise", "noise", seed=60), models)
    assert [window.genre for window in found.windows] == ["tone", None, "noise", "noise"]
    assert [(window.start_s, window.reason) for window in found.windows] == [
        (0.0, None), (2.0, "silent"), (4.0, None), (6.0, None)
    ]  # fmt: skip
    heard = [window.probabilities["noise"] for window in found.windows if not window.reason]
    assert found.probabilities["noise"] == pytest.approx(np.mean(heard))
    assert len(genreatlas.predict(sound("tone", "noise"), models, hop_s=1.0).windows) == 3
    assert len(genreatlas.predict(sound(*["tone"] * 5), models, max_windows=2).windows) == 2


def test_sound_that_cannot_be_used_says_why(models, tmp_path):
    for content, reason in (
        (sound("silence", "silence"), Reason.SILENT),
        (sound("tone", seconds=0.5), Reason.TOO_SHORT),
        (b"not a sound at all", Reason.NOT_AUDIO),
    ):
        with pytest.raises(ClipError) as error:
            genreatlas.predict(content, models)
        assert error.value.reason == reason
    with pytest.raises(ClipError) as error:
        genreatlas.predict(tmp_path / "missing.mp3", models)
    assert error.value.reason == Reason.MISSING_FILE


def test_a_model_whose_features_would_be_made_otherwise_is_refused(models):
    tone = sound("tone")
    for model in ("other_version", "other_cut", "other_version_of_one"):
        with pytest.raises(ModelError, match="Train again, or use the release that trained it"):
            genreatlas.predict(tone, models, model)
    with pytest.raises(ModelError, match="nobody: no such model"):
        genreatlas.predict(tone, models, "nobody")


def test_a_spark_pipeline_and_an_imported_set_are_refused_with_what_to_do(models):
    config = make_config(models.parent, "clip.seconds=2.0")
    meta = save_model(config, "pipeline", alias="other", format="spark-ml")
    with pytest.raises(ModelError, match="needs a Spark session: use the job score"):
        genreatlas.predict(sound("tone"), models, meta.model_id)
    with pytest.raises(ModelError, match="were imported, so they cannot be computed from audio"):
        check_recipe("m", "1", "p", replace(recipe(config, "summary9"), feature_set="my_table"))


def test_it_works_where_spark_is_not_installed(models, tmp_path):
    path = tmp_path / "tone.wav"
    path.write_bytes(sound("tone", seed=50))
    code = f"""
        import sys
        sys.modules["pyspark"] = None  # any import of it raises
        import genreatlas
        print(genreatlas.predict({str(path)!r}, {str(models)!r}).genre)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("tone", 0), done.stderr
