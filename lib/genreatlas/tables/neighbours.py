"""Tables of similar songs: the vector spaces, the songs in them, and the nearest neighbours of each song."""

from genreatlas.tables.schema import Column, Table

_SPACE = Column("space_id", "string", "Space, as in `neighbour_spaces`.")

NEIGHBOUR_SPACES = Table(
    name="neighbour_spaces",
    comment="One row per vector space in which songs are compared: features, scaling, correction of hubs, and quality "
    "of the neighbour lists. The current space has the highest sequence.",
    written_by=("find_neighbours",),
    key=("space_id",),
    family="modelling",
    columns=(
        Column("space_id", "string", "Hash of features, preprocessing, scales and correction."),
        Column("sequence", "int", "Grows by one with every space.", nullable=False),
        Column("feature_set", "string", "Feature set; joined ones as groove+summary9.", nullable=False),
        Column("set_version", "string", "Version of the feature set.", nullable=False),
        Column("preprocessing_id", "string", "Preprocessing of its clips, as in the feature table.", nullable=False),
        Column("features", "array<string>", "Dimensions of the vectors, in order.", nullable=False),
        Column("centre", "array<double>", "Median of each feature when the space was fitted.", nullable=False),
        Column("spread", "array<double>", "Robust standard deviation of each feature at that time.", nullable=False),
        Column("clip", "string", "[clip] as JSON, to preprocess other files in the same way; NULL: unknown."),
        Column("correction", "string", "Correction of hubs: local_scaling or none.", nullable=False),
        Column(
            "scale_weight", "double", "Weight of both songs' local scales, which are subtracted from their squared "
            "distance: the smallest that leaves no hubs; 0: no correction.", unit="0..1", nullable=False,
        ),
        Column("mean", "array<double>", "Mean vector of the songs of the fit.", nullable=False),
        Column("variance", "double", "Mean squared distance of these songs from the mean vector.", nullable=False),
        Column("settings", "string", "[neighbours] of the last run as JSON with sorted keys.", nullable=False),
        Column("n_fitted", "bigint", "Number of songs that the space was fitted on.", nullable=False),
        Column("n_songs", "bigint", "Number of songs with neighbours in the space.", nullable=False),
        Column("n_left_out", "bigint", "Number of songs left out because all their features are missing."),
        Column("recall10", "double", "Recall at 10 of the approximate index, on a sample; 1: exact search."),
        Column("skew10_before", "double", "Skewness of the 10-occurrence of songs, before correction."),
        Column("skew10", "double", "Skewness of the 10-occurrence of songs, after correction."),
        Column("antihubs_before", "double", "Share of songs in no list of 10 nearest, before correction.", unit="0..1"),
        Column("antihubs", "double", "Share of songs in no list of 10 nearest, after correction.", unit="0..1"),
        Column("reachable_before", "double", "Share of songs reachable over lists of 10 nearest, before correction."),
        Column("reachable", "double", "Share of songs reachable over these lists, after correction.", unit="0..1"),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
        Column("made_at", "timestamp", "When the row was last written.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)  # fmt: skip

NEIGHBOUR_SONGS = Table(
    name="neighbour_songs",
    comment="Songs of each space: vectors, and keys of recording, artist and album. Songs with equal keys have the "
    "same recording, artist or album; NULL equals nothing.",
    written_by=("find_neighbours",),
    key=("space_id", "song_id"),
    cluster_by=("space_id", "song_id"),
    family="modelling",
    columns=(
        _SPACE,
        Column("song_id", "string", "Song."),
        Column("vector", "array<float>", "Mean over the song's clips of (value - centre) / spread.", nullable=False),
        Column("fingerprint", "string", "Hash of the vector, to detect changes.", nullable=False),
        Column("fitted", "boolean", "Whether local scales are measured on this song.", nullable=False),
        Column(
            "expected", "double", "Root mean square distance per feature from the song to all songs of the fit.",
            nullable=False,
        ),
        Column(
            "local_scale", "double", "Mean squared distance per feature to the 20 nearest songs of the fit (with n < "
            "400 songs: to the sqrt(n) nearest); NULL: no correction."
        ),
        Column("recording", "string", "Lowest song_id of the copies of its recording: same ISRC, sound, fingerprint."),
        Column("artist", "string", "Performer; NULL: unknown."),
        Column("album", "string", "Album, by name and artist; NULL: unknown."),
    ),
)  # fmt: skip

SONG_NEIGHBOURS = Table(
    name="song_neighbours",
    comment="Nearest songs of each song, including copies of its recording and songs of its album and artist; "
    "the view `similar_songs` marks these. Filter by one space_id: the current space has the highest sequence in "
    "`neighbour_spaces`.",
    written_by=("find_neighbours",),
    key=("space_id", "song_id", "rank"),
    cluster_by=("space_id", "song_id"),
    family="modelling",
    columns=(
        _SPACE,
        Column("song_id", "string", "Song."),
        Column("rank", "int", "Rank after correction, 1 is the nearest."),
        Column("neighbour_song_id", "string", "The neighbour.", nullable=False),
        Column(
            "distance", "double", "Root mean square difference of the scaled features, before correction.",
            nullable=False,
        ),
        Column(
            "corrected", "double", "Sort key of the list: squared distance minus scale_weight times both songs' "
            "local scales. May be negative.", nullable=False,
        ),
        Column(
            "similarity", "double", "exp(-distance^2 / (s t)), where s and t are `expected` of the two songs: 1 for "
            "equal features, 0.37 at the expected distance.",
            unit="0..1", nullable=False,
        ),
        Column("method", "string", "Search method: exact or approximate.", nullable=False),
    ),
)  # fmt: skip

NEIGHBOUR_TABLES = (NEIGHBOUR_SPACES, NEIGHBOUR_SONGS, SONG_NEIGHBOURS)
