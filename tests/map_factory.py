"""Generated genres for the page of the map."""

import numpy as np

from genreatlas.report.map_data import MapData, MapExample, MapGenre, MapLens, MapMeasure, MapParent

_HEADS = tuple(
    """house techno rock pop jazz folk metal rap blues punk ambient trance reggae soul funk indie choral
    drone""".split()  # noqa: SIM905
)
_WORDS = tuple(
    """deep dark melodic nordic french progressive classic slow hard electro psychedelic modern brazilian swedish acid
    vocal tech neo post garage southern japanese minimal dream baroque tribal cosmic symphonic latin polish
    future""".split()  # noqa: SIM905
)
MEASURES = (
    MapMeasure("energy", "Energy"),
    MapMeasure("tempo", "Tempo", "BPM"),
    MapMeasure("acousticness", "Acousticness"),
    MapMeasure("accuracy", "Accuracy of the classifier"),
)
LENSES = (
    MapLens("sound", "Sound", "Genres that sound similar are close together. The directions have no meaning."),
    MapLens("labelled", "Every Noise axes", "", ("dense", "spiky"), ("electric", "organic")),
)


def map_data(n: int = 400, seed: int = 0, names: list[str] | None = None, places: np.ndarray | None = None) -> MapData:
    """Genres in clusters by their last word, with neighbours by distance on the first lens.

    Parameters
    ----------
    n : number of genres, unless names are given.
    names, places : names of the genres, and positions (n, 2) on the labelled lens; generated if None.
    """
    rng = np.random.default_rng(seed)
    names = names or _names(n, rng)
    n = len(names)
    regions = {head: place for place, head in enumerate(_HEADS)}
    region = np.array([regions.get(name.split()[-1], place % len(_HEADS)) for place, name in enumerate(names)])
    centre = rng.uniform(-1, 1, (len(_HEADS), 2))
    sound = centre[region] + rng.normal(0, 0.16, (n, 2))
    labelled = sound[:, ::-1] + rng.normal(0, 0.1, (n, 2)) if places is None else places
    sound = sound if places is None else labelled @ np.array([[0.8, 0.6], [-0.6, 0.8]]) / np.ptp(labelled, axis=0).max()
    songs = np.round(10 ** rng.uniform(0.7, 4, n)).astype(int)
    ids = [f"genre{place}" for place in range(n)]
    largest = {head: int(max(np.flatnonzero(region == place), key=lambda g: songs[g], default=-1))
               for head, place in regions.items()}  # fmt: skip
    strays = rng.gamma(1.2, 0.04, n)
    genres = []
    for g, name in enumerate(names):
        away = np.hypot(*(sound - sound[g]).T)
        near = np.argsort(away)[1:11]
        root = largest[_HEADS[region[g]]]
        parent = root if g % 3 == 0 else int(max([root, *near[:6]], key=lambda other: songs[other]))
        rooted = g == root or songs[parent] <= songs[g]
        genres.append(
            MapGenre(
                ids[g],
                name,
                {"sound": tuple(sound[g]), "labelled": tuple(labelled[g])},
                {"sound": float(strays[g])},
                frozenset({"labelled"} if g % 10 == 0 else ()),
                int(songs[g]),
                int(region[g]),
                None,
                {"energy": float(np.tanh(sound[g, 0])), "tempo": float(120 + 30 * sound[g, 1]),
                 "acousticness": float(rng.random()), **({"accuracy": float(rng.random())} if g % 5 else {})},
                [(ids[other], float(away[other])) for other in near],
                [] if rooted else [MapParent(ids[parent], 0.62, "21 artists; name"), MapParent(ids[near[0]], 0.2)],
                None if rooted else ids[parent],
                float(2020 - 8 * np.log2(songs[g]) + rng.normal(0, 4)) if g % 7 else None,
                (1970.0, 1990.0) if g % 14 == 0 else None,
                _example(g, name),
                [f"Artist {number} – Song of {name}" for number in range(3)],
                () if g % 4 else [(1970 + 10 * k, *(sound[g] + (k - 3) * np.array([0.04, 0.02]))) for k in range(4)],
            )
        )  # fmt: skip
    return MapData(genres, LENSES, MEASURES, _HEADS, source="From maps version 3; written by map_genres 01234567.")


def _names(n: int, rng: np.random.Generator) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < n:
        words = [*rng.choice(_WORDS, rng.integers(0, 4), replace=False), rng.choice(_HEADS)]
        found[" ".join(words)] = None
    return list(found)


def _example(g: int, name: str) -> MapExample | None:
    title = f"Somebody – {name}"
    if g % 3 == 0:
        return MapExample(title, source=f"../music/{name} #1?.mp3")
    return MapExample(title, link="https://example.org/a?b=1&c=2") if g % 3 == 1 else None
