"""Tables of the genre map: profiles, positions, neighbours, regions and possible parents of genres."""

from genreatlas.tables.schema import Column, Table

_PROFILES = Column("profile_id", "string", "Set of profiles, as in `maps`.")
_MAP = Column("map_id", "string", "Map, as in `maps`.")
_GENRE = Column("genre_id", "string", "Genre.")

MAPS = Table(
    name="maps",
    comment="One row per map: lens, inputs and quality. sequence orders the maps of a lens.",
    written_by=("map_genres",),
    key=("map_id",),
    family="modelling",
    columns=(
        Column("map_id", "string", "Hash of lens, profiles, coordinates and the initial map."),
        Column("profile_id", "string", "Hash of the profiles behind the map and of [map].", nullable=False),
        Column("lens", "string", "sound, labelled (the axes of Every Noise), confusion or artists.", nullable=False),
        Column("sequence", "int", "Number of the map of this lens; the current map has the highest."),
        Column("feature_set", "string", "Feature set of the profiles; joined sets as groove+summary9.", nullable=False),
        Column("set_version", "string", "Version of the feature set.", nullable=False),
        Column("features", "array<string>", "Dimensions of the profiles, in order.", nullable=False),
        Column(
            "method", "string", "tsne, umap, pacmap, principal components (few genres) or regression.", nullable=False
        ),
        Column("started_from", "string", "Map used to initialise positions; NULL for the first."),
        Column("settings", "string", "[map] as JSON with sorted keys.", nullable=False),
        Column("n_genres", "int", "Number of genres on the map.", nullable=False),
        Column("n_left_out", "int", "Number of genres not on the map: fewer than map.min_songs songs; confusion: fewer "
               "than two held-out songs; artists: no shared artist."),
        Column("n_songs", "bigint", "Number of recordings behind the map; confusion: held-out songs."),
        Column("trustworthiness", "double", "Trustworthiness of the map (k = 15); NULL: too few genres."),
        Column("continuity", "double", "Continuity of the map (k = 15); NULL: too few genres."),
        Column("moved", "double", "Root mean square displacement of genres from the initial map.", unit="map radius"),
        Column("axes_r2_x", "double", "labelled: R2 of ranks of x on held-out genres, in five folds."),
        Column("axes_r2_y", "double", "labelled: R2 of ranks of y on held-out genres, in five folds."),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
        Column("made_at", "timestamp", "When the map was written.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        Column("model_id", "string", "confusion: model whose probabilities for held-out songs were used."),
        Column("checked_by", "string", "Hash of configuration and code of the last check that the map is up to date; "
               "with equal hash and table versions a run reads no data.", volatile=True),
        Column("checked_versions", "map<string,bigint>", "Table versions of that check; -1: the table did not exist.",
               volatile=True),
    ),
)  # fmt: skip

MAP_COMPARISONS = Table(
    name="map_comparisons",
    comment="Agreement of the positions of genres on two maps. Columns with chance are the maximum over 19 random "
    "permutations of genres; an agreement below it is not significant.",
    written_by=("map_genres",),
    key=("map_id", "other_map_id"),
    family="modelling",
    columns=(
        _MAP,
        Column("other_map_id", "string", "Second map, as in `maps`."),
        Column("n_genres", "int", "Number of genres on both maps.", nullable=False),
        Column("mantel", "double", "Spearman correlation of distances between all pairs of genres.", unit="-1..1"),
        Column("mantel_chance", "double", "Maximum of mantel over permutations.", unit="-1..1"),
        Column(
            "procrustes_r2", "double", "Share of the variance of one map explained by the other after Procrustes "
            "alignment (rotation, reflection, scale, translation).", unit="0..1"
        ),
        Column("procrustes_chance", "double", "Maximum of procrustes_r2 over permutations.", unit="0..1"),
    ),
)  # fmt: skip

GENRE_PROFILES = Table(
    name="genre_profiles",
    comment="Profile of each genre: robust mean and spread of its songs' feature vectors. The dimensions are listed in "
    "maps.features.",
    written_by=("map_genres",),
    key=("profile_id", "genre_id"),
    cluster_by=("profile_id",),
    family="modelling",
    columns=(
        _PROFILES,
        _GENRE,
        Column("genre", "string", "Name of the genre.", nullable=False),
        Column("placed", "boolean", "Whether it is on the map; false: fewer than map.min_songs songs.", nullable=False),
        Column("n_songs", "bigint", "Number of recordings; copies count once.", nullable=False),
        Column("n_artists", "bigint", "Number of known artists.", nullable=False),
        Column(
            "effective_songs", "double", "Effective number of songs (Kish's formula): songs with several genres and "
            "artists with many songs have lower weights."
        ),
        Column("own", "double", "Weight of the genre's own mean after shrinkage towards the nearest larger genres."),
        Column("mean", "array<double>", "Mean of each dimension after shrinkage; NULL if not placed."),
        Column("spread", "array<double>", "Robust standard deviation of its songs; elements are NULL for one song."),
        Column("region", "int", "Coarse region, as in `genre_regions`; NULL if not placed."),
        Column("subregion", "int", "Fine region, as in `genre_regions`; NULL if not placed."),
        Column("n_dated", "bigint", "Number of recordings with a year; NULL if no song of the store has one."),
        Column(
            "born", "double", "10 % quantile of the years of its recordings, each with the earliest year among its "
            "copies. Years of reissues make it too late rather than too early. NULL: fewer than map.min_dated.",
            unit="year"
        ),
        Column("born_low", "double", "Lower end of the 95 % interval of born; NULL: too few artists.", unit="year"),
        Column("born_high", "double", "Upper end of the interval.", unit="year"),
    ),
)  # fmt: skip

GENRE_POSITIONS = Table(
    name="genre_positions",
    comment="Position of each genre on a map.",
    written_by=("map_genres",),
    key=("map_id", "genre_id"),
    cluster_by=("map_id",),
    family="modelling",
    columns=(
        _MAP,
        _GENRE,
        Column("genre", "string", "Name of the genre.", nullable=False),
        Column(
            "x", "double", "x coordinate, without meaning of its own; labelled: dense to spiky, as a rank.",
            unit="map radius, or 0..1", nullable=False,
        ),
        Column(
            "y", "double", "y coordinate, without meaning of its own; labelled: electric to organic, as a rank.",
            unit="map radius, or 0..1", nullable=False,
        ),
        Column(
            "instability", "double", "Deviation of the position on maps drawn from half of the songs; NULL: not "
            "measured.", unit="map radius"
        ),
        Column("known", "boolean", "labelled: true for the position on Every Noise, false for a prediction."),
    ),
)  # fmt: skip

GENRE_NEIGHBOURS = Table(
    name="genre_neighbours",
    comment="Nearest genres of each genre in all dimensions of the profiles. Distances on the map are distorted.",
    written_by=("map_genres",),
    key=("profile_id", "genre_id", "rank"),
    cluster_by=("profile_id", "genre_id"),
    family="modelling",
    columns=(
        _PROFILES,
        _GENRE,
        Column("rank", "int", "Rank by distance, 1 is the nearest."),
        Column("neighbour_id", "string", "The neighbour.", nullable=False),
        Column("neighbour", "string", "Name of the neighbour.", nullable=False),
        Column("distance", "double", "Root mean square difference, in standard deviations of genres.", nullable=False),
        Column("similarity", "double", "1 for equal profiles, decreases with distance.", unit="0..1", nullable=False),
    ),
)

GENRE_REGIONS = Table(
    name="genre_regions",
    comment="Regions of similar genres at two resolutions, named after words in the names of their genres.",
    written_by=("map_genres",),
    key=("profile_id", "resolution", "region"),
    family="modelling",
    columns=(
        _PROFILES,
        Column("resolution", "string", "coarse or fine."),
        Column("region", "int", "Number of the region from 0, the largest first."),
        Column("inside", "int", "fine: the coarse region that contains it."),
        Column("name", "string", "Name of the region.", nullable=False),
        Column("words", "array<string>", "Words that are more frequent in names of its genres than in other names."),
        Column("largest", "array<string>", "Genres of the region with the most songs.", nullable=False),
        Column("n_genres", "int", "Number of genres in the region.", nullable=False),
    ),
)

GENRE_TREE = Table(
    name="genre_tree",
    comment="Possible parents of each genre with probability and evidence, the most probable first. Rows with drawn "
    "form the tree. A genre without such a row has no parent of sufficient probability.",
    written_by=("map_genres",),
    key=("profile_id", "genre_id", "rank"),
    cluster_by=("profile_id", "genre_id"),
    family="modelling",
    columns=(
        _PROFILES,
        _GENRE,
        Column("rank", "int", "Rank by probability, 1 is the most probable parent."),
        Column("genre", "string", "Name of the genre.", nullable=False),
        Column("parent_id", "string", "Possible parent.", nullable=False),
        Column("parent", "string", "Name of the possible parent.", nullable=False),
        Column("probability", "double", "Probability by sound, size, artists and name.", unit="0..1", nullable=False),
        Column("by_sound", "double", "Out-of-fold probability without the name.", unit="0..1"),
        Column("name_head", "boolean", "Whether the genre's name ends or begins with the parent's.", nullable=False),
        Column("known", "boolean", "Whether the edge is in genre_parents.", nullable=False),
        Column("drawn", "boolean", "Whether the edge is in the tree; at most one per genre.", nullable=False),
        Column("distance", "double", "Distance of the profiles, as in genre_neighbours.", nullable=False),
        Column("size_difference", "double", "Logarithm of the ratio of effective songs, parent to genre."),
        Column("artist_containment", "double", "Share of the genre's artists that the parent also has.", unit="0..1"),
        Column("influence", "boolean", "Whether the edge is in the table map.influences; NULL in older rows."),
        Column("years_older", "double", "Years by which the parent's `born` is earlier; NULL if unknown."),
    ),
)

GENRE_EVOLUTION = Table(
    name="genre_evolution",
    comment="Change of the sound of each genre from decade to decade, on the current map of the lens sound and in all "
    "dimensions. Decades with fewer than map.min_songs dated recordings have no row.",
    written_by=("map_genres",),
    key=("map_id", "genre_id", "decade"),
    cluster_by=("map_id",),
    family="modelling",
    columns=(
        _MAP,
        _GENRE,
        Column("decade", "int", "First year of the decade.", unit="year"),
        Column("genre", "string", "Name of the genre.", nullable=False),
        Column("n_songs", "bigint", "Number of recordings, by the earliest year among copies.", nullable=False),
        Column("x", "double", "Position, interpolated from neighbouring genres.", unit="map radius", nullable=False),
        Column("y", "double", "Position, interpolated from neighbouring genres.", unit="map radius", nullable=False),
        Column(
            "distance", "double", "Root mean square difference to the previous decade with a row, in standard "
            "deviations of genres; NULL for the first."
        ),
        Column(
            "distance_by_chance", "double", "Expected distance without any change, due to the small number of artists. "
            "A distance that is not clearly larger is not significant. NULL: no decade has two artists."
        ),
    ),
)  # fmt: skip

GENRE_TYPICAL_SONGS = Table(
    name="genre_typical_songs",
    comment="Typical songs of each genre: nearest to its profile, first one song of each artist; no duplicates.",
    written_by=("map_genres",),
    key=("profile_id", "genre_id", "rank"),
    cluster_by=("profile_id", "genre_id"),
    family="modelling",
    columns=(
        _PROFILES,
        _GENRE,
        Column(
            "rank", "int", "1 is the most typical. Further songs of an artist follow the first songs of all artists."
        ),
        Column("song_id", "string", "Song.", nullable=False),
        Column("distance", "double", "Distance from the genre's mean, as in genre_neighbours.", nullable=False),
    ),
)

ATLAS_TABLES = (
    MAPS,
    MAP_COMPARISONS,
    GENRE_PROFILES,
    GENRE_POSITIONS,
    GENRE_NEIGHBOURS,
    GENRE_REGIONS,
    GENRE_TREE,
    GENRE_EVOLUTION,
    GENRE_TYPICAL_SONGS,
)
