import numpy as np
import pytest

from genreatlas.audio.frames import frame_times, pack, unpack


def test_packed_frames_come_back_as_they_were():
    frames = np.arange(12.0).reshape(4, 3)
    packed = pack(frames)
    assert packed.tolist() == list(range(12))
    np.testing.assert_array_equal(unpack(packed, 3), frames)


def test_frames_are_packed_frame_major_whatever_their_layout_in_memory():
    frames = np.asfortranarray([[1.0, 2.0], [3.0, 4.0]])
    assert pack(frames).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_never_enters_a_row(value):
    with pytest.raises(ValueError, match="1 of 2 frame values are not finite"):
        pack(np.array([[1.0], [value]]))


def test_the_first_frame_is_centred_on_the_start_of_the_clip():
    np.testing.assert_allclose(frame_times(3, 512 / 22050), [0, 0.02322, 0.04644], atol=1e-5)
