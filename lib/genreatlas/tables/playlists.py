"""Tables of generated playlists: recipes, playlists with their songs, and published playlists."""

from genreatlas.tables.schema import Column, Table

PLAYLIST_RECIPES = Table(
    name="playlist_recipes",
    comment="Recipes from which playlists can be generated again. sequence orders the recipes of one name.",
    written_by=("make_playlist",),
    key=("recipe_id",),
    family="modelling",
    columns=(
        Column("recipe_id", "string", "Hash of the recipe and of the features that songs are compared by."),
        Column("name", "string", "Name of the playlist.", nullable=False),
        Column("sequence", "int", "Grows by one with every different recipe of the name.", nullable=False),
        Column("kind", "string", "around, path, blend, explore or predicted.", nullable=False),
        Column("recipe", "string", "The entry of [[playlist.recipes]] as JSON with sorted keys.", nullable=False),
        Column("feature_set", "string", "Features to compare songs; joined sets as groove+summary9.", nullable=False),
        Column("exclude", "array<string>", "Features of the set that are not used.", nullable=False),
        Column("created_at", "timestamp", "When the recipe was first used.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

GENERATED_PLAYLISTS = Table(
    name="generated_playlists",
    comment="One row per generated playlist. The current playlist of a name has the highest sequence.",
    written_by=("make_playlist",),
    key=("playlist_id",),
    family="modelling",
    columns=(
        Column("playlist_id", "string", "Hash of the recipe, the songs in order, and the previous playlist."),
        Column("recipe_id", "string", "Recipe, as in `playlist_recipes`.", nullable=False),
        Column("name", "string", "Name of the playlist.", nullable=False),
        Column("sequence", "int", "Grows by one with every different playlist of the name.", nullable=False),
        Column("previous_id", "string", "Previous playlist of the name; NULL for the first."),
        Column("n_songs", "int", "Number of songs.", nullable=False),
        Column("seconds", "double", "Total length of the songs whose length is known.", unit="s"),
        Column("largest_step", "double", "Largest step between neighbouring songs; NULL: one song."),
        Column("notes", "array<string>", "Remarks, such as why there are fewer songs than requested."),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
        Column("made_at", "timestamp", "When the playlist was generated.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

GENERATED_PLAYLIST_SONGS = Table(
    name="generated_playlist_songs",
    comment="Songs of the generated playlists in order, each with the reason for its selection.",
    written_by=("make_playlist",),
    key=("playlist_id", "position"),
    cluster_by=("playlist_id",),
    family="modelling",
    columns=(
        Column("playlist_id", "string", "Playlist, as in `generated_playlists`."),
        Column("position", "int", "Position in the playlist, from 1."),
        Column("song_id", "string", "Song, or the URI of a scored file that is not in the store.", nullable=False),
        Column("role", "string", "seed (the recipe names it) or song.", nullable=False),
        Column("reason", "string", "Reason for the selection, in words.", nullable=False),
        Column("distance", "double", "Distance from the recipe's target; predicted: 1 - score; path: NULL.",
               unit="standard deviations"),
        Column("step", "double", "Distance to the previous song by sound, tempo, key and loudness; NULL: first."),
        Column("tempo", "double", "Tempo used for the order; NULL: unknown.", unit="bpm"),
        Column("camelot", "string", "Key in Camelot notation: 8B is C major, 8A A minor; NULL: unknown."),
        Column("loudness", "double", "Loudness used for the order; NULL: unknown.", unit="LUFS or dB"),
        Column("energy", "double", "Share of the store's songs with less energy; NULL: unknown.", unit="0..1"),
        Column("seconds", "double", "Length of the song; NULL: unknown.", unit="s"),
    ),
)  # fmt: skip

PUBLISHED_PLAYLISTS = Table(
    name="published_playlists",
    comment="Playlists that were published to a service. A playlist of a name is created once and then updated.",
    written_by=("make_playlist",),
    key=("service", "account", "name"),
    family="operations",
    columns=(
        Column("service", "string", "Name of the service: spotify."),
        Column("account", "string", "Hash of API and user."),
        Column("name", "string", "Name of the playlist."),
        Column("external_id", "string", "Id of the playlist at the service.", nullable=False),
        Column("playlist_id", "string", "Playlist whose songs were published; NULL while songs are being sent."),
        Column("n_songs", "int", "Number of songs sent.", nullable=False),
        Column("n_left_out", "int", "Number of songs that the service does not have.", nullable=False),
        Column("published_at", "timestamp", "When the playlist was published.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

PLAYLIST_TABLES = (PLAYLIST_RECIPES, GENERATED_PLAYLISTS, GENERATED_PLAYLIST_SONGS, PUBLISHED_PLAYLISTS)
