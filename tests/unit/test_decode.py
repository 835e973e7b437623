"""Reading cuts of real files: formats by content, odd rates and channels, broken files."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genreatlas.audio.decode import Signal, downmix, read_clip, reject_silence, resample
from genreatlas.audio.inspection import quality_flags
from genreatlas.audio.probe import AudioInfo, probe
from genreatlas.errors import ClipError, Reason

RATE = 22_050


def tone(
    seconds: float = 2.0, rate: int = RATE, hz: float = 440.0, level: float = 0.5, channels: int = 1
) -> np.ndarray:
    mono = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(mono[:, None], channels, axis=1).astype(np.float32)


def encode(samples: np.ndarray, rate: int = RATE, container: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def reason_of(data: bytes) -> Reason:
    with pytest.raises(ClipError) as caught:
        read_clip(io.BytesIO(data))
    assert caught.value.detail, "every reason says in words what to do or what is wrong"
    return caught.value.reason


@pytest.mark.parametrize(
    ("container", "subtype", "mime", "codec"),
    [
        ("MP3", None, "audio/mpeg", "MPEG_LAYER_III"),
        ("FLAC", "PCM_16", "audio/flac", "PCM_16"),
        ("OGG", "VORBIS", "audio/ogg", "VORBIS"),
        ("OGG", "OPUS", "audio/ogg", "OPUS"),
        ("WAV", "PCM_24", "audio/wav", "PCM_24"),
        ("AIFF", "PCM_16", "audio/aiff", "PCM_16"),
        ("AU", "PCM_16", "audio/basic", "PCM_16"),
    ],
)
def test_every_format_is_told_by_its_content_under_a_misleading_name(tmp_path, container, subtype, mime, codec):
    rate = 48_000 if subtype == "OPUS" else RATE
    path = tmp_path / "cover.jpg"
    path.write_bytes(encode(tone(rate=rate, channels=2), rate, container, subtype))
    info = probe(path)
    assert (info.mime, info.codec, info.sample_rate, info.channels) == (mime, codec, rate, 2)
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert info.bit_rate == pytest.approx(path.stat().st_size * 8 / info.duration_s, abs=1)
    assert np.sqrt(np.mean(read_clip(path).samples ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_a_cut_is_sample_for_sample_a_part_of_the_whole(tmp_path):
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, (RATE * 5, 2)).astype(np.float32)
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise, RATE, subtype="FLOAT")
    signal = read_clip(path, 1.5, 2.0)
    first = round(1.5 * RATE)
    assert np.array_equal(signal.samples, (noise[:, 0] + noise[:, 1])[first : first + 2 * RATE] * np.float32(0.5))
    assert (signal.sample_rate, signal.channels, signal.truncated) == (RATE, 2, False)


@pytest.mark.parametrize(("rate", "container"), [(22_050, "MP3"), (44_100, "MP3"), (48_000, "OGG")])
def test_a_cut_of_a_lossy_file_equals_the_same_part_of_the_whole(rate, container):
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, 2, format=container) as writer:
        for second in range(12):  # libsndfile's Vorbis encoder overflows its stack on long writes
            writer.write(tone(1.0, rate, 200.0 * (second + 1), 0.5, 2))
    whole, cut = read_clip(file), read_clip(file, 7.25, 3.0)
    first = round(7.25 * rate)
    assert cut.samples == pytest.approx(whole.samples[first : first + 3 * rate], abs=1e-6)


def test_five_channels_are_mixed_with_equal_weights():
    frames = np.zeros((1000, 5), dtype=np.float32)
    frames[:, 3] = 1.0
    assert downmix(frames) == pytest.approx(np.full(1000, 0.2))
    signal = read_clip(io.BytesIO(encode(frames, subtype="FLOAT")))
    assert signal.channels == 5
    assert signal.samples == pytest.approx(np.full(1000, 0.2))


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (96_000, 2), (11_025, 2), (192_000, 6)])
def test_odd_rates_and_channels_are_read_at_their_own_rate(rate, channels):
    signal = read_clip(io.BytesIO(encode(tone(1.0, rate, channels=channels), rate)), 0.25, 0.5)
    assert (signal.sample_rate, signal.channels, len(signal.samples)) == (rate, channels, rate // 2)


def test_two_hours_are_read_by_seeking(tmp_path, monkeypatch):
    path = tmp_path / "mix.flac"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        minute = np.zeros(8000 * 60, dtype=np.float32)
        for number in range(120):
            minute[:] = number / 240
            file.write(minute)
    decoded = 0
    read = soundfile.SoundFile.read

    def counting_read(self, frames=-1, *args, **kwargs):
        nonlocal decoded
        block = read(self, frames, *args, **kwargs)
        decoded += len(block)
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counting_read)
    signal = read_clip(path, 3600 + 15, 30)
    assert decoded == 30 * 8000
    assert signal.samples == pytest.approx(np.full(30 * 8000, 60 / 240), abs=1e-4)


def test_samples_above_full_scale_are_kept_and_flagged():
    signal = read_clip(io.BytesIO(encode(tone(level=1.5), subtype="FLOAT")))
    assert signal.samples.max() == pytest.approx(1.5, abs=1e-3)
    assert signal.peak == pytest.approx(1.5, abs=1e-3)
    info = AudioInfo("audio/wav", "FLOAT", RATE, 1, 700_000, 2.0)
    assert quality_flags(info, signal, 2.0) == ("above_full_scale", "clipped", "mono")


def test_a_clipped_wave_is_flagged_and_a_full_scale_one_is_not():
    info = AudioInfo("audio/wav", "PCM_16", RATE, 2, 700_000, 2.0)
    clipped = read_clip(io.BytesIO(encode(np.clip(tone(level=2.0, channels=2), -1, 1))))
    loud = read_clip(io.BytesIO(encode(tone(level=0.9999, channels=2, hz=3001.0))))
    assert quality_flags(info, clipped, 2.0) == ("clipped",)
    assert quality_flags(info, loud, 2.0) == ()


def test_flags_name_what_is_odd():
    info = AudioInfo("audio/mpeg", "MPEG_LAYER_III", 8_000, 5, 32_000, 7_200.0)
    assert quality_flags(info, Signal(np.zeros(0), 8_000, 5, truncated=True), 30.0) == (
        "long_file", "low_bit_rate", "low_sample_rate", "multichannel", "truncated",
    )  # fmt: skip
    info = AudioInfo("audio/wav", "PCM_16", 96_000, 1, 1_536_000, 5.0)
    assert quality_flags(info, Signal(np.zeros(0), 96_000), 30.0) == ("high_sample_rate", "mono", "shorter_than_window")


def test_text_and_pictures_are_not_audio():
    assert reason_of(b"These are the lyrics, not the song.\n" * 100) == Reason.NOT_AUDIO
    assert reason_of("Liedtext".encode("utf-16") * 50) == Reason.NOT_AUDIO
    assert reason_of(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 300) == Reason.NOT_AUDIO
    assert reason_of(b"\0" * 5000) == Reason.NOT_AUDIO


def test_random_bytes_are_never_taken_for_frames():
    for seed in range(20):
        assert reason_of(np.random.default_rng(seed).bytes(200_000)) in (Reason.NOT_AUDIO, Reason.NEEDS_AAC_DECODER)


def test_no_bytes_are_an_empty_file():
    assert reason_of(b"") == Reason.EMPTY_FILE


@pytest.mark.parametrize("kept", [60, 300, 1000])
def test_an_mp3_that_is_cut_before_its_first_sound_is_truncated(kept):
    assert reason_of(encode(tone(), container="MP3")[:kept]) == Reason.TRUNCATED


def test_an_mp3_that_is_cut_to_a_tenth_is_truncated():
    data = encode(tone(20.0, 44_100, channels=2), 44_100, "MP3")
    assert reason_of(data[: len(data) // 10]) == Reason.TRUNCATED


def test_an_id3_tag_without_sound_is_truncated():
    assert reason_of(b"ID3\x04\x00\x00\x00\x00\x10\x00" + b"\0" * 2048) == Reason.TRUNCATED


def test_an_mp3_that_lost_its_last_third_is_used_and_flagged():
    data = encode(tone(20.0, 44_100, channels=2), 44_100, "MP3")
    signal = read_clip(io.BytesIO(data[: len(data) * 2 // 3]))
    assert signal.truncated
    assert 10 < signal.length_s < 15


def test_an_mp3_with_something_before_its_first_frame_is_read():
    whole = encode(tone(3.0, 44_100), 44_100, "MP3")
    for before in (b"\0" * 4000, b"not a frame \xff\xfb\x90" * 40):
        data = io.BytesIO(before + whole)
        assert probe(data).mime == "audio/mpeg"
        assert np.array_equal(read_clip(data).samples, read_clip(io.BytesIO(whole)).samples)


def test_a_flac_behind_an_id3_tag_is_read():
    tagged = io.BytesIO(b"ID3\x04\x00\x00\x00\x00\x02\x00" + b"\0" * 256 + encode(tone(), container="FLAC"))
    assert probe(tagged).mime == "audio/flac"
    assert len(read_clip(tagged).samples) == 2 * RATE


def test_m4a_says_which_decoder_it_needs():
    with pytest.raises(ClipError, match="ffmpeg") as caught:
        probe(io.BytesIO(b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00" + b"\0" * 5000))
    assert caught.value.reason == Reason.NEEDS_AAC_DECODER
    assert reason_of(b"\xff\xf1\x50\x80\x2e\x7f\xfc" + b"\0" * 5000) == Reason.NEEDS_AAC_DECODER


def test_formats_without_decoder_are_named():
    assert reason_of(b"MThd\0\0\0\6" + b"\0" * 100) == Reason.UNSUPPORTED_FORMAT
    assert reason_of(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + b"\0" * 100) == Reason.UNSUPPORTED_FORMAT


def test_a_broken_header_is_a_failed_decode():
    assert reason_of(b"RIFF\xff\xff\xff\x7fWAVEjunk" + b"\7" * 5000) == Reason.DECODE_FAILED


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(value):
    samples = tone()
    samples[12_345] = value
    assert reason_of(encode(samples, subtype="FLOAT")) == Reason.NOT_FINITE


def test_numbers_outside_the_cut_do_not_matter():
    samples = tone(3.0)
    samples[:100] = np.nan
    assert len(read_clip(io.BytesIO(encode(samples, subtype="FLOAT")), 1.0, 1.0).samples) == RATE


def test_silence_is_refused_and_a_whisper_is_not():
    for silent in (np.zeros(RATE), np.full(RATE, 2.0**-16)):
        with pytest.raises(ClipError) as caught:
            reject_silence(read_clip(io.BytesIO(encode(silent, subtype="FLOAT"))))
        assert caught.value.reason == Reason.SILENT
    reject_silence(read_clip(io.BytesIO(encode(tone(level=0.0005)))))


def test_opposite_channels_are_silent_and_the_detail_says_why():
    stereo = tone(channels=2)
    stereo[:, 1] *= -1
    with pytest.raises(ClipError, match="cancel out"):
        reject_silence(read_clip(io.BytesIO(encode(stereo, subtype="FLOAT"))))


def test_a_missing_file_a_directory_and_a_pipe_have_reasons_and_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp3")
    for name, reason in [("gone.mp3", Reason.MISSING_FILE), (".", Reason.NOT_AUDIO), ("pipe.mp3", Reason.NOT_AUDIO)]:
        with pytest.raises(ClipError) as caught:
            probe(tmp_path / name)
        assert caught.value.reason == reason


def test_a_file_without_read_permission_is_unreadable(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    path = Path("/tmp") / f"unreadable-{os.getpid()}.wav"  # tmp_path itself is closed to others
    path.write_bytes(encode(tone()))
    path.chmod(0)
    try:
        child = os.fork()
        if child == 0:
            try:
                os.setgid(65534)
                os.setuid(65534)
                probe(path)
            except ClipError as error:
                os._exit(7 if error.reason == Reason.UNREADABLE else 8)
            finally:
                os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        path.unlink()


def test_resampling_keeps_a_tone_and_changes_nothing_at_the_same_rate():
    samples = tone(1.0, 44_100)[:, 0]
    assert resample(samples, 44_100, 44_100) is samples
    half = resample(samples, 44_100, 22_050)
    assert half.dtype == np.float32
    assert len(half) == 22_050
    assert half[2000:-2000] == pytest.approx(tone(1.0, 22_050)[:, 0][2000:-2000], abs=1e-3)
