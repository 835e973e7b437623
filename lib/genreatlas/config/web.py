"""The section ``[web]``: what the site shows, where it is served, and its bounds."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from genreatlas.config.joined import FeatureSetName
from genreatlas.config.sections import Positive, Section


class WebSection(Section):
    """The site: `publish_site` writes its extract, `serve_web` serves it."""

    path: Path = Field(Path("data/site"), description="Folder of the extract, and of the site's own database.")
    title: str = Field("Genre Atlas", description="Name of the site.")
    feature_set: FeatureSetName = Field(
        "summary9", description="Features that pages of songs and charts show; one row a clip."
    )
    model: str = Field(
        "champion",
        description="Alias or id of the model that analyses uploads; where the alias is not given yet: the best model "
        "over the folds that needs no Spark.",
    )
    neighbours: Positive = Field(20, description="Similar songs of each song.")
    clips_per_genre: int = Field(
        12, ge=0, description="Fetched clips of each genre that are copied into the extract, to be played."
    )
    host: str = Field("127.0.0.1", description="Address that is listened on.")
    port: int = Field(8450, ge=0, le=65535, description="Port that is listened on.")
    hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost"), description="Host names that requests may ask for; others are refused."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."
    )
    database: str = Field(
        "", description="SQLAlchemy URL of analyses, queue and corrections; empty: an SQLite file below web.path."
    )
    logos: dict[Literal["deezer", "spotify"], Path] = Field(
        {}, description="Service = its logo (SVG or PNG) as its rules ask, shown with analyses of its tracks."
    )
    queue_workers: int = Field(1, ge=0, description="Processes that analyse uploads; 0: none is started.")
    max_upload_mb: Positive = Field(50, description="Largest upload.")
    max_list_mb: Positive = Field(30, description="Largest playlist or listening history that genres are found for.")
    max_kept_mb: Positive = Field(
        1000, description="Largest sum of the files that one visitor lets the site keep, to tag copies."
    )
    max_queue: Positive = Field(200, description="Uploads that may wait; more are refused with 503.")
    keep_hours: float = Field(24.0, gt=0.0, description="Uploads are deleted after this, analyses of them too.")
    requests_per_minute: Positive = Field(600, description="Requests of one client; more are refused with 429.")
    uploads_per_minute: Positive = Field(20, description="Uploads of one client; more are refused with 429.")
