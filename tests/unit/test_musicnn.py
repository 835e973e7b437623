"""The conversion of musicnn, on weights at random: equal to a reference in 64 bits; and the reading of checkpoints."""

import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from genreatlas.audio.embeddings import run_network, sets_of
from genreatlas.audio.pretrained import musicnn
from genreatlas.audio.pretrained.checkpoint import read_variables
from genreatlas.checks.embeddings import embedding_problems
from genreatlas.config import load_config
from genreatlas.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import musicnn_reference as reference

TAGS = ("rock", "pop", "female vocalists", "00s")


@pytest.fixture(scope="module")
def variables():
    """Variables of the network's shapes; half of the factors of normalisation are negative, as many real ones are."""
    rng = np.random.default_rng(5)
    kernels = {
        "conv2d": (7, 38, 1, 204), "conv2d_1": (7, 67, 1, 204), "conv2d_2": (128, 1, 1, 51), "conv2d_3": (64, 1, 1, 51),
        "conv2d_4": (32, 1, 1, 51), "conv2d_5": (7, 561, 1, 64), "conv2d_6": (7, 64, 1, 64), "conv2d_7": (7, 64, 1, 64),
        "dense": (1506, 200), "dense_1": (200, len(TAGS)),
    }  # fmt: skip
    found = {}
    for name, shape in kernels.items():
        found[f"{name}/kernel"] = rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape)
        found[f"{name}/bias"] = rng.normal(0, 0.1, shape[-1])
    for place, width in enumerate((1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)):
        name = f"batch_normalization_{place}" if place else "batch_normalization"
        parts = {"beta": (0, 0.3), "gamma": (0, 1), "moving_mean": (0, 0.3)}
        found |= {f"{name}/{part}": rng.normal(*about, width) for part, about in parts.items()}
        found[f"{name}/moving_variance"] = rng.uniform(0.1, 2.0, width)
    return {name: np.asarray(values, dtype=np.float32) for name, values in found.items()}


def table(entries: dict[str, bytes]) -> bytes:
    """A sorted string table of one block, whose keys share beginnings, as LevelDB writes it."""

    def number(value: int) -> bytes:
        found = b""
        while value >= 0x80:
            found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
        return found + bytes([value])

    def block(pairs) -> bytes:
        found, before = b"", b""
        for key, value in pairs:
            shared = next(
                (n for n, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
            )
            found += number(shared) + number(len(key) - shared) + number(len(value)) + key[shared:] + value
            before = key
        return found + struct.pack("<II", 0, 1)

    data = block((key.encode(), value) for key, value in sorted(entries.items()))
    handle = number(0) + number(len(data))
    index = block([(b"\xff", handle)])
    place = len(data) + 5
    handles = number(0) + number(0) + number(place) + number(len(index))
    return data + bytes(5) + index + bytes(5) + handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def checkpoint(folder: Path, variables) -> Path:
    """A TensorFlow checkpoint without a name, as the package has it."""

    def message(*parts) -> bytes:
        found = b""
        for field, value in parts:
            body = b"" if isinstance(value, int) else value
            key = field << 3 | (0 if isinstance(value, int) else 2)
            n = value if isinstance(value, int) else len(value)
            digits = b""
            while n >= 0x80:
                digits, n = digits + bytes([n & 0x7F | 0x80]), n >> 7
            found += bytes([key]) + digits + bytes([n]) + body
        return found

    entries, data = {"": message((1, 1))}, b""
    for name, values in variables.items():
        shape = b"".join(message((2, message((1, length)))) for length in values.shape)
        entries[name] = message((1, 1), (2, shape), (4, len(data)), (5, values.nbytes))
        data += values.tobytes()
    entries["global_step"] = message((1, 9), (5, 8))  # of whole numbers
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".index").write_bytes(table(entries))
    (folder / ".data-00000-of-00001").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def converted(variables, tmp_path_factory):
    """What `make embeddings` writes, from a wheel with these weights."""
    home = tmp_path_factory.mktemp("musicnn")
    folder = checkpoint(home / "MSD_musicnn", variables)
    wheel = home / "musicnn-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for end in (".index", ".data-00000-of-00001"):
            archive.write(folder / end, f"musicnn/MSD_musicnn/{end}")
        archive.writestr("musicnn/configuration.py", f"SR = 16000\nMSD_LABELS = {list(TAGS)}\n")
        archive.writestr("musicnn-0.1.0.dist-info/LICENSE.md", "Permission is granted")
    with pytest.MonkeyPatch.context() as patch:
        import hashlib

        patch.setattr(musicnn, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
        yield (*musicnn.convert(home / "embeddings", wheel), wheel)


def test_a_checkpoint_is_read_as_it_was_written(variables, tmp_path):
    found = read_variables(checkpoint(tmp_path / "x", variables))
    assert found.keys() == variables.keys()
    for name, values in variables.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("damage", ["footer", "cut", "data", "gone"])
def test_a_damaged_checkpoint_is_refused(variables, tmp_path, damage):
    folder = checkpoint(tmp_path / "x", {"dense/bias": variables["dense/bias"]})
    index, data = folder / ".index", folder / ".data-00000-of-00001"
    if damage == "footer":
        index.write_bytes(index.read_bytes()[:-1] + b"\0")
    elif damage == "cut":
        index.write_bytes(index.read_bytes()[30:])
    elif damage == "data":
        data.write_bytes(data.read_bytes()[:-4])
    else:
        data.unlink()
    with pytest.raises(InputError, match="x/"):
        read_variables(folder)


def test_the_converted_network_equals_the_reference(converted, variables):
    config = load_config([converted[1]], ['extract.feature_sets=["msd_musicnn"]'])
    (entry,) = config.extract.embeddings
    assert embedding_problems(config) == []
    samples = np.random.default_rng(3).normal(0, 0.2, 16_000 * 7).astype(np.float32)
    samples *= np.linspace(0.01, 1.0, len(samples), dtype=np.float32)
    embedding, tags = run_network(samples, entry)
    frames = reference.patches(reference.spectrogram(samples))
    assert embedding.shape == (len(frames), 200) == (2, 200) and tags.shape == (2, len(TAGS))
    for place, patch in enumerate(frames):
        expected = reference.run(variables, patch)
        np.testing.assert_allclose(embedding[place], expected[0], atol=1e-4)
        np.testing.assert_allclose(tags[place], expected[1], atol=1e-5)
    assert np.ptp(tags) > 0.01


def test_the_entry_names_licence_tags_and_what_it_was_taught(converted):
    (entry,) = load_config([converted[1]]).extract.embeddings
    vector, tags = sets_of(entry)
    assert len(vector.features) == 400 and [one.name for one in tags.features][2:] == [
        "tag_female_vocalists",
        "tag_00s",
    ]
    assert (entry.licence, entry.patch_hop) == ("ISC", 187) and "Million Song Dataset" in vector.comment
    assert (converted[0].parent / "msd_musicnn.licence.md").read_text() == "Permission is granted"


def test_a_second_conversion_gives_the_same_bytes_and_another_wheel_is_refused(converted, tmp_path):
    file, _ = musicnn.convert(tmp_path / "again", converted[2])
    assert file.read_bytes() == converted[0].read_bytes()
    other = tmp_path / "other.whl"
    other.write_bytes(converted[2].read_bytes() + b"0")
    with pytest.raises(InputError, match=r"its hash is .*, not that of musicnn==0\.1\.0"):
        musicnn.convert(tmp_path / "never", other)
    assert not (tmp_path / "never").exists()
