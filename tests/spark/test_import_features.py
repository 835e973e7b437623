import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import make_config
from genreatlas.counts import Counts
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.library import read_library
from genreatlas.errors import ConfigError
from genreatlas.explore.samples import sample_features
from genreatlas.ids import stable_id
from genreatlas.sources.credits import artist_id
from genreatlas.sources.feature_tables.importing import song_id
from genreatlas.sql.registering import register_views
from genreatlas.steps import assign_splits, import_features
from genreatlas.tables import (
    ARTISTS,
    FEATURE_SETS,
    GENRE_PARENTS,
    QUARANTINE,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
)

LINES = [
    "id,genre,artist,duration_ms,tempo,key",
    "s1,pop,Nina feat. Otis,1000,90.5,3",
    "s1,rap,Nina feat. Otis,1000,90.5,3",
    "s2,rap,,2000,,4",
    "s3,rap,Etta,2000,inf,4",
]


@pytest.fixture
def table(tmp_path):
    """A file and a configuration that imports it."""
    path = tmp_path / "songs.csv"
    path.write_text("\n".join(LINES) + "\n")
    return path, make_config(
        tmp_path, f'import_features.path="{path}"', "import_features.name=shop", "import_features.id=id",
        'import_features.labels=["genre"]', "import_features.artist=artist",
        'import_features.genre_parents={rap = "Hip-Hop"}',
    )  # fmt: skip


def rows_of(store, table):
    described = hasattr(table, "volatile")
    kept = [c for c in table.column_names if c not in table.volatile] if described else ["*"]
    return sorted((tuple(row) for row in store.read(table).select(*kept).collect()), key=str)


def padded(table, rows):
    """Sorted rows of which only the first values are given: other sources write the columns after them."""
    width = len(table.column_names) - len(table.volatile)
    return sorted(((*row, *[None] * (width - len(row))) for row in rows), key=str)


def test_a_table_becomes_a_feature_set_with_songs_and_a_rerun_finds_nothing_to_do(store, table):
    path, config = table
    counts = import_features.run(store, config)
    assert (counts.read, counts.written, counts.failed) == (3, 2, 1)
    assert counts.notes == (
        "songs.csv: 4 rows, 2 ids, 2 songs, 2 features, of them categorical: key",
        "left out: duration_ms; a length shows how a clip was cut or where it was published, not how it sounds "
        '(include = ["duration_ms"] keeps it)',
        "1 rows repeat an id with the same features; their genres are joined",
        "1 of 4 rows are in quarantine: line 5: tempo is not a finite number, or an array of another length. "
        "Correct or drop the row.",
    )
    s1, s2 = song_id("shop", "s1"), song_id("shop", "s2")
    c1, c2 = stable_id("clip", "shop", "s1"), stable_id("clip", "shop", "s2")
    nina, otis = artist_id("Nina"), artist_id("Otis")
    described = rows_of(store, FEATURE_SETS)
    version, source = described[0][1], described[0][-1]
    assert described == [
        ("shop", version, 0, "tempo", "numeric", "summary", "", "imported", source),
        ("shop", version, 1, "key", "categorical", "summary", "", "imported", source),
    ]
    features = [(c1, version, "imported", s1, 90.5, 3), (c2, version, "imported", s2, None, 4)]
    assert rows_of(store, "features_shop") == sorted(features)
    assert rows_of(store, SONGS) == padded(
        SONGS,
        [
            (s1, "shop", "s1", None, "Nina feat. Otis", None, None, None, None, None),
            (s2, "shop", "s2", None, None, None, None, None, None, None),
        ],
    )
    assert rows_of(store, ARTISTS) == sorted([(nina, "Nina"), (otis, "Otis")])
    assert rows_of(store, SONG_ARTISTS) == [(s1, 0, nina, "primary"), (s1, 1, otis, "guest")]
    labels = [(s1, "pop", "shop", "pop", 1.0), (s1, "rap", "shop", "rap", 1.0), (s2, "rap", "shop", "rap", 1.0)]
    assert rows_of(store, SONG_GENRES) == padded(SONG_GENRES, labels)
    assert rows_of(store, GENRE_PARENTS) == [("rap", "rap", "hiphop", "Hip-Hop", "configuration")]
    assert [row[:2] + row[3:4] + row[5:6] for row in rows_of(store, QUARANTINE)] == [
        ("import_features", "songs.csv line 5", "bad_value", "s3")
    ]
    assert import_features.run(store, config).read == 0

    path.write_text("\n".join([LINES[0], LINES[1], LINES[3].replace(",,4", ",70,4"), "s4,pop,,1,60,5"]) + "\n")
    counts = import_features.run(store, config)
    assert (counts.read, counts.written, counts.failed) == (2, 2, 0)
    assert rows_of(store, QUARANTINE) == []  # the line was mended
    c4, s4 = stable_id("clip", "shop", "s4"), song_id("shop", "s4")
    features = [(c1, version, "imported", s1, 90.5, 3), (c2, version, "imported", s2, 70.0, 4),
                (c4, version, "imported", s4, 60.0, 5)]  # fmt: skip
    assert rows_of(store, "features_shop") == sorted(features)
    labels = [(s1, "pop", "shop", "pop", 1.0), (s2, "rap", "shop", "rap", 1.0), (s4, "pop", "shop", "pop", 1.0)]
    assert rows_of(store, SONG_GENRES) == padded(SONG_GENRES, [*labels, (s1, "rap", "shop", "rap", 1.0)])
    assert [(row.song_id, row.genre_id) for row in store.ended(SONG_GENRES).collect()] == [(s1, "rap")]

    # a row that cannot be read may still have its song; one that went has not
    rest = ["s4,pop,,1,60,5", "s5,rap,,1,61,5"]
    path.write_text("\n".join([LINES[0], LINES[1], LINES[3].replace(",,4", ",inf,4"), *rest]) + "\n")
    import_features.run(store, config)
    assert store.ended(SONGS).count() == 0
    assert [row[1] for row in rows_of(store, QUARANTINE)] == ["songs.csv line 3"]
    path.write_text("\n".join([LINES[0], LINES[1], *rest]) + "\n")
    assert "retired: 1 songs that are gone from songs.csv (see [sync])" in import_features.run(store, config).notes
    assert [row.song_id for row in store.ended(SONGS).collect()] == [s2]
    assert {row.song_id for row in store.live(SONG_GENRES).collect()} == {s1, s4, song_id("shop", "s5")}
    path.write_text("\n".join([LINES[0], LINES[1], LINES[3].replace(",,4", ",70,4"), *rest]) + "\n")
    import_features.run(store, config)
    assert store.ended(SONGS).count() == 0 and store.live(SONG_GENRES).where(f"song_id = '{s2}'").count() == 1

    path.write_text("\n".join(["id,genre,other", "s1,pop,1", "s2,rap,2"]) + "\n")
    with pytest.raises(ConfigError, match="'shop' has other features already"):
        import_features.run(store, config.model_copy(update={"import_features": section_of(config, artist="")}))


def section_of(config, **changes):
    return config.import_features.model_copy(update=changes)


def test_the_name_of_a_set_of_our_own_is_refused(store, table):
    _, config = table
    with pytest.raises(ConfigError, match="gtzan57"):
        import_features.run(store, config.model_copy(update={"import_features": section_of(config, name="gtzan57")}))


#: What tables from elsewhere call their features, most of it names of our own columns.
FOREIGN = [
    "fold", "part", "weight", "genres", "group_id", "genre_id", "label", "y", "features", "value", "feature",
    "spectral.centroid", "`ticked`", "two words", "Tempo", "tempo", "SELECT", "n_frames", "x" * 300,
]  # fmt: skip


@pytest.mark.slow
def test_features_called_like_our_own_columns_train_and_are_drawn(store, tmp_path):
    path = tmp_path / "foreign.csv"
    lines = [",".join(["id", "genre", *FOREIGN, "key", ""])]
    for n in range(24):
        genre = ("pop", "rap")[n % 2]
        cells = [f"{(n % 2) * 2 + (n * place % 7) / 7:.3f}" for place in range(len(FOREIGN))]
        lines.append(",".join([f"s{n:02}", genre, *cells, str(n % 3), "1"]))
    path.write_text("\n".join(lines) + "\n")
    config = make_config(
        tmp_path, f'import_features.path="{path}"', "import_features.name=shop", "import_features.id=id",
        'import_features.labels=["genre"]', 'train.feature_sets=["shop"]', "train.min_songs=4", "splits.folds=2",
        'import_features.include=["group_id", "genre_id"]',
    )  # fmt: skip
    import_features.run(store, config)
    assign_splits.run(store, config)
    dataset = build_dataset(store, config, read_library(store, config), "shop")
    assert len(dataset.columns) == len(FOREIGN) + 1 and dataset.features[-3:] == ("key=0", "key=1", "key=2")
    row = dataset.frame.where(f"song_id = '{song_id('shop', 's03')}'").collect()[0]
    assert row.genres == ["rap"] and row.part in ("train", "promotion", "test") and row.weight == 1.0
    assert row.features[0] == pytest.approx(2.0) and row.features[1] == pytest.approx(2.429, abs=1e-3)
    drawn = sample_features(store, "shop")
    assert set(drawn.rows["_genre_id"]) == {"pop", "rap"} and len(drawn.most_discriminative(3)) == 3
    register_views(store, "default")
    profile = store.spark.table("genre_profile").where("feature IN ('genre_id', 'value', 'feature')").collect()
    assert {(row.genre_id, row.n) for row in profile} == {("pop", 12), ("rap", 12)} and len(profile) == 6


def test_embeddings_become_a_vector_that_is_trained_on_without_the_dimensions_that_are_left_out(store, tmp_path):
    rows = [{"id": f"s{n}", "genre": ("pop", "rap")[n % 2], "embedding": [n, n % 2, None, n / 2]} for n in range(12)]
    path = tmp_path / "embeddings.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    about = [f'import_features.path="{path}"', "import_features.name=net", "import_features.id=id"]
    about += ['import_features.labels=["genre"]', "train.min_songs=2"]
    config = make_config(tmp_path, *about, "import_features.layout=vector")
    assert import_features.run(store, config).written == 12
    assert import_features.run(store, config) == Counts()
    described = store.read(FEATURE_SETS).orderBy("position").collect()
    assert [(row.feature, row.axis) for row in described] == [(f"embedding_{k}", "vector") for k in range(4)]
    found = {row.clip_id: row.vector for row in store.read("vectors_net").collect()}
    assert found[stable_id("clip", "net", "s3")] == [3.0, 1.0, None, 1.5]
    with pytest.raises(ConfigError, match="the set 'net' was imported as vector"):
        import_features.run(store, make_config(tmp_path, *about))
    assign_splits.run(store, config)
    whole = build_dataset(store, config, read_library(store, config), "net")
    assert whole.features == tuple(f"embedding_{k}" for k in range(4))
    dataset = build_dataset(store, config, read_library(store, config), "net", without={"embedding_1": "it is a copy"})
    assert dataset.features == ("embedding_0", "embedding_2", "embedding_3")
    values = {row.clip_id: row.features for row in dataset.frame.collect()}
    assert values[stable_id("clip", "net", "s3")] == [3.0, None, 1.5]
