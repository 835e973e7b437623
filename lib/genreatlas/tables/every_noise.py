"""Tables of Every Noise At Once: the map of genres, and the data of each genre's page."""

from genreatlas.tables.schema import Column, Table

_SNAPSHOT = Column("snapshot", "date", "Date of the snapshot; new snapshots are added, never overwritten.")

GENRES = Table(
    name="genres",
    comment="One row per genre and snapshot of the Every Noise map; the view genres_latest has the newest.",
    written_by=("scrape_genres",),
    key=("genre_id", "snapshot"),
    cluster_by=("genre_id",),
    columns=(
        Column("genre_id", "string", "Slug of the genre's page, taken from its link."),
        _SNAPSHOT,
        Column("name", "string", "Name on the map.", nullable=False),
        Column("rank", "int", "Rank in the list of all genres, 1 is the most popular; NULL without the list."),
        Column("map_position", "int", "Number of the item on the map page.", nullable=False),
        Column("map_x", "int", "Distance from the left edge of the map: dense to spiky.", unit="px"),
        Column("map_y", "int", "Distance from the top of the map: electric to organic.", unit="px"),
        Column("map_x_scaled", "double", "map_x scaled from the leftmost (0) to the rightmost genre (1).", unit="0..1"),
        Column("map_y_scaled", "double", "map_y scaled from the topmost (0) to the lowest genre (1).", unit="0..1"),
        Column("colour", "string", "Colour as #rrggbb; encodes three further audio dimensions."),
        Column("weight", "double", "Font size on the map: popularity of the genre.", unit="%"),
        Column("example_artist", "string", "Artist of the example track."),
        Column("example_track", "string", "Title of the example track."),
        Column("example_track_id", "string", "Spotify id of the example track."),
        Column("preview_url", "string", "URL of the example's preview when scraped; may have expired."),
        Column("playlist_id", "string", "Spotify id of 'The Sound of …', from the list or the genre's page."),
        Column("source", "string", "URL or file of the map page.", nullable=False),
        Column("scraped_at", "timestamp", "When the row was written.", volatile=True),
    ),
)

EVERYNOISE_ARTISTS = Table(
    name="everynoise_artists",
    comment="Artists on each genre's own map.",
    written_by=("scrape_genres",),
    key=("genre_id", "snapshot", "position"),
    cluster_by=("genre_id",),
    columns=(
        Column("genre_id", "string", "Genre whose page lists the artist."),
        _SNAPSHOT,
        Column("position", "int", "Number of the item on the page."),
        Column("name", "string", "Name on the page.", nullable=False),
        Column("spotify_artist_id", "string", "Spotify id of the artist."),
        Column("weight", "double", "Font size: how typical the artist is of the genre.", unit="%"),
        Column("map_x", "int", "Distance from the left edge of the genre's map.", unit="px"),
        Column("map_y", "int", "Distance from the top of the genre's map.", unit="px"),
        Column("colour", "string", "Colour as #rrggbb."),
        Column("example_track", "string", "Title of the example track."),
        Column("example_track_id", "string", "Spotify id of the example track."),
        Column("preview_url", "string", "URL of the example's preview when scraped."),
        Column("scraped_at", "timestamp", "When the row was written.", volatile=True),
    ),
)

EVERYNOISE_NEIGHBOURS = Table(
    name="everynoise_neighbours",
    comment="Genres in the two boxes of a genre's page: nearby and opposite genres.",
    written_by=("scrape_genres",),
    key=("genre_id", "snapshot", "box", "neighbour_id"),
    cluster_by=("genre_id",),
    columns=(
        Column("genre_id", "string", "Genre of the page."),
        _SNAPSHOT,
        Column("box", "string", "nearby or opposite."),
        Column("neighbour_id", "string", "Slug of the genre in the box."),
        Column("neighbour", "string", "Name of the genre in the box.", nullable=False),
        Column("position", "int", "Number of the item in the box.", nullable=False),
        Column("weight", "double", "Font size in the box.", unit="%"),
        Column("box_x", "int", "Distance from the left edge of the box.", unit="px"),
        Column("box_y", "int", "Distance from the top of the box.", unit="px"),
        Column("colour", "string", "Colour as #rrggbb."),
        Column("scraped_at", "timestamp", "When the row was written.", volatile=True),
    ),
)

EVERYNOISE_PLAYLISTS = Table(
    name="everynoise_playlists",
    comment="Spotify playlists linked from a genre's page or from the list of all genres.",
    written_by=("scrape_genres",),
    key=("genre_id", "snapshot", "role", "playlist_id"),
    cluster_by=("genre_id",),
    columns=(
        Column("genre_id", "string", "Genre of the page."),
        _SNAPSHOT,
        Column("role", "string", "sound ('The Sound of …'), intro, pulse, edge, year, or other."),
        Column("playlist_id", "string", "Spotify id of the playlist."),
        Column("year", "int", "Year of a playlist with role year."),
        Column("owner", "string", "Spotify user named in the link (links from before 2018)."),
        Column("scraped_at", "timestamp", "When the row was written.", volatile=True),
    ),
)

EVERY_NOISE_TABLES = (GENRES, EVERYNOISE_ARTISTS, EVERYNOISE_NEIGHBOURS, EVERYNOISE_PLAYLISTS)
