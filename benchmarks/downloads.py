"""Downloads of clips from nginx on loopback: ours in both runners, aria2c, and img2dataset with re-encoding off.

``python benchmarks/downloads.py --clips 5000`` needs ``nginx`` and ``aria2c`` on the path and img2dataset in an
environment of its own (``--img2dataset PATH``; its dependencies do not fit ours). All get the same addresses
and as many connections. Ours also follows every frame header, hashes, limits, retries, and writes Delta tables.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

PORT = 8449
_NGINX = """
{user} daemon off; pid {home}/nginx.pid; error_log {home}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; types {{ audio/mpeg mp3; }}
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


def main() -> int:
    """Make the files, serve them, and let each program fetch them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--img2dataset", default="", help="its executable")
    parser.add_argument("--work", default="", help="folder; a temporary one when empty")
    arguments = parser.parse_args()
    home = Path(arguments.work or tempfile.mkdtemp(prefix="downloads-"))
    root = home / "www"
    make_files(root, arguments.clips)
    addresses = [f"http://127.0.0.1:{PORT}/{n}.mp3" for n in range(arguments.clips)]
    with served(home, root):
        found = {
            f"ours, {runner}": ours(home, addresses, arguments.threads, runner) for runner in ("executors", "driver")
        }
        if shutil.which("aria2c"):
            found["aria2c"] = aria2c(home, addresses, arguments.threads)
        if arguments.img2dataset:
            found["img2dataset"] = img2dataset(arguments.img2dataset, home, addresses, arguments.threads)
    for name, seconds in found.items():
        print(f"{name:16} {seconds:7.1f} s  {arguments.clips / seconds:7.1f} clips/s")
    shutil.rmtree(home)
    return 0


def make_files(root: Path, count: int) -> None:
    """Clips of 30 s and 480 KB (128 kbit/s), each with a tag of its own in front."""
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
    user = "user root;" if os.geteuid() == 0 else ""  # whose folder it is; nginx would become nobody
    (home / "nginx.conf").write_text(_NGINX.format(home=home, root=root, port=PORT, user=user), encoding="utf-8")
    server = subprocess.Popen(["nginx", "-p", str(home), "-c", str(home / "nginx.conf")])
    time.sleep(1)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def ours(home: Path, addresses: list[str], threads: int, runner: str) -> float:
    """Time of the step fetch_previews, without Spark's start."""
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
    """Time of aria2c, which writes one file for each address."""
    (home / "list.txt").write_text("\n".join(addresses), encoding="utf-8")
    command = ["aria2c", "-q", "-i", str(home / "list.txt"), f"-j{threads}", "-x1", "-d", str(home / "aria2c")]
    start = time.perf_counter()
    subprocess.run([*command, "--file-allocation=none"], check=True)
    seconds = time.perf_counter() - start
    assert len(list((home / "aria2c").glob("*.mp3"))) == len(addresses)
    shutil.rmtree(home / "aria2c")
    return seconds


def img2dataset(program: str, home: Path, addresses: list[str], threads: int) -> float:
    """Time of img2dataset, which writes the bytes as they come into Parquet files."""
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
