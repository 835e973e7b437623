"""The configuration's sections of the map of genres and of similar songs."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import Positive, Section, Share


class MapSection(Section):
    """The map of genres."""

    feature_set: FeatureSetName = Field(
        "summary9", description="What genres are compared by; a list of sets joins them column by column."
    )
    exclude: tuple[str, ...] = Field(
        ("mode", "time_signature"),
        description="Features that genres are not compared by. Categories, such as a key, never are.",
    )
    genre_means: bool = Field(
        False, description="The set has one row a genre, a mean that somebody else computed: nothing is averaged."
    )
    lenses: tuple[Literal["sound", "labelled", "confusion", "artists"], ...] = Field(
        ("sound", "labelled", "confusion", "artists"),
        description="Maps to draw: sound (profiles), labelled (axes of Every Noise; needs `genres`), confusion (what a "
        "model takes held-out songs for; needs `predictions`), artists (shared artists).",
    )
    method: Literal["tsne", "umap", "pacmap"] = Field(
        "tsne", description="How genres are laid out; umap and pacmap need the extra atlas-methods."
    )
    model: str = Field("", description="confusion: model_id of the model; empty: the best one over the folds.")
    min_songs: Positive = Field(5, description="Genres with fewer recordings are left out, and listed.")
    artist_share: Share = Field(0.2, description="Most of a genre's weight that one artist may have.")
    shrink: bool = Field(True, description="Pull genres with few songs toward their nearest larger ones.")
    perplexity: float = Field(
        30.0, gt=1.0, description="Perplexity of t-SNE: about how many neighbours of a genre the map preserves."
    )
    neighbours: Positive = Field(15, description="Neighbours stored for each genre.")
    resolutions: tuple[float, float] = Field(
        (1.0, 1.0), description="Leiden resolution of the coarse regions, and of the fine ones inside them."
    )
    half_samples: int = Field(2, ge=0, description="Maps of half of the songs behind each genre's stability; 0: none.")
    min_dated: Positive = Field(20, description="A genre has no age where fewer of its recordings have a year.")
    influences: Path | None = Field(
        None,
        description="Table with the columns genre and origin: edges that are known beside names and genre_parents.",
    )
    origins: dict[str, str] = Field({}, description="Genre = one that it came from, beside those of map.influences.")
    parent_probability: Share = Field(0.2, description="No parent is drawn that is less probable than this.")
    seed: int = Field(7, description="Seed of every random choice.")


class NeighboursSection(Section):
    """Similar songs."""

    feature_set: FeatureSetName = Field(
        "summary9", description="What songs are compared by; a list of sets joins them column by column."
    )
    exclude: tuple[str, ...] = Field(
        ("mode", "time_signature"),
        description="Features that songs are not compared by. Categories, such as a key, never are.",
    )
    per_song: Annotated[int, Field(ge=10)] = Field(50, description="Length of each song's list.")
    correction: Literal["local_scaling", "none"] = Field(
        "local_scaling",
        description="Correction of hubness: songs on very many lists, and others on none.",
    )
    exact_songs: Positive = Field(
        600_000,
        description="Most songs that are compared exactly; above, an index of faiss is used (extra neighbours).",
    )
    min_recall: float = Field(
        0.99, gt=0.0, le=1.0, description="The index is tuned until it finds this share of the exact 10 nearest."
    )
    refit_growth: float = Field(
        2.0,
        gt=1.0,
        description="Growth of the songs, as a factor, at which scales and all lists are computed again.",
    )
    max_matrix_mb: Positive = Field(2000, description="Largest matrix of songs that is sent to every worker.")
    shared_path: Path | None = Field(None, description="Folder that all workers read: the matrix goes there instead.")
    seed: int = Field(7, description="Seed of samples and of the index.")
