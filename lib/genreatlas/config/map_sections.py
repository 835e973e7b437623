"""The configuration's sections of the map of genres and of similar songs."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import EXPERT, Positive, Section, Share, seed_of


class MapSection(Section):
    """The map of genres."""

    feature_set: FeatureSetName = Field(
        "summary9", description="Feature set that genres are compared by; a list of sets is joined column by column."
    )
    exclude: tuple[str, ...] = Field(
        ("mode", "time_signature"),
        description="Features that genres are not compared by. Categories, such as a key, never are.",
    )
    genre_means: bool = Field(False, description="The feature set has one row per genre, which is already a mean.")
    lenses: tuple[Literal["sound", "labelled", "confusion", "artists"], ...] = Field(
        ("sound", "labelled", "confusion", "artists"),
        description="Maps to draw: sound (profiles), labelled (axes of Every Noise; needs `genres`), confusion "
        "(confusions of a model on held-out songs; needs `predictions`), artists (shared artists).",
    )
    method: Literal["tsne", "umap", "pacmap"] = Field(
        "tsne", description="How genres are laid out; umap and pacmap need the extra atlas-methods."
    )
    model: str = Field("", description="confusion: model_id of the model; empty: the best one over the folds.")
    min_songs: Positive = Field(5, description="Fewest recordings of a genre on the map; smaller ones are listed.")
    artist_share: Share = Field(
        0.2, description="Largest share of a genre's weight that one artist may have.", json_schema_extra=EXPERT
    )
    shrink: bool = Field(
        True,
        description="Shrink the means of genres with few songs towards those of their nearest larger genres.",
        json_schema_extra=EXPERT,
    )
    perplexity: float = Field(
        30.0,
        gt=1.0,
        description="Perplexity of t-SNE: about how many neighbours of a genre the map preserves.",
        json_schema_extra=EXPERT,
    )
    neighbours: Positive = Field(15, description="Neighbours stored for each genre.")
    resolutions: tuple[float, float] = Field(
        (1.0, 1.0),
        description="Leiden resolution of the coarse regions, and of the fine ones inside them.",
        json_schema_extra=EXPERT,
    )
    half_samples: int = Field(
        2,
        ge=0,
        description="Maps drawn from half of the songs, to measure how stable each genre's place is; 0: none.",
        json_schema_extra=EXPERT,
    )
    min_dated: Positive = Field(20, description="Fewest recordings with a year that a genre needs to get an age.")
    influences: Path | None = Field(
        None,
        description="Table with the columns genre and origin: known parents, besides those from names and "
        "genre_parents.",
    )
    origins: dict[str, str] = Field(
        {}, description="Genres, and a genre that each came from, besides those of map.influences."
    )
    parent_probability: Share = Field(
        0.2, description="Least probability of a parent that is drawn in the tree.", json_schema_extra=EXPERT
    )
    seed: int = seed_of("every random choice")


class NeighboursSection(Section):
    """Similar songs."""

    feature_set: FeatureSetName = Field(
        "summary9", description="Feature set that songs are compared by; a list of sets is joined column by column."
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
        json_schema_extra=EXPERT,
    )
    min_recall: float = Field(
        0.99,
        gt=0.0,
        le=1.0,
        description="The index is tuned until it finds this share of the exact 10 nearest.",
        json_schema_extra=EXPERT,
    )
    refit_growth: float = Field(
        2.0,
        gt=1.0,
        description="Growth of the songs, as a factor, at which scales and all lists are computed again.",
        json_schema_extra=EXPERT,
    )
    max_matrix_mb: Positive = Field(
        2000, description="Largest matrix of songs that is sent to every worker, in MB.", json_schema_extra=EXPERT
    )
    shared_path: Path | None = Field(
        None, description="Folder that all workers can read; the matrix is written there instead of being sent to them."
    )
    seed: int = seed_of("samples and of the index")
