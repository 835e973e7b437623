"""Create the picture of ``docs/atlas.md``: a screenshot of the map page with Every Noise's genres in Chromium.

``python benchmarks/map_picture.py --data FOLDER`` with the folder of ``benchmarks/atlas.py``. The map is computed from
the genres' mean Spotify features; sizes of labels are the popularity on Every Noise. The data have no songs, years and
examples.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from atlas import FEATURES, read

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import Browser  # noqa: E402
from genreatlas.atlas.drawing import chart, draw_labelled, draw_sound, draw_tree  # noqa: E402
from genreatlas.atlas.profiles import Songs  # noqa: E402
from genreatlas.config import Config  # noqa: E402
from genreatlas.report.map_data import MapData, MapGenre, MapLens, MapMeasure, MapParent  # noqa: E402
from genreatlas.report.map_page import render_map  # noqa: E402

SETTINGS = Config().map.model_copy(update={"genre_means": True})
UNITS = {"loudness": "dB", "tempo": "BPM"}


def atlas(folder: Path) -> MapData:
    """Map of the genres with both features and coordinates."""
    genres = read(folder)
    n = len(genres.names)
    everybody = np.arange(n)
    means = genres.means[list(FEATURES)].to_numpy(dtype=np.float64)
    songs = Songs(means, everybody, np.full(n, -1), everybody, everybody, np.ones(n))
    ids = [str(slug) for slug in genres.means.slug]
    charted = chart(songs, ids, genres.names, SETTINGS)
    sound = draw_sound(charted, songs, SETTINGS)
    labelled = draw_labelled(charted, genres.xy, SETTINGS)
    tree = draw_tree(charted, songs, genres.names, SETTINGS)
    assert labelled is not None and tree is not None
    parents: dict[int, list[MapParent]] = {}
    drawn: dict[int, str] = {}
    for child, parent, probability, rank, is_drawn in zip(
        tree.child, tree.parent, tree.probability, tree.rank, tree.drawn, strict=True
    ):
        if rank <= 3:
            parents.setdefault(int(child), []).append(MapParent(ids[parent], float(probability)))
        if is_drawn:
            drawn[int(child)] = ids[parent]
    made = [
        MapGenre(
            ids[g],
            name,
            {"sound": tuple(sound.places[g]), "labelled": tuple(labelled.places[g])},
            region=int(charted.regions.coarse[g]),
            subregion=int(charted.regions.fine[g]),
            values={feature: float(means[g, k]) for k, feature in enumerate(FEATURES)},
            neighbours=[(ids[charted.neighbours[g, k]], float(charted.distances[g, k])) for k in range(10)],
            parents=parents.get(g, ()),
            tree_parent=drawn.get(g),
            weight=0.0 if np.isnan(genres.size[g]) else float(np.exp(genres.size[g])),
        )
        for g, name in enumerate(genres.names)
    ]
    lenses = (
        MapLens("sound", "Sound", "Genres that sound similar are close together. The directions have no meaning."),
        MapLens("labelled", "Axes of Every Noise", "", ("dense", "spiky"), ("electric", "organic")),
    )
    measures = [MapMeasure(name, name.capitalize(), UNITS.get(name, "")) for name in FEATURES]
    return MapData(
        made,
        lenses,
        measures,
        [region.name for region in charted.coarse_names],
        [region.name for region in charted.fine_names],
        drawn_from="the mean Spotify features of their songs",
    )


def main() -> None:
    """Write the pictures, and the page if requested."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with files of Every Noise")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    parser.add_argument("--page", type=Path, help="path at which the page is kept")
    parser.add_argument("--genre", default="deephouse", help="genre that is chosen in the picture")
    arguments = parser.parse_args()
    data = replace(atlas(arguments.data), report_href="")
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.page or Path(folder) / "map.html"
        path.write_text(render_map(data), encoding="utf-8")
        with Browser(Path(folder) / "profile", 1280, 800) as page:
            for name, address in (("map", "#"), ("map_genre", f"#genre={arguments.genre}"), ("map_tree", "#view=tree")):
                page.open("about:blank")
                page.open(path.as_uri() + address, "window.genreMap && genreMap.list")
                page.settle()
                page.picture(arguments.out / f"{name}.png")
            if page.errors:
                raise SystemExit(f"the page complained: {page.errors}")


if __name__ == "__main__":
    main()
