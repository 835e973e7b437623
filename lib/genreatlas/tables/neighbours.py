"""Tables of similar songs: the spaces in which they are compared, the songs in them, and the nearest of each."""

from genreatlas.tables.schema import Column, Table

_SPACE = Column("space_id", "string", "Space, as in `neighbour_spaces`.")

NEIGHBOUR_SPACES = Table(
    name="neighbour_spaces",
    comment="One row per space in which songs are compared: how their vectors are made and corrected, and what was "
    "measured on the lists. sequence orders them; the highest is the present one.",
    written_by=("find_neighbours",),
    key=("space_id",),
    family="modelling",
    columns=(
        Column("space_id", "string", "Hash of features, preprocessing, scales and correction."),
        Column("sequence", "int", "Grows by one with every space.", nullable=False),
        Column("feature_set", "string", "Feature set; joined ones as groove+summary9.", nullable=False),
        Column("set_version", "string", "Its version.", nullable=False),
        Column("preprocessing_id", "string", "How its clips were made, as in the feature table.", nullable=False),
        Column("features", "array<string>", "Dimensions of the vectors, in order.", nullable=False),
        Column("centre", "array<double>", "Median of each feature when the space was fitted.", nullable=False),
        Column("spread", "array<double>", "Robust standard deviation of each feature then.", nullable=False),
        Column("clip", "string", "[clip] as JSON, by which features of a file are made alike; NULL: not known here."),
        Column("correction", "string", "Correction of hubs: local_scaling or none.", nullable=False),
        Column(
            "scale_weight", "double", "Share of both songs' local scales that is taken off their squared distance: the "
            "least that leaves no hubs; 0: nothing is corrected.", unit="0..1", nullable=False,
        ),
        Column("mean", "array<double>", "Mean vector of the songs that the space was fitted on.", nullable=False),
        Column("variance", "double", "Mean squared distance of their vectors from it.", nullable=False),
        Column("settings", "string", "[neighbours] of the last run as JSON with sorted keys.", nullable=False),
        Column("n_fitted", "bigint", "Songs that the space was fitted on.", nullable=False),
        Column("n_songs", "bigint", "Songs that have neighbours in it.", nullable=False),
        Column("n_left_out", "bigint", "Songs with features of which no number is known."),
        Column("recall10", "double", "Share of the exact 10 nearest that an index found, on a sample; 1: exact."),
        Column("skew10_before", "double", "Skewness of how often a song is among others' 10 nearest, uncorrected."),
        Column("skew10", "double", "The same after correction."),
        Column("antihubs_before", "double", "Share of songs among nobody's 10 nearest, uncorrected.", unit="0..1"),
        Column("antihubs", "double", "The same after correction.", unit="0..1"),
        Column("reachable_before", "double", "Share of songs reached from another over 10 nearest, uncorrected."),
        Column("reachable", "double", "The same after correction.", unit="0..1"),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
        Column("made_at", "timestamp", "When the row was last written.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)  # fmt: skip

NEIGHBOUR_SONGS = Table(
    name="neighbour_songs",
    comment="Songs of each space: their vectors, and by what neighbours are told to be copies, of one artist or of "
    "one album. Equal keys mean the same; NULL is never the same.",
    written_by=("find_neighbours",),
    key=("space_id", "song_id"),
    cluster_by=("space_id", "song_id"),
    family="modelling",
    columns=(
        _SPACE,
        Column("song_id", "string", "Song."),
        Column("vector", "array<float>", "Its clips' mean, in spreads from the centre of the space.", nullable=False),
        Column("fingerprint", "string", "Hash of the vector, by which a change is noticed.", nullable=False),
        Column("fitted", "boolean", "Whether it is one that local scales are measured by.", nullable=False),
        Column(
            "expected", "double", "Root mean square distance from it to all songs that the space was fitted on, a "
            "feature.", nullable=False,
        ),
        Column(
            "local_scale", "double", "Mean squared distance, a feature, to the 20 nearest of those songs (of fewer "
            "than 400, to their root); NULL: no correction."
        ),
        Column("recording", "string", "First song_id of the copies of its recording: one ISRC, sound or fingerprint."),
        Column("artist", "string", "Its performer; NULL: not known."),
        Column("album", "string", "Its album, by name and artist; NULL: not known."),
    ),
)  # fmt: skip

SONG_NEIGHBOURS = Table(
    name="song_neighbours",
    comment="Nearest songs of each song. Copies of its recording, its album and its artist are among them: "
    "`similar_songs` says which are. Take one space_id: the present one has the highest sequence in "
    "`neighbour_spaces`.",
    written_by=("find_neighbours",),
    key=("space_id", "song_id", "rank"),
    cluster_by=("space_id", "song_id"),
    family="modelling",
    columns=(
        _SPACE,
        Column("song_id", "string", "Song."),
        Column("rank", "int", "1 is the nearest after correction."),
        Column("neighbour_song_id", "string", "The other song.", nullable=False),
        Column(
            "distance", "double", "Root mean square difference of the features, in their spreads, before correction.",
            nullable=False,
        ),
        Column(
            "corrected", "double", "What orders the list: the squared distance less scale_weight times both songs' "
            "local scales, which may be below 0.", nullable=False,
        ),
        Column(
            "similarity", "double", "exp(-distance^2 / (s t)), s and t being what is expected of the two songs: 1 for "
            "equal features, 0.37 for two songs at a usual distance.",
            unit="0..1", nullable=False,
        ),
        Column("method", "string", "exact or approximate: how the list was found.", nullable=False),
    ),
)  # fmt: skip

NEIGHBOUR_TABLES = (NEIGHBOUR_SPACES, NEIGHBOUR_SONGS, SONG_NEIGHBOURS)
