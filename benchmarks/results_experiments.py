"""Experiments of docs/results.md: data and configuration of each run."""

from dataclasses import dataclass
from pathlib import Path

from results_candidates import candidates

#: Folder of the runs' tables, relative to the repository.
WORK = Path("data/results")


@dataclass(frozen=True)
class Experiment:
    """One run of the pipeline: configuration, required data, and whether it is expected to be refused."""

    name: str
    title: str
    explanation: str
    needs: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    conf: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    refused: bool = False


FOLDER_STEPS = ("import_folder", "extract_features", "assign_splits", "train_models", "evaluate_models", "write_report")
SETS = '"summary9", "gtzan57", "mfcc12_frames"'
CLIPS = (
    f"extract.feature_sets=[{SETS}]",
    f'train.feature_sets=[{SETS}, ["summary9", "gtzan57"]]',
    "train.candidates=" + candidates(("summary9", "gtzan57"), ("mfcc12_frames",)),
    "folder.labels=manifest",
)
#: Without a promotion part, which only retraining needs.
SPLIT = ("splits.folds=3", "splits.promotion=0.0")


def experiments(data: Path) -> list[Experiment]:
    """The experiments in the order of the page."""
    music, midi5 = data / "music", WORK / "midi5" / "clips"
    spotify = (
        f'import_features.path="{data}/tables/spotify_songs.csv"',
        "train.candidates=" + candidates(("spotify_table",)),
    )
    return [
        Experiment(
            "midi5",
            "Five genres, one synthesiser (midi5)",
            "263 songs as MIDI, all rendered by the same synthesiser and encoder, so only the music tells them "
            "apart. Artists are not known: every figure is song-grouped, not artist-safe.",
            needs=("midi5/render.sh",),
            overrides=(
                f'folder.path="{midi5}"',
                f'folder.manifest="{midi5}/manifest.csv"',
                *SPLIT,
                *CLIPS,
            ),
            steps=FOLDER_STEPS,
        ),
        Experiment(
            "music_by_song",
            "Four genres of free game music, by song",
            "188 clips of 70 songs. Every genre is one album, nearly always with one sample rate, so the score of the "
            "`technical` baseline is not due to music. Metal has four songs, too few for training and evaluation, so "
            "three genres are left. The test part has only fourteen songs; the fold scores are more reliable.",
            needs=("music/manifest.csv",),
            overrides=(*music_overrides(music), 'folder.ignore_columns=["offset_s"]'),
            steps=FOLDER_STEPS,
        ),
        Experiment(
            "music_by_clip",
            "The same clips, divided at random",
            "The song column is left out, so clips of one song are in both training and test data. The increase of "
            "the fold scores over the run above, largest for frames, is the effect of a random split and not of "
            "better models. There is also one genre more, because clips of metal are now counted as songs.",
            needs=("music/manifest.csv",),
            overrides=(*music_overrides(music), 'folder.ignore_columns=["offset_s", "song"]'),
            steps=FOLDER_STEPS,
        ),
        Experiment(
            "music_by_album",
            "The same songs, grouped by album",
            "Every genre is one album, so no genre can be in both training and test data: the split is refused.",
            needs=("music/manifest.csv",),
            overrides=(*music_overrides(music), 'folder.ignore_columns=["offset_s"]', "splits.group_by=album"),
            steps=("import_folder", "assign_splits"),
            refused=True,
        ),
        Experiment(
            "gtzan",
            "GTZAN, 57 published feature columns",
            "640 clips of the fault-filtered train and validation lists (Kereliuk, Sturm and Larsen 2015); trained on "
            "the first, evaluated on the second. Each genre has few artists, so intervals are wide.",
            needs=("tables/gtzan_features_30_sec.csv", "tables/gtzan/train_filtered.txt"),
            conf=("conf/gtzan_features.toml",),
            overrides=(
                f'import_features.path="{data}/tables/gtzan_features_30_sec.csv"',
                f'import_features.split_lists={{train="{data}/tables/gtzan/train_filtered.txt", '
                f'test="{data}/tables/gtzan/valid_filtered.txt"}}',
                "train.candidates=" + candidates(("gtzan_table",)),
                *SPLIT,
            ),
        ),
        Experiment(
            "spotify_by_artist",
            "Spotify audio features, six genres, by artist",
            "19,652 rows; tracks with several genres are dropped. No artist is in both training and test data.",
            needs=("tables/spotify_songs.csv",),
            conf=("conf/spotify_features.toml",),
            overrides=(*spotify, *SPLIT),
        ),
        Experiment(
            "spotify_at_random",
            "The same tracks, divided at random",
            "The artist column is left out, to show the effect of a random split.",
            needs=("tables/spotify_songs.csv",),
            conf=("conf/spotify_features.toml",),
            overrides=(*spotify, *SPLIT, 'import_features.artist=""'),
        ),
    ]


def music_overrides(music: Path) -> tuple[str, ...]:
    """Configuration shared by the three runs on game music."""
    return (
        f'folder.path="{music}"',
        f'folder.manifest="{music}/manifest.csv"',
        *SPLIT,
        "train.min_songs=5",
        *CLIPS,
    )
