"""How long a file is, and where its cuts lie, told by what is there: headers that say nothing, or something else."""

import io
import struct

import numpy as np
import pytest
import soundfile

from genreatlas.audio.decode import read_clip
from genreatlas.audio.inspection import InspectRequest, check_arrival, inspect_file
from genreatlas.audio.mpeg import walk_frames
from genreatlas.audio.probe import probe
from genreatlas.config import ClipSection, LimitsSection
from genreatlas.errors import ClipError, Reason

RATE = 44_100
CLIP = ClipSection(seconds=1.0)
#: Of most sounds here, in seconds.
LONG = 6


def music(seconds=LONG, rate=RATE, channels=2):
    """A sweep that is loud and soft in turn, with bursts of noise: no two places of it are alike."""
    time = np.arange(seconds * rate) / rate
    random = np.random.default_rng(3).standard_normal(len(time))
    sweep = 0.3 * np.sin(2 * np.pi * (200 + 60 * time) * time) * (0.1 + (time % 2 < 1))
    return np.repeat((sweep + 0.1 * random * (time % 3 > 2))[:, None], channels, axis=1).astype(np.float32)


def encode(samples, rate=RATE, form="MP3", subtype=None, **how):
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, samples.shape[1], subtype, format=form, **how) as writer:
        for start in range(0, len(samples), rate):  # libsndfile's Vorbis encoder overflows its stack on long writes
            writer.write(samples[start : start + rate])
    return file.getvalue()


def mp3(samples=None, mode="VARIABLE", level=0.5, rate=RATE):
    samples = music(rate=rate) if samples is None else samples
    return encode(samples, rate, bitrate_mode=mode, compression_level=level)


def frame_at(data, position):
    """Bytes of the frame at a position: to where the next header is that equals it in all but bit rate and padding."""
    first = data[position : position + 2]
    return next(
        n
        for n in range(24, 3000)
        if data[position + n : position + n + 2] == first and (data[position + n + 2] ^ data[position + 2]) & 0x0C == 0
    )


MP3 = mp3()
STEADY = mp3(mode="CONSTANT")
FLAC = encode(music(), form="FLAC", subtype="PCM_16")
OGG = encode(music(), form="OGG", subtype="VORBIS")
OPUS = encode(music(rate=48_000), 48_000, "OGG", "OPUS")


def bare(data):
    """An MP3 without its frame of facts."""
    return data[frame_at(data, 0) :]


def id3(size, version=4, flags=0, content=None):
    content = bytes(size) if content is None else content
    coded = bytes(len(content) >> shift & 127 for shift in (21, 14, 7, 0))
    foot = b"3DI" + bytes([version, 0, flags]) + coded if flags & 16 else b""
    return b"ID3" + bytes([version, 0, flags]) + coded + content + foot


def ape(size, header):
    end = struct.pack("<III", 2000, size + 32, 1)
    front = b"APETAGEX" + end + struct.pack("<I", 0xA0000000) + bytes(8) if header else b""
    return front + b"\1" * size + b"APETAGEX" + end + struct.pack("<I", 0x80000000 if header else 0) + bytes(8)


def assert_equal(samples, expected):
    """Equal but for what a decoder rounds otherwise after a seek."""
    assert samples.shape == expected.shape
    assert np.abs(samples - expected).max() < 1e-5


def flags_of(data):
    return inspect_file(io.BytesIO(data), InspectRequest(CLIP, LimitsSection()))["quality_flags"]


def assert_cuts_lie_where_they_should(data, seconds, also_arrives=True):
    """Length by probe, by arrival and by decoding are one, and a cut is the same part of the whole."""
    info = probe(io.BytesIO(data))
    assert info.duration_s == pytest.approx(seconds, abs=2600 / info.sample_rate)  # the filters of an MP3
    if also_arrives:
        facts = check_arrival(data, CLIP)
        assert (facts["duration_s"], facts["bit_rate"]) == (info.duration_s, info.bit_rate)
    found = inspect_file(io.BytesIO(data), InspectRequest(CLIP, LimitsSection()))
    assert (found["start_s"], found["length_s"]) == (pytest.approx((info.duration_s - 1) / 2, abs=0.001), 1.0)
    whole = read_clip(io.BytesIO(data))
    assert len(whole.samples) == round(info.duration_s * info.sample_rate)
    for start in (found["start_s"], round(info.duration_s - 1.001, 3)):
        cut, first = read_clip(io.BytesIO(data), start, 1.0), round(start * info.sample_rate)
        assert_equal(cut.samples, whole.samples[first : first + len(cut.samples)])
    return whole.samples


@pytest.mark.parametrize(
    ("mode", "level", "rate", "channels"),
    [
        ("VARIABLE", 0.0, 44_100, 2),
        ("VARIABLE", 0.9, 44_100, 1),
        ("AVERAGE", 0.5, 48_000, 2),
        ("CONSTANT", 0.5, 44_100, 2),
        ("VARIABLE", 0.5, 22_050, 2),
        ("VARIABLE", 0.5, 11_025, 1),
    ],
)
def test_an_mp3_without_facts_is_as_long_as_its_frames_and_its_cuts_lie_where_they_should(mode, level, rate, channels):
    whole = mp3(music(LONG, rate, channels), mode, level, rate)
    samples = assert_cuts_lie_where_they_should(bare(whole), LONG)
    # the filters' delay, which only the facts tell, is in front of what the whole file gives
    expected = read_clip(io.BytesIO(whole)).samples
    delay = walk_frames(whole, 0).front
    assert_equal(samples[delay : delay + len(expected)], expected)


def test_frames_in_free_format_are_followed_too():
    frames = bytearray(bare(mp3(music(3, 48_000), "CONSTANT", rate=48_000)))
    length = frame_at(frames, 0)  # 48 kHz needs no padding, so that all are as long
    for place in range(0, len(frames) - 4, length):
        frames[place + 2] &= 0x0F
    assert_cuts_lie_where_they_should(bytes(frames), 3)


@pytest.mark.parametrize(
    "front",
    [
        id3(200) + id3(120_000, 3),
        b"".join(id3(70_000, version) for version in (2, 3, 4, 3, 4)),
        id3(1000, 4, 16),
        id3(0, 4, 0x80, bytes(3000)),
        id3(500) + bytes(100_000),
        bytes(300_000),
        ape(500, header=True),
        id3(50) + ape(70_000, header=True) + id3(20, 2),
    ],
)
def test_sound_is_found_behind_any_number_of_tags_and_any_padding(front):
    for data in (MP3, bare(MP3)):
        found = inspect_file(io.BytesIO(front + data), InspectRequest(CLIP, LimitsSection()))
        plain = inspect_file(io.BytesIO(data), InspectRequest(CLIP, LimitsSection()))
        assert found | {"sha256": ""} == plain | {"sha256": ""}
        assert check_arrival(front + data, CLIP)["audio_id"] == check_arrival(data, CLIP)["audio_id"]
    assert probe(io.BytesIO(front + FLAC)).mime == "audio/flac"


@pytest.mark.parametrize("behind", [ape(300, False), ape(300, True) + b"TAG" + bytes(125), id3(900), bytes(5000)])
def test_tags_behind_the_sound_add_nothing_to_it(behind):
    for data in (MP3, bare(MP3)):
        assert check_arrival(data + behind, CLIP)["duration_s"] == check_arrival(data, CLIP)["duration_s"]
        assert probe(io.BytesIO(data + behind)) == probe(io.BytesIO(data))


def test_a_tag_whose_size_is_wrong_hides_no_sound():
    size = bytes(len(MP3) * 2 >> shift & 127 for shift in (21, 14, 7, 0))
    assert probe(io.BytesIO(b"ID3\3\0\0" + size + bytes(50) + MP3)).duration_s == LONG
    assert probe(io.BytesIO(b"ID3\3\0\0" + b"\xff" * 4 + bytes(50) + MP3)).duration_s == LONG


@pytest.mark.parametrize("between", [b"", id3(2000), b"TAG" + bytes(125) + id3(10)])
def test_joined_mp3s_are_as_long_as_all_of_them_and_flagged(between):
    data = MP3 + between + STEADY
    assert_cuts_lie_where_they_should(data, 2 * LONG)
    assert "joined" in check_arrival(data, CLIP)["quality_flags"] and "joined" in flags_of(data)
    assert probe(io.BytesIO(data)).bit_rate == pytest.approx((len(MP3) + len(STEADY)) * 4 / LONG, rel=0.02)
    assert "joined" not in flags_of(MP3)


def test_a_tag_that_stands_in_a_cut_frame_costs_no_more_than_that_frame():
    data = STEADY[: len(STEADY) // 2] + id3(120_000) + STEADY
    assert_cuts_lie_where_they_should(data, 1.5 * LONG, also_arrives=False)


@pytest.mark.parametrize("junk", [b"<html>error</html>" * 300, bytes(5000)])
def test_an_import_passes_over_other_bytes_between_frames_and_says_so(junk):
    half = len(MP3) // 2
    for data in (MP3, bare(MP3)):
        broken = data[:half] + junk + data[half:]
        assert_cuts_lie_where_they_should(broken, LONG, also_arrives=False)
        assert "foreign_bytes" in flags_of(broken)


def test_a_file_that_is_half_something_else_is_refused_with_that_reason():
    with pytest.raises(ClipError, match="at another rate") as caught:
        probe(io.BytesIO(MP3 + mp3(rate=48_000)))
    assert caught.value.reason is Reason.DECODE_FAILED


@pytest.mark.parametrize("factor", [0.3, 1.9])
def test_a_wrong_number_of_frames_in_the_facts_changes_nothing_and_is_flagged(factor):
    at = MP3.index(b"Xing") + 8
    count = struct.unpack(">I", MP3[at : at + 4])[0]
    data = MP3[:at] + struct.pack(">I", int(count * factor)) + MP3[at + 4 :]
    samples = assert_cuts_lie_where_they_should(data, LONG)
    assert_equal(samples, read_clip(io.BytesIO(MP3)).samples)
    assert "wrong_header" in flags_of(data) and "truncated" not in flags_of(data)


@pytest.mark.parametrize("place", [0x55, 0x50])
def test_an_mp3_in_a_wav_is_as_long_as_its_frames(place):
    frames = bare(MP3)
    form = struct.pack("<HHIIHHHHIHHH", place, 2, RATE, 16_000, 1, 0, 12, 1, 2, 0, 1, 0)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(frames)) + frames
    data = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks + b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert_cuts_lie_where_they_should(data, LONG)


def test_a_cut_in_a_frame_is_noticed_where_nothing_promises_a_length():
    half = bare(MP3)[: len(MP3) // 2]
    with pytest.raises(ClipError, match="breaks off") as caught:
        check_arrival(half, CLIP)
    assert caught.value.reason is Reason.TRUNCATED
    assert "truncated" in flags_of(half)
    # some sources cut their previews at a number of bytes: what has the declared length lacks no sound
    facts = check_arrival(half, CLIP, declared_s=probe(io.BytesIO(half)).duration_s)
    assert "truncated" in facts["quality_flags"]


def test_a_cut_between_frames_is_told_by_what_the_source_declares_alone():
    data, end = bare(MP3), 0
    while end < len(MP3) // 2:
        end += frame_at(data, end)
    assert check_arrival(data[:end], CLIP)["quality_flags"] == check_arrival(data, CLIP)["quality_flags"]
    assert "shorter_than_declared" in check_arrival(data[:end], CLIP, declared_s=LONG)["quality_flags"]
    assert "shorter_than_declared" not in check_arrival(data, CLIP, declared_s=LONG + 0.5)["quality_flags"]


def with_total(data, seconds, start=0):
    facts = int.from_bytes(data[start + 18 : start + 26], "big") >> 36 << 36 | round(seconds * RATE)
    return data[: start + 18] + facts.to_bytes(8, "big") + data[start + 26 :]


@pytest.mark.parametrize(("stated", "flag"), [(0, None), (3, "wrong_header"), (90, "wrong_header")])
@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125), bytes(3000)])
def test_a_flac_is_as_long_as_its_frames_whatever_its_header_says(stated, flag, behind):
    data = with_total(FLAC, stated) + behind
    samples = assert_cuts_lie_where_they_should(data, LONG)
    assert np.array_equal(samples, read_clip(io.BytesIO(FLAC)).samples)
    assert set(flags_of(data)) == ({flag} if flag else set())


def test_a_flac_that_breaks_off_is_used_up_to_there_by_an_import_and_fetched_again_by_arrival():
    cut = FLAC[: len(FLAC) * 3 // 4]
    for data in (cut, with_total(cut, 0)):
        assert 0.6 * LONG < probe(io.BytesIO(data)).duration_s < 0.9 * LONG
        assert "truncated" in flags_of(data)
        with pytest.raises(ClipError) as caught:
            check_arrival(data, CLIP)
        assert caught.value.reason is Reason.TRUNCATED
    with pytest.raises(ClipError, match="The header promises") as caught:
        probe(io.BytesIO(FLAC[: len(FLAC) // 3]))
    assert caught.value.reason is Reason.TRUNCATED


OGG_TABLE = [0] * 256
for number in range(256):
    value = number << 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    OGG_TABLE[number] = value


def page(body, serial=1, number=0, flags=0, position=0):
    """One page with one packet, which may be longer than a page only if it is not."""
    lacing = [255] * (len(body) // 255) + [len(body) % 255]
    head = (
        b"OggS\0" + bytes([flags]) + struct.pack("<qIII", position, serial, number, 0) + bytes([len(lacing), *lacing])
    )
    return with_checksum(head + body)


def with_checksum(data):
    data, checksum = data[:22] + bytes(4) + data[26:], 0
    for byte in data:
        checksum = (checksum << 8 & 0xFFFFFFFF) ^ OGG_TABLE[checksum >> 24 ^ byte]
    return data[:22] + struct.pack("<I", checksum) + data[26:]


def pages_of(data):
    while data:
        size = 27 + data[26] + sum(data[27 : 27 + data[26]])
        yield data[:size]
        data = data[size:]


def with_position(one, position):
    return with_checksum(one[:6] + struct.pack("<q", position) + one[14:])


@pytest.mark.parametrize("first", [OGG, OPUS], ids=["vorbis", "opus"])
@pytest.mark.parametrize("same_serial", [True, False])
def test_a_chained_ogg_is_as_long_as_all_its_links_and_flagged(first, same_serial):
    rate, subtype = (48_000, "OPUS") if first is OPUS else (RATE, "VORBIS")
    second = encode(music(3, rate)[::-1].copy(), rate, "OGG", subtype)
    links = [list(pages_of(one)) for one in (first, second)]
    data = b"".join(
        with_checksum(one[:14] + struct.pack("<I", 7 if same_serial else 7 + link) + one[18:])
        for link, pages in enumerate(links)
        for one in pages
    )
    samples = assert_cuts_lie_where_they_should(data, LONG + 3)
    assert "joined" in flags_of(data)
    parts = [read_clip(io.BytesIO(one)).samples for one in (first, second)]
    assert_equal(samples, np.concatenate(parts))


@pytest.mark.parametrize("data", [OGG, OPUS], ids=["vorbis", "opus"])
@pytest.mark.parametrize("last", [0, -1, 10**9, 50_000])
def test_an_ogg_whose_last_position_is_wrong_is_as_long_as_its_packets(data, last):
    *before, end = pages_of(data)
    wrong = b"".join(before) + with_position(end, last)
    samples = assert_cuts_lie_where_they_should(wrong, LONG)
    expected = read_clip(io.BytesIO(data)).samples
    assert_equal(samples[: len(expected)], expected)
    assert "wrong_header" in flags_of(wrong)


@pytest.mark.parametrize("data", [OGG, OPUS], ids=["vorbis", "opus"])
def test_an_ogg_that_counts_from_elsewhere_is_cut_where_it_should_be(data):
    pages = list(pages_of(data))
    moved = [
        with_position(one, position + 1_000_000) if (position := struct.unpack_from("<q", one, 6)[0]) > 0 else one
        for one in pages
    ]
    assert_cuts_lie_where_they_should(b"".join(moved), LONG)
    # the middle of a broadcast: headers, and pages from later on
    positions = [struct.unpack_from("<q", one, 6)[0] for one in pages]
    first = next(number for number, position in enumerate(positions) if position > 0)
    later = (first + len(pages)) // 2
    rate = probe(io.BytesIO(data)).sample_rate
    broadcast = b"".join(pages[:first] + pages[later:])
    assert_cuts_lie_where_they_should(broadcast, (positions[-1] - positions[later - 1]) / rate)


def test_an_ogg_that_ends_within_a_page_is_truncated():
    with pytest.raises(ClipError) as caught:
        check_arrival(OGG[:-200], CLIP)
    assert caught.value.reason is Reason.TRUNCATED
    assert "truncated" in flags_of(OGG[:-200])


@pytest.mark.parametrize("stated", [LONG, 0])
def test_flac_in_ogg_is_read(stated):
    flac = with_total(FLAC, stated)
    size = 42
    starts = [n for n in range(len(FLAC) - 1) if FLAC[n : n + 2] == b"\xff\xf8"]
    first = next(n for n in starts if n >= size)
    packets = [b"\x7fFLAC\1\0\0\0" + flac[:size], flac[size:first]]
    sound = flac[first:]
    body = [sound[n : n + 60_000] for n in range(0, len(sound), 60_000)]  # libFLAC needs no packet to be a frame
    pages = [page(packets[0], flags=2), page(packets[1], number=1)]
    pages += [page(one, number=2 + n, position=n + 1) for n, one in enumerate(body)]
    samples = assert_cuts_lie_where_they_should(b"".join(pages), LONG)
    assert np.array_equal(samples, read_clip(io.BytesIO(FLAC)).samples)


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_wav_that_was_written_to_a_pipe_is_as_long_as_its_bytes(stated, subtype):
    data = encode(music(3), form="WAV", subtype=subtype)
    at = data.index(b"data") + 4
    piped = data[:4] + struct.pack("<I", stated) + data[8:at] + struct.pack("<I", stated) + data[at + 4 :]
    samples = assert_cuts_lie_where_they_should(piped, 3)
    assert np.array_equal(samples, read_clip(io.BytesIO(data)).samples)
    assert "truncated" not in flags_of(piped)


def test_sizes_of_64_bits_that_were_never_written_are_told_from_the_bytes():
    data = encode(music(3), form="RF64", subtype="PCM_16")
    at = data.index(b"ds64") + 8
    samples = assert_cuts_lie_where_they_should(data[:at] + bytes(24) + data[at + 24 :], 3)
    assert np.array_equal(samples, read_clip(io.BytesIO(data)).samples)
    data = encode(music(3), form="W64", subtype="PCM_16")
    unknown = b"\xff" * 7 + b"\x7f"
    at = data.index(b"data") + 16
    assert_cuts_lie_where_they_should(data[:16] + unknown + data[24:at] + unknown + data[at + 8 :], 3)


def test_a_wav_with_less_sound_than_it_states_is_used_and_flagged_and_fetched_again():
    data = encode(music(), form="WAV", subtype="PCM_16")
    cut = data[: len(data) // 3]
    assert probe(io.BytesIO(cut)).duration_s == pytest.approx(LONG / 3, abs=0.01)
    assert "truncated" in flags_of(cut)
    with pytest.raises(ClipError) as caught:
        check_arrival(cut, CLIP)
    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("W64", "PCM_16"), ("RF64", "PCM_24"), ("CAF", "PCM_16"), ("WAVEX", "PCM_32"), ("AIFF", "FLOAT"),
        ("AIFF", "ULAW"), ("AU", "PCM_24"), ("VOC", "PCM_16"), ("NIST", "PCM_16"), ("SVX", "PCM_16"),
    ],
)  # fmt: skip
def test_what_libsndfile_reads_is_read(form, subtype):
    samples = music(3) if form != "SVX" else music(3, channels=1)
    assert_cuts_lie_where_they_should(encode(samples, form=form, subtype=subtype), 3)


@pytest.mark.parametrize("codec", [b"Speex   ", b"\x80theora"])
def test_ogg_with_a_codec_that_is_not_decoded_says_which(codec):
    with pytest.raises(ClipError, match=r"Speex|Theora") as caught:
        probe(io.BytesIO(page(codec + bytes(72), flags=2) + page(bytes(3000), number=1)))
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT


def test_a_wav_with_a_codec_that_is_not_decoded_says_which():
    form = struct.pack("<HHIIHH", 0x2000, 2, RATE, 24_000, 1536, 0)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", 6000) + bytes(6000)
    with pytest.raises(ClipError, match="AC-3") as caught:
        probe(io.BytesIO(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks))
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT
