"""Evaluate the detection of copies: ``make recordings DATA=folder`` or ``benchmarks/recordings.py --data FOLDER``.

Plants copies of real, rendered and composed songs and counts those that are found; counts false links among different
songs that sound similar; and links synthetic fingerprints by Spark. Results are written to
``benchmarks/recordings.json`` and the table in ``docs/recordings.md``. With other than the default sizes they are only
printed, unless ``--keep`` is given.
"""

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from recordings_page import keep, write_page
from recordings_sounds import (
    COPIES,
    RATE,
    SPEEDS,
    composed,
    decoded,
    drone_or_noise,
    game_music,
    midi_song,
    quiet_piano,
    recorded,
    same_drums,
)
from watch import Watch

from genreatlas.audio.feature_sets import get_feature_set
from genreatlas.audio.fingerprint import fingerprint_codes
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.config import load_config
from genreatlas.recordings.grouping import classify_pairs, complete_links, missing_pairs
from genreatlas.recordings.index import candidates, cut_by_code, cut_by_pair, make_postings, shared_codes
from genreatlas.recordings.verifying import Match, compare

SONGS, CODES, SEED = 450_000, 218, 7
ALIKE = 1_000
FONTS = {
    "FluidR3": Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    "TimGM6mb": Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
}
Print = tuple[np.ndarray, np.ndarray]


def fingerprint(sound: np.ndarray, rate: int = RATE) -> Print:
    """Codes of a sound, and codes of the sound played 1 % faster, as in feature extraction."""
    from genreatlas.audio.decode import resample
    from genreatlas.audio.frames import SAMPLE_RATE

    codes, faster = fingerprint_codes(resample(sound.astype(np.float32), rate, SAMPLE_RATE), SAMPLE_RATE)
    return codes.astype(np.uint32), faster.astype(np.uint32)


def link(prints: dict[str, Print]) -> dict[str, str]:
    """Recording by clip, for clips with copies; finds copies as the step does, in one process."""
    names = sorted(prints)
    keys = np.arange(len(names), dtype=np.int64)
    postings = make_postings(
        keys, np.ones(len(names), bool), [prints[n][0] for n in names], [prints[n][1] for n in names]
    )
    shared = [shared_codes(part) for part in cut_by_code(postings, 4).values()]
    matches: dict[tuple[str, str], Match] = {}
    for bucket in cut_by_pair(np.concatenate(shared), 1).values():
        for row in candidates(bucket)[0]:
            pair = (names[int(row["low"])], names[int(row["high"])])
            match = compare(prints[pair[0]], prints[pair[1]], int(row["speed"]))
            if match is not None and match.is_sound:
                matches[pair] = match
    for pair in missing_pairs(matches, 300):
        match = compare(prints[pair[0]], prints[pair[1]])
        if match is not None and match.is_sound:
            matches[pair] = match
    return complete_links(classify_pairs(matches, {}, {}))


@dataclass(frozen=True)
class Song:
    """A sound that is generated or read on demand; ``source`` is a number or the path of a file."""

    kind: str
    source: int | Path

    @property
    def name(self) -> str:
        """Unique name."""
        source = self.source
        return f"{self.kind} {source if isinstance(source, int) else f'{source.parent.name}/{source.stem}'}"

    def sound(self) -> np.ndarray | None:
        """Samples at RATE; None if the source is too short."""
        made = MAKERS[self.kind](self.source)
        return made if len(made) > 20 * RATE else None


MAKERS: dict[str, Callable[[Any], np.ndarray]] = {
    "game music": recorded,
    "midi": partial(midi_song, font=FONTS["FluidR3"]),
    "other font": partial(midi_song, font=FONTS["TimGM6mb"]),
    "composed": composed,
    "piano": quiet_piano,
    "drone or noise": drone_or_noise,
    "drum machine": same_drums,
}


def prints_of(song: Song, copies: bool, folder: Path | None) -> dict[str, Print]:
    """Fingerprints of a song (key "") and of its planted copies (key: kind of change); empty if the song is too short.

    Parameters
    ----------
    song : the song.
    copies : whether to make copies.
    folder : folder in which fingerprints are stored, so that an interrupted run can continue; None to store nothing.
    """
    version = get_feature_set("fingerprint").version
    key = hashlib.sha256(f"{version} {song.kind} {song.source}".encode()).hexdigest()[:32]
    file = None if folder is None else folder / f"{key}.npz"
    if file is not None and file.exists():
        with np.load(file) as arrays:
            names = {name.rpartition("|")[0] for name in arrays.files}
            if len(names) != 1 or not copies:
                return {name: (arrays[f"{name}|codes"], arrays[f"{name}|faster"]) for name in sorted(names)}
    sound, found = song.sound(), {}
    if sound is not None:
        found[""] = fingerprint(sound)
        for name, make in ((COPIES | SPEEDS) if copies else {}).items():
            found[name] = fingerprint(*decoded(make(sound)))
    if file is not None:
        arrays = {f"{name}|{one}": codes[place] for name, codes in found.items()
                  for place, one in enumerate(("codes", "faster"))}  # fmt: skip
        half = file.with_suffix(".part.npz")
        np.savez(half, **arrays)
        half.replace(file)
    return found


def make_prints(
    songs: Sequence[Song], pool: ProcessPoolExecutor, copies: bool = False, folder: Path | None = None
) -> dict[str, dict[str, Print]]:
    """Fingerprints of songs and their copies, by song."""
    started = time.monotonic()
    made = pool.map(partial(prints_of, copies=copies, folder=folder), songs, chunksize=2)
    found = {song.name: prints for song, prints in zip(songs, made, strict=True) if prints}
    kinds = ", ".join(dict.fromkeys(song.kind for song in songs))
    print(f"{len(found)} of {len(songs)} songs ({kinds}) in {time.monotonic() - started:.0f} s", flush=True)
    return found


def judge_copies(prints: dict[str, dict[str, Print]]) -> dict[str, float]:
    """Share of planted copies that are linked to their original, by kind of change; each kind is a separate run."""
    originals = {name: one[""] for name, one in prints.items()}
    found = {}
    for what in COPIES | SPEEDS:
        links = link(originals | {f"{name}|{what}": one[what] for name, one in prints.items()})
        right = [links.get(name, name) == links.get(f"{name}|{what}", what) for name in prints]
        found[what] = float(np.mean(right))
        missed = [name for name, good in zip(prints, right, strict=True) if not good]
        print(f"{what}: {found[what]:.1%} of {len(right)} found; missed: {', '.join(missed[:8]) or 'none'}", flush=True)
    shares = {
        "copies_found": float(np.mean([found[what] for what in COPIES])),
        "copies_speed_found": float(np.mean([found[what] for what in SPEEDS])),
        "songs": len(prints),
    }
    return shares | {f"found_{what}": share for what, share in found.items()}


def judge_alike(prints: dict[str, Print]) -> dict[str, float]:
    """Count links among different songs, including similar-sounding ones, in one run; all such links are false."""
    links = link(prints)
    false = len(links) - len(set(links.values()))
    print(f"{false} links among {len(prints)} songs: {dict(list(links.items())[:10])}", flush=True)
    return {"false_links": false, "alike_songs": len(prints)}


def made_up(prints: list[Print], n: int, folder: Path) -> set[tuple[int, int]]:
    """Write fingerprints of synthetic songs as Parquet, one in twenty of them a copy; return the planted pairs.

    A song consists of pieces of 4 to 12 codes of real songs; in each piece the same bits, 15 % of them, are flipped. So
    7e-9 of all pairs of postings are equal codes; among 333 real and rendered songs, 2.8e-9 (11 of 88,105**2 / 2) are.
    """
    draw = np.random.default_rng(SEED)
    pool = np.concatenate([codes for codes, _ in prints])
    planted: set[tuple[int, int]] = set()
    block = 10_000
    kept: dict[int, Print] = {}
    for first in range(0, n, block):
        size = min(block, n - first)
        codes, faster = (_pieces(draw, pool, size) for _ in range(2))
        for row in np.flatnonzero(draw.random(size) < 0.05):
            number = first + int(row)
            others = [one for one in kept if one < first]
            if others:
                other = int(draw.choice(others))
                source = kept.pop(other)[int(draw.random() < 0.15)]  # some copies are faster
                codes[row] = _noisy(np.roll(source, int(draw.integers(-40, 40))), draw)
                planted.add((other, number))
        fresh = draw.choice(size, max(1, size // 15), replace=False)
        taken = {number for pair in planted for number in pair}
        kept |= {first + int(row): (codes[row].copy(), faster[row].copy()) for row in fresh if first + row not in taken}
        ids = [song_id(number) for number in range(first, first + size)]
        offsets = pa.array(np.arange(size + 1, dtype=np.int32) * CODES)
        columns = {
            "clip_id": pa.array(ids),
            "song_id": pa.array(ids),
            "n_codes": pa.array(np.full(size, CODES, dtype=np.int32)),
            **{
                name: pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(values).view(np.int32).ravel()))
                for name, values in (("codes", codes), ("codes_faster", faster))
            },
        }
        pq.write_table(pa.table(columns), folder / f"{first:09}.parquet")
    return planted


def song_id(number: int) -> str:
    """An id that looks like a hash."""
    return f"{number * 2654435761 % 2**32:08x}{number:08x}"


def _pieces(draw: np.random.Generator, pool: np.ndarray, size: int) -> np.ndarray:
    length = draw.integers(4, 13, (size, CODES))
    starts = np.zeros((size, CODES), dtype=bool)
    ends = np.cumsum(length, axis=1)
    rows = np.repeat(np.arange(size), CODES)
    inside = ends.ravel() < CODES
    starts[rows[inside], ends.ravel()[inside]] = True
    starts[:, 0] = True
    flat = starts.ravel()
    piece = np.cumsum(flat) - 1
    begins = np.flatnonzero(flat)
    since = np.arange(flat.size) - begins[piece]
    place = draw.integers(0, len(pool) - 16, len(begins))[piece] + since
    turned = np.packbits(draw.random((len(begins), 32)) < 0.15, axis=1).view(np.uint32).ravel()
    return (pool[place] ^ turned[piece]).reshape(size, CODES).astype(np.uint32)


def _noisy(codes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return codes ^ np.packbits(draw.random((len(codes), 32)) < 0.03, axis=1).view(np.uint32).ravel()


def judge_size(prints: list[Print], n: int) -> dict[str, float]:
    """Link synthetic songs by Spark: a first run, a run without new songs, and a run with a hundred more songs."""
    from pyspark.sql import functions as F

    from genreatlas.audio.feature_sets import table_of
    from genreatlas.session import get_spark
    from genreatlas.steps import link_recordings
    from genreatlas.store import Store
    from genreatlas.tables import CLIPS, RECORDING_LINKS, RECORDING_MATCHES
    from genreatlas.tables import SONGS as SONGS_TABLE

    home = Path(tempfile.mkdtemp(prefix="recordings-", dir=os.environ.get("GENREATLAS_BENCH")))
    (home / "codes").mkdir()
    started = time.monotonic()
    planted = made_up(prints, n + 100, home / "codes")
    print(f"{n} songs made in {time.monotonic() - started:.0f} s, {len(planted)} copies planted", flush=True)
    config = load_config([], [f'store.path="{home}/tables"', 'spark.master="local[2,4]"'])
    spark = get_spark(config.spark)
    store = Store(spark, config.store, run_id="bench")
    wanted = get_feature_set("fingerprint")
    rows = spark.read.parquet(str(home / "codes"))
    rows = rows.withColumn("set_version", F.lit(wanted.version))
    rows = rows.withColumn("preprocessing_id", F.lit(preprocessing_id(config.clip)))
    late = [song_id(number) for number in range(n, n + 100)]
    made: dict[str, Any] = {"source": "made up", "ingest_batch": "b", "provider": "made up", "audio_id": "a",
                            "sha256": "a", "uri": "made:up", "window_rule": "middle:30", "mime": "made/up"}  # fmt: skip

    def add(part: Any) -> None:
        store.append(table_of(wanted), part.select(*table_of(wanted).column_names))
        for table in (CLIPS, SONGS_TABLE):
            columns = [
                F.col(c.name) if c.name in ("clip_id", "song_id")
                else F.lit(made.get(c.name, 30 if c.name in table.required else None)).cast(c.type).alias(c.name)
                for c in table.columns
            ]  # fmt: skip
            store.append(table, part.select(*columns))

    add(rows.where(~F.col("clip_id").isin(late)))
    started, memory = time.monotonic(), Watch()
    counts = link_recordings.run(store, config)
    minutes = (time.monotonic() - started) / 60
    memory.close()
    print(f"{n} songs: {minutes:.2f} min, {memory.peak / 1e9:.2f} GB; {counts}", flush=True)
    first = {tuple(sorted(map(song_id, pair))) for pair in planted if max(pair) < n}
    matched = {tuple(row) for row in store.read(RECORDING_MATCHES).select("clip_id", "other_clip_id").collect()}
    linked = {row.song_id for row in store.read(RECORDING_LINKS).where("kind = 'copy'").collect()}
    print(
        f"planted {len(first)}, found {len(first & matched)}, others {len(matched - first)}, linked songs {len(linked)}"
    )
    again = time.monotonic()
    link_recordings.run(store, config)
    rerun = (time.monotonic() - again) / 60
    add(rows.where(F.col("clip_id").isin(late)))
    again = time.monotonic()
    counts = link_recordings.run(store, config)
    increment = (time.monotonic() - again) / 60
    print(f"a rerun takes {rerun:.2f} min, 100 more songs {increment:.2f} min; {counts}", flush=True)
    shutil.rmtree(home)
    return {
        "link_minutes": minutes,
        "link_gb": memory.peak / 1e9,
        "link_found": len(first & matched) / max(len(first), 1),
        "link_false": len(matched - first),
        "link_rerun_minutes": rerun,
        "link_100_more_minutes": increment,
    }


def main() -> int:
    """Run the selected measurements and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/shared"), help="folder with music/ and midi5/")
    parser.add_argument("--parts", nargs="*", default=["copies", "alike", "size"], help="what to measure")
    parser.add_argument("--each", type=int, default=60, help="songs per source that get artificial copies")
    parser.add_argument("--alike", type=int, default=ALIKE, help="number of piano pieces, and of drones and noises")
    parser.add_argument("--songs", type=int, default=SONGS, help="number of synthetic songs")
    parser.add_argument("--keep", action="store_true", help="keep figures of other sizes, too; the page says which")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--prints", type=Path, help="folder in which fingerprints are kept for the next run")
    arguments = parser.parse_args()
    usual = (arguments.each, arguments.alike, arguments.songs) == (60, ALIKE, SONGS)
    how = f"--each {arguments.each} --alike {arguments.alike} --songs {arguments.songs}"
    if arguments.prints:
        arguments.prints.mkdir(parents=True, exist_ok=True)
    found: dict[str, float] = {}
    midi = sorted((arguments.data / "midi5").glob("*/*.mid"))
    midi = midi[:: max(1, len(midi) // arguments.each)][: arguments.each]
    songs = [Song("game music", path) for path in game_music(arguments.data / "music", arguments.each)]
    songs += [Song("midi", path) for path in midi]
    songs += [Song("composed", number) for number in range(arguments.each)]
    with ProcessPoolExecutor(arguments.processes) as pool:
        with_copies = "copies" in arguments.parts
        made = make_prints(songs, pool, with_copies, arguments.prints)
        originals = {name: one[""] for name, one in made.items()}
        if with_copies:
            found |= judge_copies(made)
        if "alike" in arguments.parts:
            counts = {"piano": arguments.alike, "drone or noise": arguments.alike,
                      "drum machine": max(arguments.alike // 4, 10)}  # fmt: skip
            others = [Song(kind, number) for kind, count in counts.items() for number in range(count)]
            others += [Song("other font", path) for path in midi]
            alike = make_prints(others, pool, folder=arguments.prints)
            found |= judge_alike(originals | {name: one[""] for name, one in alike.items()})
    if "size" in arguments.parts:
        found |= judge_size(list(originals.values()), arguments.songs)
    print({key: round(value, 4) for key, value in found.items()})
    if usual or arguments.keep:
        keep(found, how)
        write_page()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
