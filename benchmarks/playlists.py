"""Evaluate 1,000 playlists of real songs with planted copies: ``python benchmarks/playlists.py --songs FILE``.

FILE is a table of Spotify songs with playlist genres. Copies of a tenth of the songs are planted: with another id and
title, another spelling of the artist, and linked to the song by an ISRC, by equal bytes of a file, or by a chain of
both. The playlists are written as CSV. These files are checked by code that is independent of the generator: it knows
the planted copies, and compares artists by the names in the table.

Writes ``playlists_*`` to ``benchmarks/atlas.json``, and the table in ``docs/playlists.md`` between its markers.
"""

import argparse
import csv
import io
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from atlas_figures import keep
from page import machine_line, replace_figures

from genreatlas import splits
from genreatlas.config import PlaylistRecipe
from genreatlas.errors import InputError
from genreatlas.ids import slug
from genreatlas.playlists import files, saving
from genreatlas.playlists.aims import Beside
from genreatlas.playlists.library import Known
from genreatlas.playlists.making import make
from genreatlas.playlists.music import Songs, credited, distances, standardise, step_matrix
from genreatlas.playlists.reading import Found
from genreatlas.sources.credits import artist_id

ROOT = Path(__file__).parents[1]
_BEGIN = "<!-- figures: begin (written by benchmarks/playlists.py) -->"
FEATURES = (
    "danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
    "tempo",
)  # fmt: skip
SEED, COPIED = 7, 0.1
#: (required maximum, description) by key; None for controls.
FIGURES = {
    "playlists_catalogue": (None, "songs that are chosen from, with planted copies"),
    "playlists_planted": (None, "planted copies"),
    "playlists_made": (None, "playlists: around, path, blend, explore, predicted, with random limits"),
    "playlists_songs": (None, "songs on them"),
    "playlists_doubled": (0, "recordings that are on one playlist twice"),
    "playlists_over_cap": (0, "artists with more songs on a playlist than its recipe allows"),
    "playlists_outside": (0, "songs that are blocked, outside the range of tempo, or beyond the length"),
    "playlists_short": (None, "playlists with fewer songs than asked for; each says why"),
    "playlists_unsaid": (0, "of these, those that do not say why"),
    "playlists_control_doubled": (None, "control: nearest songs without limits, recordings twice on 200 playlists"),
    "playlists_control_over_cap": (None, "control: the same, artists with more than 2 songs"),
    "playlists_step_over_chance": (None, "sum of steps over that of the same songs in random order, median"),
    "playlists_seconds": (None, "median time of one playlist without reading and writing, in seconds"),
}  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """Ground truth of the songs by song_id, including planted copies."""

    recording: dict[str, int]
    artist: dict[str, str]
    tempo: dict[str, float]
    seconds: dict[str, float]
    genres: dict[str, set[str]]


def read(path: Path) -> tuple[Songs, Truth]:
    """Songs of the table with planted copies, as the step reads them from the store, and their ground truth."""
    random = np.random.default_rng(SEED)
    table = pd.read_csv(path)
    tracks = table.drop_duplicates("track_id").dropna(subset=["track_name", "track_artist"]).reset_index(drop=True)
    tracks["original"] = np.arange(len(tracks))
    chosen = random.choice(len(tracks), int(COPIED * len(tracks)), replace=False)
    copies = [tracks.iloc[chosen].assign(how=how) for how in ("isrc", "bytes", "chain")]
    every = pd.concat([tracks.assign(how="song"), *copies], ignore_index=True)
    every["song_id"] = [f"{random.integers(1 << 62):016x}{n:06d}" for n in range(len(every))]
    is_copy = every.how != "song"
    spelt = [_spelt(name, n) if copy else name
             for n, (name, copy) in enumerate(zip(every.track_artist, is_copy, strict=True))]  # fmt: skip
    every["title"] = np.where(is_copy, every.track_name + " - Remastered", every.track_name)
    every["credit"] = spelt
    every = every.sort_values("song_id", ignore_index=True)
    facts = pd.DataFrame(
        {
            "song_id": every.song_id,
            "title": every.title,
            "artist": every.credit,
            "album": every.track_album_name,
            # A song and its copy "isrc" share a code; "bytes" shares the file of "isrc", "chain" the file of the song.
            "isrc": [f"XXAAA{n:07d}" if how in ("song", "isrc") else None
                     for n, how in zip(every.original, every.how, strict=True)],
            "spotify_id": every.track_id.where(every.how == "song"),
            "uri": None,
            "seconds": every.duration_ms / 1000,
        }
    )  # fmt: skip
    song_of = {"isrc": "a", "bytes": "a", "song": "b", "chain": "b"}
    clips = pd.DataFrame(
        {"song_id": every.song_id, "sha256": [f"{song_of[how]}{n}" for n, how in zip(every.original, every.how,
                                                                                    strict=True)]}
    )  # fmt: skip
    people = pd.DataFrame({"song_id": every.song_id, "position": 0, "artist_id": [artist_id(a) for a in every.credit]})
    names = dict(zip(people.artist_id, every.credit, strict=True))
    links = splits.song_links(facts.assign(album_artist=None, compilation=None), people, clips, "song")
    performer, credits, keys = credited(facts, people, names)
    genres = sorted(set(table.playlist_subgenre))
    labels = table.groupby("track_id").playlist_subgenre.agg(lambda g: sorted(set(g)))
    pairs = [(row, genres.index(g)) for row, track in enumerate(every.track_id) for g in labels[track]]
    songs = Songs(
        facts=facts,
        vectors=standardise(every[list(FEATURES)].to_numpy(np.float32)),
        recording=splits.recordings(links, facts.song_id).astype(np.int64),
        performer=performer,
        tempo=every.tempo.where(every.tempo > 0).to_numpy(float),
        key=every.key.to_numpy(float),
        minor=1.0 - every["mode"].to_numpy(float),
        loudness=every.loudness.to_numpy(float),
        energy=every.energy.to_numpy(float),
        genre_ids=tuple(map(slug, genres)),
        genre_names=tuple(genres),
        labels=np.array(pairs, dtype=np.int64),
        credits=credits,
        artist_keys=keys,
    )
    truth = Truth(
        dict(zip(every.song_id, every.original, strict=True)),
        dict(zip(every.song_id, every.track_artist.str.casefold(), strict=True)),
        dict(zip(every.song_id, every.tempo, strict=True)),
        dict(zip(every.song_id, every.duration_ms / 1000, strict=True)),
        {song: set(labels[track]) for song, track in zip(every.song_id, every.track_id, strict=True)},
    )
    return songs, truth


def _spelt(name: str, number: int) -> str:
    """Vary the spelling of a name."""
    if number % 3 == 0:
        return name.upper()
    if number % 3 == 1 and name.startswith("The "):
        return f"{name[4:]}, The"
    return name.replace(" ", "  ")


def recipes(songs: Songs, number: int) -> list[tuple[PlaylistRecipe, Beside]]:
    """Recipes of all kinds with random seeds and constraints."""
    random = np.random.default_rng(SEED + 1)
    made = []
    for n in range(number):
        ids = [f"song:{songs.facts.song_id.iloc[row]}" for row in random.integers(len(songs), size=3)]
        genres = [f"genre:{songs.genre_names[g]}" for g in random.permutation(len(songs.genre_names))[:3]]
        kind, seeds = (
            ("around", ids[:1]), ("around", genres[:1]), ("path", ids[:2]), ("path", genres[:2]), ("blend", ids),
            ("blend", [ids[0], genres[0]]), ("explore", []), ("predicted", genres[:1]),
        )[n % 8]  # fmt: skip
        length = {"minutes": float(random.integers(20, 120))} if n % 5 == 0 else {"songs": int(random.integers(5, 60))}
        slow = float(random.integers(70, 130))
        recipe = PlaylistRecipe(
            name=f"Playlist {n}",
            kind=kind,
            seeds=tuple(dict.fromkeys(seeds)),
            away_from=tuple(genres[1:2]) if kind == "blend" and n % 2 else (),
            block=tuple(genres[2:]) if n % 3 == 0 else (),
            library=Path("library") if kind == "explore" else None,
            songs_per_artist=int(random.integers(1, 4)),
            tempo=(slow, slow + float(random.integers(2, 40))) if n % 4 == 1 else None,
            energy=("rising", "arch", ())[n % 3] if kind != "path" else (),
            variety=float(random.choice([0.0, 0.1, 1.0])),
            seed=n,
            **length,
        )
        library = np.unique(random.integers(len(songs), size=40))
        scores = {g: (rows := songs.of_genre(g), random.random(len(rows))) for g in range(len(songs.genre_names))}
        made.append((recipe, Beside(library=library, library_size=40, confidence=scores)))
    return made


def judge(recipe: PlaylistRecipe, content: bytes, truth: Truth) -> Counter[str]:
    """Count the violations in a playlist's CSV file."""
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    ids = [row["song_id"] for row in rows]
    found: Counter[str] = Counter(songs=len(ids))
    found["doubled"] = sum(count - 1 for count in Counter(truth.recording[one] for one in ids).values())
    artists = Counter(truth.artist[one] for one in ids)
    found["over_cap"] = sum(count > recipe.songs_per_artist for count in artists.values())
    if recipe.tempo:
        found["outside"] += sum(not recipe.tempo[0] <= truth.tempo[one] <= recipe.tempo[1] for one in ids)
    blocked = {name.removeprefix("genre:") for name in recipe.block}
    found["outside"] += sum(bool(truth.genres[one] & blocked) for one in ids)
    length = sum(truth.seconds[one] for one in ids)
    found["outside"] += length > recipe.minutes * 60 + 1e-6 if recipe.minutes else max(0, len(ids) - recipe.length)
    found["short"] = int(bool(recipe.length) and len(ids) < recipe.length)
    return found


def judge_playlists(path: Path, number: int) -> dict[str, float]:
    """Run the evaluation; results by key."""
    songs, truth = read(path)
    total: Counter[str] = Counter()
    took, smoothness = [], []
    random = np.random.default_rng(SEED + 2)
    nothing = Found(songs, Known(), pd.DataFrame(), ())
    for recipe, beside in recipes(songs, number):
        started = time.perf_counter()
        try:
            playlist = make(songs, recipe, "spotify_audio", beside)
        except InputError as error:
            if "no song fits" not in str(error):
                raise
            total += Counter(nothing_fits=1)
            continue
        took.append(time.perf_counter() - started)
        lines = saving.lines(nothing, playlist, {})
        found = judge(recipe, files.as_csv(recipe.name, lines, b"/"), truth)
        found["unsaid"] = int(found["short"] and not any("were requested" in note for note in playlist.notes))
        total += found
        total["made"] += 1
        rows = np.array([entry.row for entry in playlist.entries])
        if recipe.kind != "path" and not recipe.energy and len(rows) > 4:
            smoothness.append(_over_chance(songs, rows, random))
    control = _control(songs, truth)
    names = ("made", "songs", "doubled", "over_cap", "outside", "short", "unsaid")
    size = {
        "playlists_catalogue": float(len(songs)),
        "playlists_planted": len(songs) - len(set(truth.recording.values())),
    }
    return (
        {f"playlists_{name}": float(total[name]) for name in names}
        | size
        | {
            "playlists_control_doubled": control["doubled"],
            "playlists_control_over_cap": control["over_cap"],
            "playlists_step_over_chance": float(np.median(smoothness)),
            "playlists_seconds": float(np.median(took)),
        }
    )


def _over_chance(songs: Songs, rows: np.ndarray, random: np.random.Generator) -> float:
    steps = step_matrix(songs, rows)
    n = len(rows)
    chance = [steps[order[:-1], order[1:]].sum() for order in (random.permutation(n) for _ in range(50))]
    return float(steps[np.arange(n - 1), np.arange(1, n)].sum() / np.mean(chance))


def _control(songs: Songs, truth: Truth) -> dict[str, float]:
    """Control: violations in lists of the nearest songs without constraints."""
    random = np.random.default_rng(SEED + 3)
    doubled = over = 0
    for row in random.integers(len(songs), size=200):
        nearest = np.argsort(distances(songs, songs.vectors[row]), kind="stable")[:30]
        ids = songs.facts.song_id.iloc[nearest]
        doubled += sum(count - 1 for count in Counter(truth.recording[one] for one in ids).values())
        over += sum(count > 2 for count in Counter(truth.artist[one] for one in ids).values())
    return {"doubled": float(doubled), "over_cap": float(over)}


def write(figures: dict[str, float], page: Path) -> None:
    """Write the table between the markers of the page."""
    lines = ["| key | what | at most | measured |", "|---|---|---|---|"]
    for key, (most, what) in FIGURES.items():
        missed = " (missed)" if most is not None and figures[key] > most else ""
        shown = f"{figures[key]:.0f}" if float(figures[key]).is_integer() else f"{figures[key]:.3f}"
        lines.append(f"| `{key}` | {what} | {'' if most is None else most} | {shown}{missed} |")
    replace_figures(page, _BEGIN, [*lines, "", f"{machine_line()}."])


def main() -> None:
    """Make and evaluate playlists, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=Path, required=True, help="CSV of Spotify songs")
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--print", action="store_true", help="print the figures and write nothing")
    arguments = parser.parse_args()
    found = judge_playlists(arguments.songs, arguments.number)
    print(*(f"{key} {value:.4f}" for key, value in found.items()), sep="\n", flush=True)
    if arguments.print:
        return
    keep(found, arguments.number, FIGURES)
    write(found, ROOT / "docs" / "playlists.md")


if __name__ == "__main__":
    main()
