"""Tables of the genre map: profiles, places, neighbours, regions, and possible parents."""

from genreatlas.tables.schema import Column, Table

_PROFILES = Column("profile_id", "string", "Profiles of one run, as in `maps`.")
_MAP = Column("map_id", "string", "Map, as in `maps`.")
_GENRE = Column("genre_id", "string", "Genre.")

MAPS = Table(
    name="maps",
    comment="One row per map: its lens, what it was drawn from, and how far it can be trusted. sequence orders them.",
    written_by=("map_genres",),
    key=("map_id",),
    family="modelling",
    columns=(
        Column("map_id", "string", "Hash of lens, profiles, coordinates, and the map that it started from."),
        Column("profile_id", "string", "Hash of the profiles that it was drawn from, and of [map].", nullable=False),
        Column("lens", "string", "sound, labelled (the axes of Every Noise), confusion or artists.", nullable=False),
        Column("sequence", "int", "Grows by one with every map of the lens; the highest is the present one."),
        Column("feature_set", "string", "Feature set of the profiles; joined ones as groove+summary9.", nullable=False),
        Column("set_version", "string", "Its version.", nullable=False),
        Column("features", "array<string>", "Dimensions of the profiles, in order.", nullable=False),
        Column(
            "method", "string", "tsne, umap, pacmap, principal components (few genres) or regression.", nullable=False
        ),
        Column("started_from", "string", "Map whose places this one started from; NULL for the first."),
        Column("settings", "string", "[map] as JSON with sorted keys.", nullable=False),
        Column("n_genres", "int", "Genres on the map.", nullable=False),
        Column("n_left_out", "int", "Genres that are not: those with fewer than map.min_songs songs, and on the lenses "
               "confusion and artists those with fewer than two held-out songs, or without a shared artist."),
        Column("n_songs", "bigint", "Recordings behind it; confusion: held-out songs."),
        Column("trustworthiness", "double", "Whether neighbours on the map are neighbours (k = 15); NULL: too few."),
        Column("continuity", "double", "Whether neighbours stay neighbours on the map (k = 15)."),
        Column("moved", "double", "Root mean square move of genres since the map it started from.", unit="map radius"),
        Column("axes_r2_x", "double", "labelled: R2 of the ranks of x on genres held out in five folds."),
        Column("axes_r2_y", "double", "labelled: R2 of the ranks of y on genres held out in five folds."),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
        Column("made_at", "timestamp", "When.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        Column("model_id", "string", "confusion: the model whose probabilities of held-out songs were compared."),
        Column("checked_by", "string", "Hash of configuration and code with which it was last found to be up to date; "
               "a later run with the same and the same tables reads nothing.", volatile=True),
        Column("checked_versions", "map<string,bigint>", "Versions of the tables it was then found to be up to date "
               "with; -1: there was no such table.", volatile=True),
    ),
)  # fmt: skip

MAP_COMPARISONS = Table(
    name="map_comparisons",
    comment="How far two maps place the same genres alike. The chance columns are what shuffled genres reach at best "
    "in 19 trials; a figure below that means nothing.",
    written_by=("map_genres",),
    key=("map_id", "other_map_id"),
    family="modelling",
    columns=(
        _MAP,
        Column("other_map_id", "string", "The other map, as in `maps`."),
        Column("n_genres", "int", "Genres on both.", nullable=False),
        Column("mantel", "double", "Spearman correlation of the distances between all pairs of genres.", unit="-1..1"),
        Column("mantel_chance", "double", "The same, of genres dealt anew.", unit="-1..1"),
        Column(
            "procrustes_r2", "double", "Share of the variance of one map that the other explains when it is turned, "
            "mirrored, scaled and shifted onto it.", unit="0..1"
        ),
        Column("procrustes_chance", "double", "The same, of genres dealt anew.", unit="0..1"),
    ),
)  # fmt: skip

GENRE_PROFILES = Table(
    name="genre_profiles",
    comment="What each genre sounds like: robust mean and spread of its songs' vectors. The dimensions are "
    "maps.features.",
    written_by=("map_genres",),
    key=("profile_id", "genre_id"),
    cluster_by=("profile_id",),
    family="modelling",
    columns=(
        _PROFILES,
        _GENRE,
        Column("genre", "string", "Its name.", nullable=False),
        Column("placed", "boolean", "Whether it is on the map; false: fewer than map.min_songs songs.", nullable=False),
        Column("n_songs", "bigint", "Recordings; copies count once.", nullable=False),
        Column("n_artists", "bigint", "Artists that are known.", nullable=False),
        Column(
            "effective_songs", "double", "As many equally weighted songs would say as much: songs of several genres "
            "and artists with many songs count less."
        ),
        Column("own", "double", "Share of the mean that is the genre's own; the rest is of nearest larger genres."),
        Column("mean", "array<double>", "Mean of each dimension, after shrinkage; NULL where it is not placed."),
        Column("spread", "array<double>", "Robust standard deviation of its songs; NULL inside: one song."),
        Column("region", "int", "Coarse region, as in `genre_regions`; NULL where it is not placed."),
        Column("subregion", "int", "Fine region, as in `genre_regions`."),
        Column("n_dated", "bigint", "Recordings with a year; NULL where none of the store has one."),
        Column(
            "born", "double", "Year before which a tenth of its recordings lie, each with the earliest year among its "
            "copies. Dates are those of reissues, so this is late rather than early. NULL: fewer than map.min_dated.",
            unit="year"
        ),
        Column("born_low", "double", "Lower end of its 95 % interval; NULL where it has too few artists.", unit="year"),
        Column("born_high", "double", "Upper end.", unit="year"),
    ),
)  # fmt: skip

GENRE_POSITIONS = Table(
    name="genre_positions",
    comment="Where each genre lies on a map.",
    written_by=("map_genres",),
    key=("map_id", "genre_id"),
    cluster_by=("map_id",),
    family="modelling",
    columns=(
        _MAP,
        _GENRE,
        Column("genre", "string", "Its name.", nullable=False),
        Column(
            "x", "double", "Without meaning of its own; labelled: dense to spiky, as a rank.",
            unit="map radius, or 0..1", nullable=False,
        ),
        Column(
            "y", "double", "Without meaning of its own; labelled: electric to organic, as a rank.",
            unit="map radius, or 0..1", nullable=False,
        ),
        Column(
            "instability", "double", "How far the place strays when the map is drawn from half of the songs; NULL: not "
            "measured.", unit="map radius"
        ),
        Column("known", "boolean", "labelled: whether the place is that of Every Noise, not a prediction."),
    ),
)  # fmt: skip

GENRE_NEIGHBOURS = Table(
    name="genre_neighbours",
    comment="Nearest genres of each genre in all dimensions of the profiles, not on the map: two dimensions lie.",
    written_by=("map_genres",),
    key=("profile_id", "genre_id", "rank"),
    cluster_by=("profile_id", "genre_id"),
    family="modelling",
    columns=(
        _PROFILES,
        _GENRE,
        Column("rank", "int", "1 is the nearest."),
        Column("neighbour_id", "string", "The other genre.", nullable=False),
        Column("neighbour", "string", "Its name.", nullable=False),
        Column("distance", "double", "Root mean square difference, in standard deviations of genres.", nullable=False),
        Column("similarity", "double", "1 for equal profiles, falling with distance.", unit="0..1", nullable=False),
    ),
)

GENRE_REGIONS = Table(
    name="genre_regions",
    comment="Regions of neighbouring genres at two resolutions, named by words in their genres' names.",
    written_by=("map_genres",),
    key=("profile_id", "resolution", "region"),
    family="modelling",
    columns=(
        _PROFILES,
        Column("resolution", "string", "coarse or fine."),
        Column("region", "int", "Number, from 0; the largest first."),
        Column("inside", "int", "fine: the coarse region that it lies in."),
        Column("name", "string", "Its name.", nullable=False),
        Column("words", "array<string>", "Words that its genres' names share more often than others'."),
        Column("largest", "array<string>", "Its genres with most songs.", nullable=False),
        Column("n_genres", "int", "Genres in it.", nullable=False),
    ),
)

GENRE_TREE = Table(
    name="genre_tree",
    comment="Possible parents of each genre with their probability and evidence, the most probable first. drawn marks "
    "the tree. A genre without a drawn row has no parent that is probable enough.",
    written_by=("map_genres",),
    key=("profile_id", "genre_id", "rank"),
    cluster_by=("profile_id", "genre_id"),
    family="modelling",
    columns=(
        _PROFILES,
        _GENRE,
        Column("rank", "int", "1 is the most probable parent."),
        Column("genre", "string", "Name of the genre.", nullable=False),
        Column("parent_id", "string", "The possible parent.", nullable=False),
        Column("parent", "string", "Its name.", nullable=False),
        Column("probability", "double", "Of sound, size, artists and name together.", unit="0..1", nullable=False),
        Column("by_sound", "double", "The same without the name, and without what is known.", unit="0..1"),
        Column("name_head", "boolean", "Whether the genre's name ends or begins with the parent's.", nullable=False),
        Column("known", "boolean", "Whether genre_parents says so.", nullable=False),
        Column("drawn", "boolean", "Whether the tree has this edge; one a genre at most.", nullable=False),
        Column("distance", "double", "Between the profiles, as in genre_neighbours.", nullable=False),
        Column("size_difference", "double", "Logarithm of how many times more effective songs the parent has."),
        Column("artist_containment", "double", "Share of the genre's artists that the parent has too.", unit="0..1"),
        Column("influence", "boolean", "Whether the table map.influences says so; NULL before there was one."),
        Column("years_older", "double", "By how much the parent's `born` is earlier; NULL where one is not known."),
    ),
)

GENRE_EVOLUTION = Table(
    name="genre_evolution",
    comment="How the sound of each genre moved from decade to decade, on the present map of the lens sound and in all "
    "dimensions; decades with fewer than map.min_songs dated recordings have no row.",
    written_by=("map_genres",),
    key=("map_id", "genre_id", "decade"),
    cluster_by=("map_id",),
    family="modelling",
    columns=(
        _MAP,
        _GENRE,
        Column("decade", "int", "First year of the decade.", unit="year"),
        Column("genre", "string", "Its name.", nullable=False),
        Column("n_songs", "bigint", "Its recordings, by the earliest year among their copies.", nullable=False),
        Column("x", "double", "Where its sound lay, as the genres around tell.", unit="map radius", nullable=False),
        Column("y", "double", "Where its sound lay, as the genres around tell.", unit="map radius", nullable=False),
        Column(
            "distance", "double", "Root mean square difference to the decade before that has a row, in standard "
            "deviations of genres; NULL for the first."
        ),
        Column(
            "distance_by_chance", "double", "What the distance would be if nothing had changed: both are means of few "
            "artists. A distance that is not clearly above it says nothing. NULL: no decade has two artists."
        ),
    ),
)  # fmt: skip

GENRE_TYPICAL_SONGS = Table(
    name="genre_typical_songs",
    comment="Songs that stand for a genre: the nearest to its profile, one of each artist first, a recording once.",
    written_by=("map_genres",),
    key=("profile_id", "genre_id", "rank"),
    cluster_by=("profile_id", "genre_id"),
    family="modelling",
    columns=(
        _PROFILES,
        _GENRE,
        Column("rank", "int", "1 is the most typical; second songs of an artist come after the first of all."),
        Column("song_id", "string", "The song.", nullable=False),
        Column("distance", "double", "From the genre's mean, as in genre_neighbours.", nullable=False),
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
