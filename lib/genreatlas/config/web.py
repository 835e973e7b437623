"""The section ``[web]``: content, address and limits of the site."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import EXPERT, Positive, Section


class WebSection(Section):
    """The site: `publish_site` writes its extract, `serve_web` serves it."""

    path: Path = Field(Path("data/site"), description="Folder of the extract, and of the site's own database.")
    title: str = Field("Genre Atlas", description="Name of the site.")
    feature_set: FeatureSetName = Field(
        "summary9", description="Feature set shown on song pages and in charts; one with one row per clip."
    )
    model: str = Field(
        "champion",
        description="Alias or id of the model that analyses uploads. If no model has the alias yet: the model with the "
        "best fold score that needs no Spark.",
    )
    neighbours: Positive = Field(20, description="Similar songs listed for each song.", json_schema_extra=EXPERT)
    clips_per_genre: int = Field(
        12, ge=0, description="Fetched clips per genre that are copied into the extract, so that they can be played."
    )
    host: str = Field("127.0.0.1", description="Address the server listens on.")
    port: int = Field(8450, ge=0, le=65535, description="Port the server listens on.")
    hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost"), description="Host names accepted in requests; others are refused."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto headers are trusted."
    )
    database: str = Field(
        "",
        description="SQLAlchemy URL of the database of analyses, queue and corrections; empty: SQLite below web.path.",
    )
    logos: dict[Literal["deezer", "spotify"], Path] = Field(
        {}, description="Logo file (SVG or PNG) of each service, shown with analyses of its tracks."
    )
    queue_workers: int = Field(1, ge=0, description="Processes that analyse uploads; 0: none.")
    max_upload_mb: Positive = Field(50, description="Largest upload, in MB.")
    max_list_mb: Positive = Field(
        30, description="Largest playlist or listening history that is read, in MB.", json_schema_extra=EXPERT
    )
    max_kept_mb: Positive = Field(
        1000,
        description="Maximum size of one visitor's files that are kept for tagged copies, in MB.",
        json_schema_extra=EXPERT,
    )
    max_queue: Positive = Field(
        200, description="Maximum uploads in the queue; more are refused with 503.", json_schema_extra=EXPERT
    )
    keep_hours: float = Field(24.0, gt=0.0, description="Uploads and their analyses are deleted after this many hours.")
    requests_per_minute: Positive = Field(
        600, description="Maximum requests per minute and client; more are refused with 429.", json_schema_extra=EXPERT
    )
    uploads_per_minute: Positive = Field(
        20, description="Maximum uploads per minute and client; more are refused with 429.", json_schema_extra=EXPERT
    )
