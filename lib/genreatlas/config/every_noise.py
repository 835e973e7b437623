"""The section ``[every_noise]``."""

from pydantic import Field, field_validator

from genreatlas.config.sections import Positive, Section

_SLUG = "{slug}"


class EveryNoiseSection(Section):
    """Every Noise At Once: addresses, or pages that were saved as files."""

    map: str = Field("https://everynoise.com/engenremap.html", description="The map page: address or saved file.")
    list: str = Field("", description="The list of all genres (everynoise1d.html): address or saved file; empty: none.")
    genre_pages: bool = Field(False, description="Read each genre's own page, too: artists, neighbours, playlists.")
    pages: str = Field(
        "https://everynoise.com/engenremap-{slug}.html",
        description="Genre pages: an address with {slug} in it, or a folder with saved pages.",
    )
    genres: tuple[str, ...] = Field((), description="Slugs or names of the genres whose pages are read; empty: all.")
    floor: Positive = Field(1000, description="Fewer genres than this on the map are an error, and nothing is written.")
    snapshot: str = Field(
        "",
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        description="Day of the map's state; empty: the date in the file's name, or the day on which it was new.",
    )

    replace: bool = Field(
        False,
        description="For one run: replace what is stored of the snapshot by what the pages say, where it was wrong. "
        "The map's genres, and artists, neighbours and playlists of the genre pages that are read.",
    )

    @field_validator("pages")
    @classmethod
    def _address_has_a_place_for_the_slug(cls, value: str) -> str:
        if "://" in value and _SLUG not in value:
            raise ValueError("an address must hold {slug}, such as https://everynoise.com/engenremap-{slug}.html")
        return value
