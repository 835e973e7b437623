"""The section ``[topics]``: words that frames are counted as, and topics that songs are made of."""

from typing import Annotated

from pydantic import Field

from genreatlas.config.sections import EXPERT, Positive, Section, seed_of


class TopicsSection(Section):
    """Topics of audio words, which `fit_topics` fits."""

    feature_set: str = Field("mfcc12_frames", description="Set of frames that words are made of.")
    words: Annotated[int, Field(ge=2)] = Field(256, description="Words: clusters of frames by k-means.")
    topics: Annotated[int, Field(ge=2, le=200)] = Field(
        20, description="Topics. Their shares are the feature set topics<number>, such as topics20."
    )
    min_songs: Positive = Field(5, description="Fewest training songs of a genre that topics are described by.")
    sample_clips: Positive = Field(
        50_000, description="Most training clips that words and topics are fitted on.", json_schema_extra=EXPERT
    )
    sample_frames: Positive = Field(
        200_000, description="Most frames of them that words are fitted on.", json_schema_extra=EXPERT
    )
    iterations: Positive = Field(60, description="Mini-batches that topics are fitted on.", json_schema_extra=EXPERT)
    starts: Positive = Field(
        3,
        description="Times that topics are fitted, from other starts; the most likely are kept.",
        json_schema_extra=EXPERT,
    )
    seed: int = seed_of("samples, words and topics")

    @property
    def name(self) -> str:
        """Name of the feature set."""
        return f"topics{self.topics}"
