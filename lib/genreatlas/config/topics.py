"""The section ``[topics]``: audio words (clusters of frames) and topics (distributions over words)."""

from typing import Annotated

from pydantic import Field

from genreatlas.config.sections import EXPERT, Positive, Section, seed_of


class TopicsSection(Section):
    """Topics of audio words, fitted by `fit_topics`."""

    feature_set: str = Field("mfcc12_frames", description="Feature set of frames that are clustered into words.")
    words: Annotated[int, Field(ge=2)] = Field(256, description="Number of words (k-means clusters of frames).")
    topics: Annotated[int, Field(ge=2, le=200)] = Field(
        20,
        description="Number of topics. Their shares per clip are the feature set topics<number>, such as topics20.",
    )
    min_songs: Positive = Field(5, description="Minimum training songs of a genre that describes topics.")
    sample_clips: Positive = Field(
        50_000, description="Maximum training clips to fit words and topics on.", json_schema_extra=EXPERT
    )
    sample_frames: Positive = Field(
        200_000, description="Maximum frames of these clips to fit words on.", json_schema_extra=EXPERT
    )
    iterations: Positive = Field(60, description="Number of mini-batches to fit topics on.", json_schema_extra=EXPERT)
    starts: Positive = Field(
        3,
        description="Number of fits of topics from different starts; the fit with the highest likelihood is kept.",
        json_schema_extra=EXPERT,
    )
    seed: int = seed_of("samples, words and topics")

    @property
    def name(self) -> str:
        """Name of the feature set."""
        return f"topics{self.topics}"
