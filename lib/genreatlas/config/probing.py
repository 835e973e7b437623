"""The section ``[probe]``: confounds of genre, and changes of the sound that should not change predictions."""

from typing import Literal

from pydantic import Field

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import Positive, Section, Share, seed_of

#: Change of a clip's sound before its features are computed again.
ChangeName = Literal["normalised", "mp3_64", "gain_up", "gain_down", "speed_up", "speed_down"]
Experiment = Literal["alone", "artist", "change", "apart", "transfer"]


class ApartTest(Section):
    """A named list of genres to distinguish, with and without differences in level."""

    name: str = Field(min_length=1)
    genres: tuple[str, ...] = ()
    quiet: str = ""


class ProbeSection(Section):
    """Experiments on confounds: properties that predict genres but are not music."""

    experiments: tuple[Experiment, ...] = Field(
        ("alone", "artist", "change", "apart", "transfer"),
        description="alone (genres from loudness, format or year alone), artist (recognising artists), change "
        "(accuracy on changed clips), apart (probe.apart), transfer (trained on one collection, tested on another).",
    )
    feature_sets: tuple[FeatureSetName, ...] = Field(
        (), description="Feature sets to probe; empty: those of train.feature_sets."
    )
    max_songs: Positive = Field(2000, description="Maximum songs of the training part used to fit probes.")
    max_genres: Positive = Field(50, description="Maximum genres to probe; those with the most songs are used.")
    changes: tuple[ChangeName, ...] = Field(
        ("normalised", "mp3_64", "gain_up", "gain_down", "speed_up", "speed_down"),
        description="Changes of the sound: to -23 LUFS, MP3 at 64 kbit/s, 6 dB up or down, 5 % faster or slower.",
    )
    songs: Positive = Field(300, description="Number of songs whose clips are changed and extracted, per change.")
    tolerance: Share = Field(0.02, description="Largest tolerated decrease of accuracy under a change of the sound.")
    apart: tuple[ApartTest, ...] = Field(
        (),
        description='Genres to distinguish: {name = "...", genres = [...], quiet = "..."}; quiet: the genre that may '
        "be recognised by its level alone; empty: the quietest.",
    )
    loudness_features: tuple[str, ...] = Field(
        ("loudness",), description="Columns of imported tables with the loudness of songs that have no clips."
    )
    seed: int = seed_of("samples and fits")
