"""One recording has one hash, whatever tags, covers, containers and pages are laid around its sound."""

import io
import os
import shutil
import struct
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen import apev2, flac, id3

from genreatlas.audio.identity import sound_sha256
from genreatlas.audio.mpeg import walk_frames
from genreatlas.audio.probe import probe
from sound_factory import sound

RATE = 22_050


def identity(path: Path | bytes) -> str:
    data = path if isinstance(path, bytes) else path.read_bytes()
    return sound_sha256(io.BytesIO(data), probe(io.BytesIO(data)).mime)


def copied(path: Path, name: str) -> Path:
    copy = path.with_name(name)
    shutil.copy(path, copy)
    return copy


def test_an_mp3_keeps_its_identity_under_every_kind_of_tag_and_loses_it_with_other_frames(tmp_path):
    path = sound(tmp_path / "a.mp3", seconds=4, rate=44_100)
    plain = identity(path)
    tagged = copied(path, "tagged.mp3")
    tags = id3.ID3()
    tags.add(id3.TIT2(encoding=3, text="Other title"))
    tags.add(id3.APIC(encoding=3, mime="image/png", type=3, desc="", data=os.urandom(200_000)))
    tags.save(tagged, v1=2)
    assert tagged.read_bytes()[-128:-125] == b"TAG"
    ape = copied(tagged, "ape.mp3")
    found = apev2.APEv2()
    found["Genre"] = "Rock"
    found.save(ape)
    twice = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + tagged.read_bytes()
    lyrics = b"LYRICSBEGININD0000200" + b"words"
    lyrics += f"{len(lyrics):06}".encode() + b"LYRICS200"
    assert identity(tagged) == identity(ape) == plain
    assert sound_sha256(io.BytesIO(twice), "audio/mpeg") == plain
    assert identity(path.read_bytes() + lyrics) == plain
    assert identity(path.read_bytes() + bytes(5000)) == plain  # padding
    assert identity(sound(tmp_path / "b.mp3", seconds=4, rate=44_100)) != plain


def test_the_frame_of_facts_that_encoders_and_taggers_write_is_no_sound(tmp_path):
    data = sound(tmp_path / "a.mp3", seconds=4, rate=44_100).read_bytes()
    place = max(data.find(b"Info", 0, 200), data.find(b"Xing", 0, 200))
    assert place > 0
    other = bytearray(data)
    other[place + 8 : place + 12] = struct.pack(">I", 1)  # another number of frames
    without = data[walk_frames(data, 0).ranges[0][0] :]
    assert len(data) - 2000 < len(without) < len(data)
    found = {sound_sha256(io.BytesIO(one), "audio/mpeg") for one in (data, other, without)}
    assert len(found) == 1


def test_a_cut_last_frame_takes_no_bytes_of_the_tag_behind_it(tmp_path):
    data = sound(tmp_path / "a.mp3", seconds=4, rate=44_100).read_bytes()[:-100]
    assert identity(data + b"TAG" + b"one".ljust(125)) == identity(data + b"TAG" + b"two".ljust(125)) == identity(data)


def test_blocks_do_not_matter_for_a_long_mp3(tmp_path, monkeypatch):
    data = sound(tmp_path / "a.mp3", seconds=20, rate=44_100, channels=2).read_bytes()
    whole = sound_sha256(io.BytesIO(data), "audio/mpeg")
    for size in (10_000, 12_345, 65_536):
        monkeypatch.setattr("genreatlas.audio.identity._BLOCK", size)
        assert sound_sha256(io.BytesIO(data), "audio/mpeg") == whole
        assert sound_sha256(io.BytesIO(data[:50_000] + bytes(9_000) + data[50_000:]), "audio/mpeg") == sound_sha256(
            io.BytesIO(data[:50_000] + bytes(700) + data[50_000:]), "audio/mpeg"
        )


def test_flac_ogg_and_opus_keep_their_identity_under_tags_and_pictures(tmp_path):
    for name in ("a.flac", "a.ogg", "a.opus"):
        rate = 48_000 if name == "a.opus" else RATE
        path = sound(tmp_path / name, seconds=3, rate=rate) if name != "a.opus" else opus(tmp_path / name)
        plain = identity(path)
        tagged = copied(path, f"tagged-{name}")
        file = mutagen.File(tagged)
        file["title"] = "x" * 70_000  # longer than a page of Ogg
        file["genre"] = "Jazz"
        if name == "a.flac":
            cover = flac.Picture()
            cover.data, cover.mime = os.urandom(50_000), "image/png"
            file.add_picture(cover)
        file.save()
        assert tagged.stat().st_size > path.stat().st_size + 50_000
        assert identity(tagged) == plain, name
        assert identity(sound(tmp_path / f"b{path.suffix}", seconds=3, rate=rate) if name != "a.opus" else
                        opus(tmp_path / "b.opus", 3.5)) != plain, name  # fmt: skip


def opus(path: Path, seconds: float = 3) -> Path:
    times = np.arange(int(seconds * 48_000)) / 48_000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * times), 48_000, format="OGG", subtype="OPUS")
    return path


def test_an_ogg_file_of_another_serial_number_is_the_same_recording(tmp_path):
    data = bytearray(sound(tmp_path / "a.ogg", seconds=3).read_bytes())
    before = identity(bytes(data))
    place = 0
    while place < len(data):  # as taggers and remuxers do; nobody here looks at the checksums
        data[place + 14 : place + 18] = b"\x01\x02\x03\x04"
        data[place + 22 : place + 26] = bytes(4)
        count = data[place + 26]
        place += 27 + count + sum(data[place + 27 : place + 27 + count])
    assert sound_sha256(io.BytesIO(data), "audio/ogg") == before


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_the_same_samples_are_one_recording_in_wav_aiff_au_and_flac(tmp_path, subtype):
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, (RATE, 2), dtype=np.int32) << 16
    found = set()
    for form in ("WAV", "AIFF", "AU", "FLAC", "WAVEX", "RF64"):
        soundfile.write(tmp_path / "x", samples, RATE, format=form, subtype=subtype)
        found.add(identity(tmp_path / "x"))
    assert len(found) == 1
    soundfile.write(tmp_path / "x", samples, RATE + 1, format="WAV", subtype=subtype)
    assert identity(tmp_path / "x") not in found


def test_samples_of_8_bits_and_floats_are_compared_as_what_they_are(tmp_path):
    samples = np.random.default_rng(0).integers(-(2**7), 2**7, RATE, dtype=np.int32) << 24
    kinds = {"PCM_U8": "WAV", "PCM_S8": "FLAC", "FLOAT": "WAV", "ULAW": "WAV"}
    found = {}
    for subtype, form in kinds.items():
        soundfile.write(tmp_path / "x", samples, RATE, format=form, subtype=subtype)
        found[subtype] = identity(tmp_path / "x")
    assert found["PCM_U8"] == found["PCM_S8"]
    assert len(set(found.values())) == 3
    soundfile.write(tmp_path / "x", samples, RATE, format="AIFF", subtype="FLOAT")
    assert identity(tmp_path / "x") == found["FLOAT"]


def test_a_wav_with_lists_and_other_chunks_is_the_same_recording(tmp_path):
    data = sound(tmp_path / "a.wav", seconds=2).read_bytes()
    words = b"LIST" + struct.pack("<I", 27) + b"INFOIGNR" + struct.pack("<I", 15) + b"Jazz and so on\0" + b"\0"
    place = data.index(b"data")
    before = data[:place] + words + data[place:]
    assert identity(data + words) == identity(before) == identity(data)
    endless = data[: place + 4] + b"\xff\xff\xff\xff" + data[place + 8 :]  # as written to a pipe
    assert sound_sha256(io.BytesIO(endless), "audio/wav") == identity(data)
    assert identity(data[:-1000]) != identity(data)


def test_a_flac_without_an_md5_goes_by_its_frames(tmp_path):
    data = bytearray(sound(tmp_path / "a.flac", seconds=2).read_bytes())
    data[26:42] = bytes(16)
    (tmp_path / "a.flac").write_bytes(data)
    plain = identity(tmp_path / "a.flac")
    tagged = copied(tmp_path / "a.flac", "b.flac")
    file = flac.FLAC(tagged)
    file["genre"] = "Blues"
    file.save()
    assert identity(tagged) == plain != identity(sound(tmp_path / "c.flac", seconds=2))


@pytest.mark.parametrize("mime", ["audio/mpeg", "audio/flac", "audio/ogg", "audio/wav", "audio/aiff", "audio/basic"])
def test_nonsense_and_cut_headers_are_hashed_as_they_are(mime):
    starts = {"audio/flac": b"fLaC", "audio/ogg": b"OggS", "audio/wav": b"RIFF\0\0\0\0WAVEfmt ",
              "audio/mpeg": b"\xff\xfb", "audio/aiff": b"FORM\0\0\0\0AIFFCOMM", "audio/basic": b".snd"}  # fmt: skip
    for length in (0, 1, 3, 50, 3_000):
        data = starts[mime] + np.random.default_rng(length).bytes(length)
        assert len(sound_sha256(io.BytesIO(data), mime)) == 64
        assert sound_sha256(io.BytesIO(data), mime) == sound_sha256(io.BytesIO(data), mime)
