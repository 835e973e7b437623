import numpy as np
import pytest

from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets, get_feature_set, table_of
from genreatlas.errors import ConfigError

# Header of the published table without filename, length and label.
GTZAN_HEADER = """
chroma_stft_mean chroma_stft_var rms_mean rms_var spectral_centroid_mean spectral_centroid_var spectral_bandwidth_mean
spectral_bandwidth_var rolloff_mean rolloff_var zero_crossing_rate_mean zero_crossing_rate_var harmony_mean harmony_var
perceptr_mean perceptr_var tempo mfcc1_mean mfcc1_var mfcc2_mean mfcc2_var mfcc3_mean mfcc3_var mfcc4_mean mfcc4_var
mfcc5_mean mfcc5_var mfcc6_mean mfcc6_var mfcc7_mean mfcc7_var mfcc8_mean mfcc8_var mfcc9_mean mfcc9_var mfcc10_mean
mfcc10_var mfcc11_mean mfcc11_var mfcc12_mean mfcc12_var mfcc13_mean mfcc13_var mfcc14_mean mfcc14_var mfcc15_mean
mfcc15_var mfcc16_mean mfcc16_var mfcc17_mean mfcc17_var mfcc18_mean mfcc18_var mfcc19_mean mfcc19_var mfcc20_mean
mfcc20_var
""".split()  # noqa: SIM905 - a header is read, not a list

SUMMARY9_NAMES = """
chroma_c_mean chroma_cs_mean chroma_d_mean chroma_ds_mean chroma_e_mean chroma_f_mean chroma_fs_mean chroma_g_mean
chroma_gs_mean chroma_a_mean chroma_as_mean chroma_b_mean
contrast_0_200_hz_mean contrast_200_400_hz_mean contrast_400_800_hz_mean contrast_800_1600_hz_mean
contrast_1600_3200_hz_mean contrast_3200_6400_hz_mean contrast_6400_11025_hz_mean
mfcc1_mean mfcc2_mean mfcc3_mean mfcc4_mean mfcc5_mean mfcc6_mean mfcc7_mean mfcc8_mean mfcc9_mean mfcc10_mean
mfcc11_mean mfcc12_mean mfcc13_mean mfcc14_mean mfcc15_mean mfcc16_mean mfcc17_mean mfcc18_mean mfcc19_mean mfcc20_mean
rms_mean spectral_centroid_mean spectral_bandwidth_mean rolloff_mean zero_crossing_rate_mean flatness_mean
""".split()  # noqa: SIM905 - a header is read, not a list


def names(feature_set: str) -> list[str]:
    return [feature.name for feature in FEATURE_SETS[feature_set].features]


def test_gtzan57_has_the_published_columns_in_the_published_order():
    assert names("gtzan57") == GTZAN_HEADER
    assert len(GTZAN_HEADER) == 57


def test_summary9_has_forty_five_columns_that_name_pitch_classes_and_bands():
    assert names("summary9") == SUMMARY9_NAMES
    assert len(SUMMARY9_NAMES) == 45


def test_mfcc12_frames_has_twelve_coefficients_every_512_samples():
    feature_set = FEATURE_SETS["mfcc12_frames"]
    assert names("mfcc12_frames") == [f"mfcc{n}" for n in range(1, 13)]
    assert feature_set.axis == "frames"
    assert feature_set.hop_s == 512 / 22050


def test_loudness_is_measured_on_the_clip_as_it_was_decoded():
    feature_set = FEATURE_SETS["loudness"]
    assert names("loudness") == ["loudness_lufs", "peak_dbfs", "rms_dbfs", "gain_db"]
    assert feature_set.sample_rate is None


@pytest.mark.parametrize("feature_set", FEATURE_SETS.values(), ids=FEATURE_SETS)
def test_names_are_unique_and_every_feature_is_explained(feature_set):
    assert len({feature.name for feature in feature_set.features}) == len(feature_set.features)
    assert all(feature.comment.endswith(".") and feature.name.isidentifier() for feature in feature_set.features)


def test_a_summary_set_becomes_one_wide_table_with_a_named_double_per_feature():
    table = table_of(FEATURE_SETS["gtzan57"])
    assert table.name == "features_gtzan57"
    assert list(table.column_names[4:]) == GTZAN_HEADER
    assert {column.type for column in table.columns[4:]} == {"double"}
    assert all(column.nullable for column in table.columns[4:])
    assert table.column("tempo").unit == "bpm"


def test_a_frame_set_becomes_a_table_of_packed_frames():
    table = table_of(FEATURE_SETS["mfcc12_frames"])
    assert table.name == "frames_mfcc12_frames"
    assert table.column("frames").type == "array<float>"


def test_an_unknown_set_is_answered_with_the_nearest_name():
    assert get_feature_set("gtzan57") is FEATURE_SETS["gtzan57"]
    with pytest.raises(ConfigError, match=r"no feature set is called 'gtzan58'. Did you mean gtzan57"):
        get_feature_set("gtzan58")


def test_sets_of_different_rates_are_not_computed_from_one_signal():
    with pytest.raises(ValueError, match="different sample rates"):
        compute_sets(FEATURE_SETS.values(), np.zeros(22050, np.float32))


def test_values_come_in_the_order_of_the_features():
    feature_set = FEATURE_SETS["loudness"]
    given = {"gain_db": 4.0, "loudness_lufs": 1.0, "peak_dbfs": 2.0, "rms_dbfs": 3.0}
    assert feature_set.compute(given).tolist() == [1.0, 2.0, 3.0, 4.0]
