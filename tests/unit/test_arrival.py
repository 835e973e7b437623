"""Audio as it arrives: real MP3s of every kind, whole, cut, and with bytes that do not belong."""

import io

import numpy as np
import pytest
import soundfile

from genreatlas.audio.decode import read_clip
from genreatlas.audio.identity import sound_sha256
from genreatlas.audio.inspection import check_arrival
from genreatlas.audio.mpeg import walk_frames
from genreatlas.audio.probe import probe
from genreatlas.config import ClipSection
from genreatlas.errors import ClipError, Reason

SECONDS = 5
CLIP = ClipSection(seconds=3, min_seconds=1)


def sound(rate=44_100, channels=2, mode="CONSTANT", form="MP3", subtype="MPEG_LAYER_III", seconds=SECONDS):
    time = np.arange(seconds * rate) / rate
    tone = 0.3 * np.sin(2 * np.pi * 440 * time) * (1 + np.sin(2 * np.pi * time)) / 2
    noise = 0.05 * np.random.default_rng(7).standard_normal((len(time), channels))
    file = io.BytesIO()
    options = {"bitrate_mode": mode, "compression_level": 0.5} if form == "MP3" else {}
    with soundfile.SoundFile(file, "w", rate, channels, subtype, format=form, **options) as writer:
        writer.write(tone[:, None] + noise)
    return file.getvalue()


MP3 = sound()


def refused(data, clip=CLIP):
    with pytest.raises(ClipError) as caught:
        check_arrival(data, clip)
    return caught.value.reason


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 11_025, 8_000])
def test_an_mp3_is_as_long_as_its_decoder_says_to_the_sample(rate, channels, mode):
    data = sound(rate, channels, mode)
    stream = walk_frames(data, 0)
    decoded, decoded_rate = soundfile.read(io.BytesIO(data), always_2d=True)
    assert stream.samples == len(decoded) == SECONDS * rate
    assert (stream.codec, stream.sample_rate, stream.channels) == ("MPEG_LAYER_III", decoded_rate, decoded.shape[1])
    assert stream.sound_bytes == len(data)
    facts = check_arrival(data, CLIP)
    assert (facts["start_s"], facts["length_s"], facts["duration_s"]) == (1.0, 3.0, SECONDS)


@pytest.mark.parametrize("form", [("MP3", "MPEG_LAYER_III"), ("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_facts_are_those_of_the_decoder_in_every_format(form):
    data = sound(22_050, 1, form=form[0], subtype=form[1])
    facts, info = check_arrival(data, CLIP), probe(io.BytesIO(data))
    assert {name: facts[name] for name in vars(info)} == vars(info)
    assert set(facts["quality_flags"]) - {"low_bit_rate"} == {"mono"}


def test_frames_without_a_frame_of_facts_are_counted():
    bare = MP3[length_of_first(MP3) :]
    stream = walk_frames(bare, 0)
    assert stream.samples == stream.frames * 1152
    assert stream.frames == walk_frames(MP3, 0).frames
    # Nothing promises more, and HTTP has compared the length; a frame that breaks off is left out.
    assert walk_frames(bare[:-100], 0).frames == stream.frames - 1


def length_of_first(data):
    """Bytes of the first frame: to where the next header is that equals it in all but bit rate and padding."""
    return next(n for n in range(24, 2000) if data[n : n + 2] == data[:2] and data[n + 2] & 0x0C == data[2] & 0x0C)


@pytest.mark.parametrize("tag", [b"TAG" + bytes(125), b"APETAGEX" + bytes(80) + b"TAG" + bytes(125), bytes(700)])
def test_tags_and_padding_around_the_frames_are_no_fault(tag):
    front = b"ID3\x03\x00\x00\x00\x00\x01\x00" + bytes(128)
    facts, plain = check_arrival(front + MP3 + tag, CLIP), check_arrival(MP3, CLIP)
    assert facts["duration_s"] == SECONDS
    assert facts["sha256"] != plain["sha256"] and facts["audio_id"] == plain["audio_id"]
    behind_junk = b"\x00" * 300 + MP3
    assert check_arrival(behind_junk, CLIP)["duration_s"] == SECONDS


@pytest.mark.parametrize(
    "data",
    [
        MP3,
        MP3 + b"TAG" + bytes(125),
        MP3 + b"TAG" + MP3[200:325],  # a tag that holds what looks like frames
        b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10) + MP3,
        MP3 + MP3,
        MP3 + bytes(999),
        sound(form="FLAC", subtype="PCM_16"),
    ],
    ids=["plain", "tag behind", "frames in the tag", "tag in front", "joined", "padded", "flac"],
)
def test_the_sound_of_what_arrives_has_the_hash_that_a_file_of_it_has(data):
    facts = check_arrival(data, CLIP)
    assert facts["sound_sha256"] == sound_sha256(io.BytesIO(data), facts["mime"])


def test_a_body_that_breaks_off_is_truncated_wherever_it_does():
    for share in (0.3, 0.5, 0.9, 0.97):
        assert refused(MP3[: int(len(MP3) * share)]) is Reason.TRUNCATED
    # Two frames, of 26 ms each, are within what encoders disagree about.
    assert check_arrival(MP3[:-500], CLIP)["duration_s"] == pytest.approx(SECONDS, abs=0.06)


def test_other_bytes_between_the_frames_are_noticed():
    half = len(MP3) // 2
    assert refused(MP3[:half] + b"<html>an error</html>" + MP3[half:]) is Reason.DECODE_FAILED
    assert refused(MP3[:half] + bytes(4000) + MP3[half:]) is Reason.DECODE_FAILED
    assert refused(MP3[half : 2 * half] + MP3[:half]) is Reason.DECODE_FAILED
    other = sound(48_000)
    assert refused(MP3[:half] + other[half:]) is Reason.DECODE_FAILED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY_FILE),
        (b"<!doctype html><html><body>Log in</body></html>" * 50, Reason.NOT_AUDIO),
        (b'{"error": {"code": 4}}' * 100, Reason.NOT_AUDIO),
        (np.frombuffer(MP3[: len(MP3) // 2 * 2], np.uint16).byteswap().tobytes(), Reason.NOT_AUDIO),
        (b"ID3\x03\x00\x00\x00\x00\x01\x00" + bytes(128), Reason.TRUNCATED),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(3000), Reason.NEEDS_AAC_DECODER),
        (sound(seconds=1)[:3000], Reason.TRUNCATED),
    ],
)  # fmt: skip
def test_what_is_no_sound_is_refused_with_its_reason(data, reason):
    assert refused(data) is reason


def test_a_clip_below_the_least_length_is_too_short():
    assert refused(sound(seconds=2), ClipSection(min_seconds=3)) is Reason.TOO_SHORT


def test_the_cut_that_arrival_names_can_be_decoded():
    facts = check_arrival(MP3, CLIP)
    signal = read_clip(io.BytesIO(MP3), facts["start_s"], facts["length_s"])
    assert (len(signal.samples), signal.truncated) == (3 * 44_100, False)
