"""Measure the map page with 6,291 genres in a headless Chromium: time until usable, frame times, labels.

Writes ``benchmarks/map_page.json``. Names and coordinates are those of Every Noise if available in ``--data``; all else
(sizes, neighbours, years, a dozen features) is synthetic, as are additional genres.
"""

import argparse
import csv
import html
import json
import re
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import Browser  # noqa: E402
from genreatlas.report.map_data import MapData, MapMeasure  # noqa: E402
from genreatlas.report.map_page import render_map  # noqa: E402
from map_factory import map_data  # noqa: E402

GENRES = 6291
FEATURES = 12
LOADS = 7
ZOOMS = (1, 4, 16, 64)
STEPS = 150
_ITEM = re.compile(r'class="genre scanme"[^>]*?top: (\d+)px; left: (\d+)px;[^>]*>([^<]+)<')

PAN = """
(async () => {
  const times = { draw: [], whole: [] };
  const m = genreMap;
  for (const zoom of ZOOMS) {
    m.camera.goTo(m.layout.width / 2, m.layout.height / 2, zoom);
    for (let step = 0; step < STEPS; step++) {
      await new Promise(requestAnimationFrame);
      m.camera.pan(14 * Math.cos(step / 20), 9 * Math.sin(step / 13));
      const [draw, whole] = [[], []];
      for (let again = 0; again < 3; again++) {
        const start = performance.now();
        m.draw();
        draw.push(performance.now() - start);
        m.context.getImageData(0, 0, 1, 1);
        whole.push(performance.now() - start);
      }
      times.draw.push(draw.sort((a, b) => a - b)[1]);
      times.whole.push(whole.sort((a, b) => a - b)[1]);
    }
  }
  return times;
})()
"""

LEGIBLE = """
(() => {
  const m = genreMap, unread = [], lost = [];
  const at1 = m.placed.from.reduce((n, from) => n + (from <= m.camera.fit), 0);
  m.data.names.forEach((name, g) => {
    if (m.placed.from[g] <= 64 * m.camera.fit) return;
    unread.push(name);
    m.list.search.value = name;
    m.list.narrow();
    const found = m.list.found[0];
    m.choose(found, { go: true });
    m.draw();
    if (found !== g || !m.boxes.genres.subarray(0, m.boxes.n).includes(g)) lost.push(name);
  });
  const moved = m.placed.shift.reduce((n, shift) => n + (shift !== 0), 0);
  return { unread, lost, at1, moved };
})()
"""


def everynoise(folder: Path) -> dict[str, tuple[float, float]]:
    """Coordinates by name: those of 2021, and those of further genres on the map of 2022."""
    with (folder / "genre_coordinates_2021-05.csv").open(encoding="utf-8") as lines:
        found = {row["genre"]: (float(row["x"]), float(row["y"])) for row in csv.DictReader(lines)}
    page = (folder / "index_2022-03-22.html").read_text(encoding="utf-8")
    for top, left, name in _ITEM.findall(page):
        found.setdefault(html.unescape(name).strip(), (float(left), float(top)))
    return found


def library(folder: Path | None) -> tuple[MapData, int]:
    """Data of the page, and number of genres from Every Noise."""
    known = everynoise(folder) if folder else {}
    rng = np.random.default_rng(1)
    fill = [genre.name for genre in map_data(GENRES).genres if genre.name not in known][: GENRES - len(known)]
    places = np.array(
        [*known.values(), *zip(rng.uniform(0, 1500, len(fill)), rng.uniform(0, 20000, len(fill)), strict=True)]
    )
    ranks = places.argsort(axis=0).argsort(axis=0) / len(places)
    data = map_data(names=[*known, *fill], places=ranks, seed=2)
    measures = [*data.measures, *(MapMeasure(f"f{k}", f"Feature {k}") for k in range(FEATURES - len(data.measures)))]
    values = rng.random((len(data.genres), FEATURES))
    genres = [
        replace(genre, values={**{f"f{k}": float(values[g, k]) for k in range(FEATURES)}, **genre.values})
        for g, genre in enumerate(data.genres)
    ]
    return replace(data, genres=genres, measures=measures), len(known)


def measure(data: MapData, picture: Path | None) -> dict[str, Any]:
    """Measurements of the page in a window of 1,280 by 800 pixels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.html"
        path.write_text(render_map(data), encoding="utf-8")
        with Browser(Path(folder) / "profile") as page:
            usable = []
            for _ in range(LOADS + 1):
                page.open("about:blank")
                page.open(path.as_uri(), "performance.getEntriesByName('usable').length")
                usable.append(page.ask("performance.getEntriesByName('usable')[0].startTime") / 1000)
            times = page.ask(PAN.replace("ZOOMS", str(list(ZOOMS))).replace("STEPS", str(STEPS)))
            page.ask("genreMap.showAll(); genreMap.draw()")
            if picture:
                page.picture(picture)
            return {
                "bytes": path.stat().st_size,
                "usable": usable[1:],
                **times,
                **page.ask(LEGIBLE),
                "errors": page.errors,
            }


def main() -> None:
    """Run the measurements and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with files of Every Noise")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "map_page.json")
    parser.add_argument("--picture", type=Path, help="PNG of the page to write")
    arguments = parser.parse_args()
    data, known = library(arguments.data)
    found = measure(data, arguments.picture)
    if found["errors"]:
        raise SystemExit(f"the page complained: {found['errors']}")
    n = len(data.genres)
    of = f"{n:,} genres, {known:,} of them with names and coordinates of Every Noise, the rest made up"
    p95 = {name: float(np.percentile(found[name], 95)) for name in ("draw", "whole")}
    legible = n - len(found["lost"])
    results = {
        "page_usable_s": {
            "value": round(statistics.median(found["usable"]), 3), "bar": 1, "unit": "s", "n": LOADS,
            "note": f"median of {LOADS} loads from disk until map and list are drawn and take input; "
            f"{found['bytes'] / 1e6:.1f} MB; {of}",
        },
        "page_frame_p95_ms": {
            "value": round(p95["whole"], 2), "bar": 8, "unit": "ms", "n": len(found["whole"]),
            "note": f"while panning at zoom {', '.join(map(str, ZOOMS))}, pixels read back, software rendering, each "
            f"frame the median of three drawings; median {np.median(found['whole']):.2f} ms; "
            f"drawing calls alone {p95['draw']:.2f} ms",
        },
        "page_legible": {
            "value": legible, "bar": n, "unit": "genres", "n": n,
            "note": f"{n - len(found['unread']):,} can be read by 64x ({found['at1']} at 1x, {found['moved']:,} a line"
            f" off their place); {len(found['unread'])} others are found by search and drawn when chosen",
        },
    }  # fmt: skip
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
