"""Configuration sections ``[map]`` (map of genres) and ``[neighbours]`` (similar songs)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import EXPERT, Positive, Section, Share, seed_of


class MapSection(Section):
    """The map of genres."""

    feature_set: FeatureSetName = Field(
        "summary9", description="Feature set used to compare genres; a list of sets is joined column by column."
    )
    exclude: tuple[str, ...] = Field(
        ("mode", "time_signature"),
        description="Features not used to compare genres. Categorical features, such as the key, are never used.",
    )
    genre_means: bool = Field(
        False, description="Whether the rows of the feature set are genre means instead of songs."
    )
    lenses: tuple[Literal["sound", "labelled", "confusion", "artists"], ...] = Field(
        ("sound", "labelled", "confusion", "artists"),
        description="Maps to draw: sound (profiles), labelled (axes of Every Noise; needs `genres`), confusion "
        "(confusions of a model on held-out songs; needs `predictions`), artists (shared artists).",
    )
    method: Literal["tsne", "umap", "pacmap"] = Field(
        "tsne", description="Method that places genres on the map; umap and pacmap need the extra atlas-methods."
    )
    model: str = Field(
        "", description="model_id of the model for the map confusion; empty: the model with the best fold score."
    )
    min_songs: Positive = Field(
        5, description="Minimum recordings of a genre on the map; smaller genres are only listed."
    )
    artist_share: Share = Field(
        0.2, description="Maximum share of one artist in the weight of a genre.", json_schema_extra=EXPERT
    )
    shrink: bool = Field(
        True,
        description="Shrink the means of genres with few songs towards the means of their nearest larger genres.",
        json_schema_extra=EXPERT,
    )
    perplexity: float = Field(
        30.0,
        gt=1.0,
        description="Perplexity of t-SNE: about how many neighbours of a genre the map preserves.",
        json_schema_extra=EXPERT,
    )
    neighbours: Positive = Field(15, description="Number of neighbours stored for each genre.")
    resolutions: tuple[float, float] = Field(
        (1.0, 1.0),
        description="Leiden resolution of the coarse regions, and of the fine regions inside them.",
        json_schema_extra=EXPERT,
    )
    half_samples: int = Field(
        2,
        ge=0,
        description="Number of maps of random halves of the songs, to measure the stability of positions; 0: none.",
        json_schema_extra=EXPERT,
    )
    min_dated: Positive = Field(20, description="Minimum recordings with a year to estimate the age of a genre.")
    influences: Path | None = Field(
        None,
        description="Table with columns genre and origin: known parents of genres, in addition to parents derived from "
        "names and genre_parents.",
    )
    origins: dict[str, str] = Field(
        {}, description="Origin of a genre by genre: known parents, in addition to map.influences."
    )
    parent_probability: Share = Field(
        0.2, description="Minimum probability of a parent to be drawn in the tree.", json_schema_extra=EXPERT
    )
    seed: int = seed_of("every random choice")


class NeighboursSection(Section):
    """Similar songs."""

    feature_set: FeatureSetName = Field(
        "summary9", description="Feature set used to compare songs; a list of sets is joined column by column."
    )
    exclude: tuple[str, ...] = Field(
        ("mode", "time_signature"),
        description="Features not used to compare songs. Categorical features, such as the key, are never used.",
    )
    per_song: Annotated[int, Field(ge=10)] = Field(50, description="Number of similar songs stored for each song.")
    correction: Literal["local_scaling", "none"] = Field(
        "local_scaling",
        description="Correction of hubness (some songs are neighbours of very many others, some of none).",
    )
    exact_songs: Positive = Field(
        600_000,
        description="Maximum number of songs for exact search; above it, a faiss index is used (extra neighbours).",
        json_schema_extra=EXPERT,
    )
    min_recall: float = Field(
        0.99,
        gt=0.0,
        le=1.0,
        description="Minimum recall of the 10 nearest songs that the faiss index is tuned to.",
        json_schema_extra=EXPERT,
    )
    refit_growth: float = Field(
        2.0,
        gt=1.0,
        description="Factor of growth of the number of songs at which scales and all lists are recomputed.",
        json_schema_extra=EXPERT,
    )
    max_matrix_mb: Positive = Field(
        2000, description="Maximum size of the matrix of songs sent to every worker, in MB.", json_schema_extra=EXPERT
    )
    shared_path: Path | None = Field(
        None, description="Folder readable by all workers; the matrix is written there instead of being sent to them."
    )
    seed: int = seed_of("samples and the index")
