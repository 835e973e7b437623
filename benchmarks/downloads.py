"""Rate of downloads from nginx on loopback: fetch_previews with both runners, aria2c, and img2dataset without
re-encoding.

``python benchmarks/downloads.py --clips 5000`` needs ``nginx`` and ``aria2c`` on the path and img2dataset in a
separate environment (``--img2dataset PATH``; its dependencies conflict with those of this project). All programs fetch
the same addresses with the same number of connections, one program after the other. fetch_previews also checks every
frame header, hashes, limits, retries, and writes Delta tables. The start of Spark and the first execution of each
statement are excluded: the step first runs on a few clips, which is timed separately. Results are written to
``downloads.json`` and the table of docs/fan_out.md.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from page import machine_line, replace_figures

PORT = 8449
FILE = Path(__file__).with_name("downloads.json")
PAGE = Path(__file__).parents[1] / "docs" / "fan_out.md"
_BEGIN = "<!-- figures: begin (written by benchmarks/downloads.py) -->"
#: Required rate relative to another program in the same run.
BARS = {"executors_vs_img2dataset": 0.7, "driver_vs_img2dataset": 0.4}
#: Number of clips of the warm-up run.
FEW = 20
NAMES = {
    "executors": "the step `fetch_previews` with the runner `executors`",
    "driver": "the step `fetch_previews` with the runner `driver`",
    "img2dataset": "img2dataset 1.47 without re-encoding, with sha256, into Parquet",
    "aria2c": "aria2c, one file each",
}
_NGINX = """
{user} daemon off; pid {home}/nginx.pid; error_log {home}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; types {{ audio/mpeg mp3; }}
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


def main() -> int:
    """Create the files, serve them, and fetch them with each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--turns", type=int, default=1, help="runs of each program, of which the median is used")
    parser.add_argument("--runners", nargs="*", default=["executors", "driver"])
    parser.add_argument("--img2dataset", default="", help="path of the executable img2dataset")
    parser.add_argument("--work", default="", help="working folder; empty: a temporary one")
    arguments = parser.parse_args()
    home = Path(arguments.work or tempfile.mkdtemp(prefix="downloads-"))
    root = home / "www"
    make_files(root, arguments.clips)
    addresses = [f"http://127.0.0.1:{PORT}/{n}.mp3" for n in range(arguments.clips)]
    programs: dict[str, Callable[[], float]] = {}
    if arguments.img2dataset:
        programs["img2dataset"] = partial(img2dataset, arguments.img2dataset, home, addresses, arguments.threads)
    if shutil.which("aria2c"):
        programs["aria2c"] = partial(aria2c, home, addresses, arguments.threads)
    for runner in arguments.runners:
        programs[runner] = partial(ours, home, addresses, arguments.threads, runner)
    found: dict[str, list[float]] = {name: [] for name in programs}
    with served(home, root):
        if arguments.runners:
            first = ours(home, addresses[:FEW], arguments.threads, arguments.runners[0])
            print(f"{FEW} clips in a new process: {first:.1f} s", flush=True)
        for turn in range(arguments.turns):
            for name in programs if turn % 2 == 0 else reversed(programs):
                os.sync()  # flush the previous program's writes outside of the timing
                found[name].append(arguments.clips / programs[name]())
                print(f"{name:12} {found[name][-1]:7.1f} clips/s", flush=True)
    shutil.rmtree(home)
    keep(found, first if arguments.runners else None, arguments)
    write_page()
    return 0


def keep(found: Mapping[str, Sequence[float]], first: float | None, arguments: argparse.Namespace) -> None:
    """Write the results of one run: rates, and rates relative to the other programs."""
    rates = {name: statistics.median(several) for name, several in found.items()}
    how = f"--clips {arguments.clips} --threads {arguments.threads} --turns {arguments.turns}"
    figures = {f"{name}_rate": (rate, None, "clips/s", NAMES[name]) for name, rate in rates.items()}
    if first is not None:
        figures["first_seconds"] = (first, None, "s", f"the step on {FEW} clips, as the first in its process")
    for peer in ("img2dataset", "aria2c"):
        for runner in ("executors", "driver"):
            if peer in rates and runner in rates:
                bar = BARS.get(f"{runner}_vs_{peer}")
                what = f"{NAMES[runner]}, as a share of {NAMES[peer]}"
                figures[f"{runner}_vs_{peer}"] = (rates[runner] / rates[peer], bar, "", what)
    rows = {
        key: {
            "value": round(value, 3), "bar": bar, "sense": None if bar is None else "at least",
            "met": None if bar is None else value >= bar, "unit": unit, "n": arguments.clips, "how": how,
            "note": f"{what}; {machine_line()}",
        }
        for key, (value, bar, unit, what) in figures.items()
    }  # fmt: skip
    FILE.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_page() -> None:
    """Write the table between the markers of the page."""
    lines = ["| key | what | target | measured | run with |", "|---|---|---|---|---|"]
    for key, row in json.loads(FILE.read_text(encoding="utf-8")).items():
        bar = "" if row["bar"] is None else f"at least {row['bar']:g}"
        missed = " (missed)" if row["met"] is False else ""
        what = row["note"].partition(";")[0]
        lines.append(
            f"| `{key}` | {what} | {bar} | {row['value']:.4g} {row['unit']}".rstrip() + f"{missed} | `{row['how']}` |"
        )
    replace_figures(PAGE, _BEGIN, lines)


def make_files(root: Path, count: int) -> None:
    """Create clips of 30 s and 480 KB (128 kbit/s), each with a different ID3 tag."""
    root.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(7).standard_normal((30 * 44_100, 2)) * 0.1
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", 44_100, 2, "MPEG_LAYER_III", format="MP3", bitrate_mode="CONSTANT", compression_level=0.66
    ) as sound:
        sound.write(noise)
    for number in range(count):
        text = b"\x00" + str(number).encode()
        frame = b"TIT2" + len(text).to_bytes(4, "big") + b"\x00\x00" + text
        (root / f"{number}.mp3").write_bytes(
            b"ID3\x03\x00\x00" + bytes([0, 0, 0, len(frame)]) + frame + file.getvalue()
        )
    print(f"{count} files of {(root / '0.mp3').stat().st_size / 1000:.0f} KB", flush=True)


@contextmanager
def served(home: Path, root: Path) -> Iterator[None]:
    """Serve a folder by nginx."""
    user = "user root;" if os.geteuid() == 0 else ""  # started by root, nginx would switch to the user nobody
    (home / "nginx.conf").write_text(_NGINX.format(home=home, root=root, port=PORT, user=user), encoding="utf-8")
    server = subprocess.Popen(["nginx", "-p", str(home), "-c", str(home / "nginx.conf")])
    time.sleep(1)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def ours(home: Path, addresses: list[str], threads: int, runner: str) -> float:
    """Run time of the step fetch_previews without the start of Spark, in s."""
    from genreatlas.config import load_config
    from genreatlas.session import get_spark
    from genreatlas.steps import fetch_previews
    from genreatlas.store import open_store

    manifest = home / "list.csv"
    manifest.write_text("url,genre\n" + "".join(f"{address},Noise\n" for address in addresses), encoding="utf-8")
    config = load_config(
        [],
        [
            f'store.path="{home / runner}"',
            'fetch_previews.providers=["http"]',
            f'http.manifest="{manifest}"',
            'http.hosts=["127.0.0.1"]',
            f"fan_out.runner={runner}",
            f"fan_out.threads={threads}",
            "fan_out.chunk_rows=1000",
        ],
    )
    spark = get_spark(config.spark)
    spark.range(10).count()
    start = time.perf_counter()
    counts = fetch_previews.run(open_store(spark, config.store), config)
    seconds = time.perf_counter() - start
    assert counts.written == len(addresses), counts
    shutil.rmtree(home / runner)
    return seconds


def aria2c(home: Path, addresses: list[str], threads: int) -> float:
    """Run time of aria2c, which writes one file per address, in s."""
    (home / "list.txt").write_text("\n".join(addresses), encoding="utf-8")
    command = ["aria2c", "-q", "-i", str(home / "list.txt"), f"-j{threads}", "-x1", "-d", str(home / "aria2c")]
    start = time.perf_counter()
    subprocess.run([*command, "--file-allocation=none"], check=True)
    seconds = time.perf_counter() - start
    assert len(list((home / "aria2c").glob("*.mp3"))) == len(addresses)
    shutil.rmtree(home / "aria2c")
    return seconds


def img2dataset(program: str, home: Path, addresses: list[str], threads: int) -> float:
    """Run time of img2dataset, which writes the unchanged bytes to Parquet files, in s."""
    (home / "list.txt").write_text("\n".join(addresses), encoding="utf-8")
    command = [
        program, f"--url_list={home / 'list.txt'}", f"--output_folder={home / 'img2dataset'}",
        "--output_format=parquet",
        f"--thread_count={threads}", "--processes_count=2", "--disable_all_reencoding=True",
        "--compute_hash=sha256", "--number_sample_per_shard=1000",
    ]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    stated = [json.loads(path.read_text()) for path in (home / "img2dataset").glob("*_stats.json")]
    assert sum(shard["successes"] for shard in stated) == len(addresses), stated
    shutil.rmtree(home / "img2dataset")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
