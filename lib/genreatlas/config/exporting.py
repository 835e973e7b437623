"""What is written for training elsewhere."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from genreatlas.config.sections import Positive, Section


class ExportSection(Section):
    """Shards of feature sets with songs, labels and split, for training elsewhere."""

    path: Path = Field(Path("data/export"), description="Folder of the shards; one that all workers share.")
    feature_sets: tuple[str, ...] = Field(
        ("mel128",),
        description="Sets of frames, events or bytes to write, such as mel128 or rhythm_notes; imported tables are not "
        "exported.",
    )
    format: Literal["npz", "parquet"] = Field("npz", description="npz (arrays end to end) or parquet (a row a clip).")
    level: Literal["genre", "parent"] = Field("genre", description="Label songs with genres or with their parents.")
    shard_mb: Positive = Field(64, description="Values in one shard; it is larger by one clip at most.")
