"""Tables of playlists that are made here: recipes, what was made of them, and what was published."""

from genreatlas.tables.schema import Column, Table

PLAYLIST_RECIPES = Table(
    name="playlist_recipes",
    comment="Recipes of playlists, from which they can be made again. sequence orders the recipes of one name.",
    written_by=("make_playlist",),
    key=("recipe_id",),
    family="modelling",
    columns=(
        Column("recipe_id", "string", "Hash of the recipe, and of what songs are compared by."),
        Column("name", "string", "Name of the playlist.", nullable=False),
        Column("sequence", "int", "Grows by one with every different recipe of the name.", nullable=False),
        Column("kind", "string", "around, path, blend, explore or predicted.", nullable=False),
        Column("recipe", "string", "The entry of [[playlist.recipes]] as JSON with sorted keys.", nullable=False),
        Column("feature_set", "string", "What songs are compared by; joined sets as groove+summary9.", nullable=False),
        Column("exclude", "array<string>", "Features that songs are not compared by.", nullable=False),
        Column("created_at", "timestamp", "When it was first made.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

GENERATED_PLAYLISTS = Table(
    name="generated_playlists",
    comment="One row per playlist that was made. The highest sequence of a name is the present one.",
    written_by=("make_playlist",),
    key=("playlist_id",),
    family="modelling",
    columns=(
        Column("playlist_id", "string", "Hash of the recipe, the songs in order, and the playlist before it."),
        Column("recipe_id", "string", "Recipe, as in `playlist_recipes`.", nullable=False),
        Column("name", "string", "Name of the playlist.", nullable=False),
        Column("sequence", "int", "Grows by one with every different playlist of the name.", nullable=False),
        Column("previous_id", "string", "The playlist of the name before this one; NULL for the first."),
        Column("n_songs", "int", "Songs on it.", nullable=False),
        Column("seconds", "double", "Playing time of the songs whose length is known.", unit="s"),
        Column("largest_step", "double", "Largest step from a song to the next; NULL: one song."),
        Column("notes", "array<string>", "What is to be said of it, such as why there are fewer songs than asked for."),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
        Column("made_at", "timestamp", "When.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

GENERATED_PLAYLIST_SONGS = Table(
    name="generated_playlist_songs",
    comment="Songs of the playlists that were made, in order, each with the reason why it is there.",
    written_by=("make_playlist",),
    key=("playlist_id", "position"),
    cluster_by=("playlist_id",),
    family="modelling",
    columns=(
        Column("playlist_id", "string", "Playlist, as in `generated_playlists`."),
        Column("position", "int", "Place on it, from 1."),
        Column("song_id", "string", "Song; the URI of a scored file that is not in the store.", nullable=False),
        Column("role", "string", "seed (the recipe names it) or song.", nullable=False),
        Column("reason", "string", "Why it is there, in words.", nullable=False),
        Column("distance", "double", "From what the recipe asks for; predicted: 1 - score; NULL on a path.",
               unit="standard deviations"),
        Column("step", "double", "Step from the song before: sound, tempo, key and loudness; NULL for the first."),
        Column("tempo", "double", "Tempo that it was ordered by; NULL: not known.", unit="bpm"),
        Column("camelot", "string", "Key as disc jockeys write it: 8B is C major, 8A A minor; NULL: not known."),
        Column("loudness", "double", "Loudness that it was ordered by; NULL: not known.", unit="LUFS or dB"),
        Column("energy", "double", "Share of the store's songs with less energy; NULL: not known.", unit="0..1"),
        Column("seconds", "double", "Length of the song; NULL: not known.", unit="s"),
    ),
)  # fmt: skip

PUBLISHED_PLAYLISTS = Table(
    name="published_playlists",
    comment="Playlists that were created elsewhere. A playlist of the name is created once, and then updated.",
    written_by=("make_playlist",),
    key=("service", "account", "name"),
    family="operations",
    columns=(
        Column("service", "string", "spotify."),
        Column("account", "string", "Hash of API and user."),
        Column("name", "string", "Name of the playlist."),
        Column("external_id", "string", "The service's id of it.", nullable=False),
        Column("playlist_id", "string", "The playlist whose songs it has; NULL while they are being sent."),
        Column("n_songs", "int", "Songs that were sent.", nullable=False),
        Column("n_left_out", "int", "Songs that the service does not know.", nullable=False),
        Column("published_at", "timestamp", "When.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

PLAYLIST_TABLES = (PLAYLIST_RECIPES, GENERATED_PLAYLISTS, GENERATED_PLAYLIST_SONGS, PUBLISHED_PLAYLISTS)
