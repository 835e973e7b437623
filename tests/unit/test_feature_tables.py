import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genreatlas.config import ImportFeaturesSection
from genreatlas.errors import ConfigError, InputError, SplitLeakError
from genreatlas.ids import stable_id
from genreatlas.sources.feature_tables import import_table
from genreatlas.sources.feature_tables.importing import song_id


@pytest.fixture
def imported(tmp_path):
    """Import lines of a CSV, or columns as Parquet, under a configuration."""

    def run(content, ignore_parts=False, **settings):
        path = tmp_path / "table.data"
        if isinstance(content, dict):
            pq.write_table(pa.table(content), path)
        else:
            path.write_text("\n".join(content) + "\n", encoding="utf-8")
        section = ImportFeaturesSection(
            **({"path": path, "name": "other", "id": "id", "labels": ("genre",)} | settings)
        )
        return import_table(section, ignore_parts)

    return run


def names(table):
    return [column.name for column in table.columns]


def rejected(table):
    return [(bad.place, bad.id, bad.reason.value) for bad in table.rejected]


def test_whole_rows_of_a_small_table(imported):
    table = imported(
        ["id,genre,artist,title,tempo,key", "s1,Hip-Hop,Nas feat. AZ,Life,90,3", "s2,hip hop,Nas,One,,4",
         "s3,Rock,VA,X,120.5,"],
        artist="artist", title="title",
    )  # fmt: skip
    ids = {key: song_id("other", key) for key in ("s1", "s2", "s3")}
    rows = pd.DataFrame(
        {
            "clip_id": [stable_id("clip", "other", key) for key in ids],
            "song_id": list(ids.values()),
            "tempo": [90.0, None, 120.5],
            "key": [3.0, 4.0, None],
        }
    )
    pd.testing.assert_frame_equal(table.rows, rows.sort_values("clip_id", ignore_index=True))
    assert [(c.name, c.kind, c.type) for c in table.columns] == [
        ("tempo", "numeric", "double"),
        ("key", "categorical", "int"),
    ]
    assert table.songs.to_dict("records") == [
        {"title": title, "artist": artist, "album": None, "declared_split": None, "song_id": ids[key],
         "source": "other", "source_key": key}
        for key, title, artist in [("s1", "Life", "Nas feat. AZ"), ("s2", "One", "Nas"), ("s3", "X", "VA")]
    ]  # fmt: skip
    assert sorted(table.artists["name"]) == ["AZ", "Nas"]
    credits = table.song_artists.drop(columns="artist_id").to_numpy().tolist()
    assert credits == [[ids["s1"], 0, "primary"], [ids["s1"], 1, "guest"], [ids["s2"], 0, "primary"]]
    genres = table.song_genres[["song_id", "genre_id", "genre", "source", "weight"]].to_numpy().tolist()
    assert genres == [
        [ids["s1"], "hiphop", "Hip-Hop", "other", 1.0],
        [ids["s2"], "hiphop", "Hip-Hop", "other", 1.0],
        [ids["s3"], "rock", "Rock", "other", 1.0],
    ]
    assert table.rejected == ()
    assert table.notes[0] == "table.data: 3 rows, 3 ids, 3 songs, 2 features, of them categorical: key"


def test_columns_that_give_the_answer_away_are_left_out_and_each_is_named(imported):
    leaks = ["length", "duration_ms", "track_id", "popularity", "release_date", "Unnamed: 0"]
    lines = [",".join(["id", "genre", *leaks, "tempo"]), "a,rock,1,2,3,4,5,6,7", "b,pop,1,2,3,4,2001-01-01,6,7"]
    table = imported(lines)
    assert names(table) == ["tempo"]
    assert [note.split(";")[0] for note in table.notes[1:]] == [f"left out: {leak}" for leak in leaks]
    assert names(imported(lines, include=("length",))) == ["length", "tempo"]
    assert names(imported(lines, exclude=("tempo",), include=("length",))) == ["length"]
    assert names(imported(lines, features=("popularity",))) == ["popularity"]


def test_a_date_that_is_asked_for_is_its_year(imported):
    lines = ["id,genre,release_date,tempo", "a,rock,2001-01-30,7", "b,pop,1995,6", "c,pop,1999-03,6", "d,pop,,5"]
    table = imported([*lines, "e,pop,soon,5"], include=("release_date",))
    assert names(table) == ["release_date", "tempo"]
    assert [(bad.id, bad.reason.value) for bad in table.rejected] == [("e", "bad_value")]
    by_tempo = table.rows.sort_values(["tempo", "release_date"])["release_date"]
    assert by_tempo.dropna().tolist() == [1995.0, 1999.0, 2001.0] and by_tempo.isna().sum() == 1
    stamps = {
        "id": ["a", "b"],
        "genre": ["x", "y"],
        "released": pd.to_datetime(["1970-05-01", "2020-01-01"]),
        "t": [1, 2],
    }
    assert imported(stamps, include=("released",)).rows.sort_values("t")["released"].tolist() == [1970.0, 2020.0]
    assert names(imported(lines)) == ["tempo"], "nobody asked for it"
    years = imported(["id,genre,year,x", "a,rock,2001,1", "b,pop,1995,2"], include=("year",))
    assert years.rows.sort_values("x")["year"].tolist() == [2001.0, 1995.0]


def test_one_id_in_several_rows_has_several_genres_and_one_feature_row(imported):
    table = imported(["id,genre,x", "a,pop,1", "a,rock,1", "a,rock,1", "b,rock,2"])
    assert len(table.rows) == 2 and table.rejected == ()
    assert sorted(table.song_genres["genre_id"]) == ["pop", "rock", "rock"]


def test_bad_rows_are_rejected_at_their_line_and_the_rest_is_used(imported):
    table = imported(
        ["id,genre,x,y", "a,pop,1,2", "a,rock,9,2", "b,rock,inf,2", "c,rock,abc,2", "d,,1,2", ",rock,1,2", "e,rock,1",
         "", 'f,"ro', 'ck",1,NaN', "g,rock,,", "h,rock,1,2,3"],
    )  # fmt: skip
    assert rejected(table) == [
        ("line 8", None, "bad_value"),
        ("line 13", None, "bad_value"),
        ("line 4", "b", "bad_value"),
        ("line 5", "c", "bad_value"),
        ("line 6", "d", "no_genre"),
        ("line 7", None, "bad_value"),
        ("line 12", "g", "bad_value"),
        ("line 3", "a", "duplicate_row"),
    ]
    assert table.rejected[-1].detail.startswith("its features or song differ from those of line 2")
    assert sorted(table.songs["source_key"]) == ["a", "f"]


def test_rows_used_and_rejected_are_all_rows(imported):
    lines = ["id,genre,x", *[f"s{i},{'pop' if i % 2 else 'rock'},{'inf' if i % 7 == 3 else i}" for i in range(50)]]
    table = imported(lines)
    assert len(table.rows) + len(table.rejected) == 50


def test_nan_in_parquet_is_missing_and_arrays_become_columns(imported):
    table = imported(
        {
            "id": ["a", "b", "c", "d"],
            "genre": [["pop", "rock"], ["rock"], ["pop"], ["pop"]],
            "MFCC mean": [[1.0, 2.0], [float("nan"), 4.0], None, [1.0, 2.0, 3.0]],
            "x": [1, 2, 3, 4],
            "2nd": [float("nan"), 1.0, 2.0, 3.0],
        }
    )
    assert names(table) == ["mfcc_mean_0", "mfcc_mean_1", "x", "f_2nd"]
    assert rejected(table) == [("row 4", "d", "bad_value")]
    rows = table.rows.set_index("clip_id").loc[[stable_id("clip", "other", key) for key in "abc"]]
    expected = pd.DataFrame(
        {
            "mfcc_mean_0": [1.0, None, None],
            "mfcc_mean_1": [2.0, 4.0, None],
            "x": [1.0, 2.0, 3.0],
            "f_2nd": [None, 1.0, 2.0],
        }
    )
    pd.testing.assert_frame_equal(rows.drop(columns="song_id").reset_index(drop=True), expected, check_dtype=False)


def test_arrays_written_as_text_become_columns(imported):
    table = imported(["id;genre;v", "a;pop;[1.0, 2.5]", "b;rock;[3 4]", "c;rock;[5]", "d;rock;[x y]"])
    assert names(table) == ["v_0", "v_1"] and rejected(table) == [
        ("line 4", "c", "bad_value"),
        ("line 5", "d", "bad_value"),
    ]


def test_names_are_made_fit_for_sql_and_never_clash(imported):
    header = "id,genre,MFCC-1 (mean),mfcc_1_mean,song id number,1st,set_version"
    table = imported([header, "a,pop,1,2,3,4,5", "b,rock,1,2,3,4,5"], include=("song id number",))
    assert names(table) == ["mfcc_1_mean", "mfcc_1_mean_2", "song_id_number", "f_1st", "set_version_2"]


def test_text_categories_are_kept_as_text(imported):
    table = imported(["id,genre,key,x", "a,pop,C#,1", "b,rock,,2"])
    assert [(c.name, c.kind, c.type) for c in table.columns] == [
        ("key", "categorical", "string"),
        ("x", "numeric", "double"),
    ]
    assert set(table.rows["key"]) == {"C#", None}


def test_the_song_is_cut_from_the_id(imported):
    lines = [
        "id,genre,x",
        *[f"{g}.0000{i}.{j}.wav,{g},{i}{j}" for g in ("blues", "rock") for i in range(6) for j in range(4)],
    ]
    table = imported(lines, song_pattern=r"^(.+)\.\d+\.wav$")
    assert len(table.rows) == 48 and len(table.songs) == 12 and "blues.00003" in set(table.songs["source_key"])
    assert not any("WARNING" in note for note in table.notes)
    warned = imported(lines)
    assert len(warned.songs) == 48
    assert any(
        note.startswith("WARNING: ids look like segments of songs (blues.00000.0 of blues.00000)")
        for note in warned.notes
    )


def test_ids_that_number_songs_are_no_segments(imported):
    lines = ["id,genre,x", *[f"{g}.{i:05d}.wav,{g},{i}" for g in ("blues", "rock") for i in range(20)]]
    assert not any("WARNING" in note for note in imported(lines).notes)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(", "not a regular expression"), ("blues", "no group"), ("^(x+)$", "matches no id, such as 'a'")],
)
def test_a_song_pattern_that_cannot_work_is_refused(imported, pattern, message):
    with pytest.raises(ConfigError, match=message):
        imported(["id,genre,x", "a,pop,1", "b,rock,2"], song_pattern=pattern)


def test_lists_of_ids_give_the_parts_by_base_name_too(imported, tmp_path):
    (tmp_path / "train.txt").write_text("# published\nblues/a.wav\n\nrock/c.wav\n")
    (tmp_path / "valid.txt").write_text("blues/b.wav\nnowhere.wav\n")
    table = imported(
        ["id,genre,x", "a.wav,blues,1", "b.wav,blues,2", "c.wav,rock,3", "d.wav,rock,4"],
        split_lists={"train": tmp_path / "train.txt", "valid": tmp_path / "valid.txt"},
    )
    parts = dict(zip(table.songs["source_key"], table.songs["declared_split"], strict=True))
    assert parts == {"a.wav": "train", "b.wav": "promotion", "c.wav": "train", "d.wav": None}
    assert "split_lists.valid: 1 of 2 entries are not in the table" in table.notes
    assert "1 rows are in no list of the split; assign_splits assigns their parts" in table.notes


def test_lists_that_contradict_or_do_not_fit_are_refused(imported, tmp_path):
    (tmp_path / "one.txt").write_text("a\n")
    (tmp_path / "two.txt").write_text("x/a\na\n")
    (tmp_path / "other.txt").write_text("zzz\n")
    lines = ["id,genre,x", "a,pop,1", "b,rock,2"]
    with pytest.raises(InputError, match="a is in several lists"):
        imported(lines, split_lists={"train": tmp_path / "one.txt", "test": tmp_path / "two.txt"})
    with pytest.raises(InputError, match="none of its 1 entries is an id of the table"):
        imported(lines, split_lists={"train": tmp_path / "other.txt"})
    with pytest.raises(ConfigError, match="'learn' is not a part"):
        imported(lines, split_lists={"learn": tmp_path / "one.txt"})
    with pytest.raises(InputError, match=r"missing\.txt"):
        imported(lines, split_lists={"train": tmp_path / "missing.txt"})


def test_a_split_column_is_read_and_refused_where_it_divides_a_song(imported):
    lines = ["id,genre,x,part", "a.1,pop,1,train", "a.2,pop,2,Validation", "b.1,rock,3,test", "b.2,rock,4,"]
    with pytest.raises(SplitLeakError, match=r"divides 1 songs.*: a\."):
        imported(lines, split="part", song_pattern=r"^(\w)")
    table = imported(lines, ignore_parts=True, split="part", song_pattern=r"^(\w)")
    assert table.songs["declared_split"].tolist() == [None, "test"]
    table = imported([*lines, "c,rock,5,holdout"], split="part")
    assert table.songs["declared_split"].tolist() == ["train", "promotion", "test", None]
    assert rejected(table) == [("line 6", "c", "bad_value")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"id": "idd"}, "id: table.data has no column 'idd'. Did you mean 'id'"),
        ({"labels": ("genres",)}, "labels: .* Did you mean 'genre'"),
        ({"features": ("tmpo",)}, "features: .* Did you mean 'tempo'"),
        ({"features": ("genre",)}, "'genre' of table.data holds no numbers"),
        ({"labels": ()}, "labels is not set"),
        ({"exclude": ("tempo",)}, "no numeric column that can be a feature"),
    ],
)
def test_a_configuration_that_does_not_fit_the_table_names_the_nearest_column(imported, settings, message):
    with pytest.raises(ConfigError, match=message):
        imported(["id,genre,tempo", "a,pop,1", "b,rock,2"], **settings)


def test_files_that_cannot_be_used_as_a_whole(imported, tmp_path):
    with pytest.raises(InputError, match="fewer than two genres"):
        imported(["id,genre,x", "a,pop,1", "b,POP,2"])
    with pytest.raises(InputError, match=r"none of its 2 rows can be used\. First: line 2"):
        imported(["id,genre,x,y", "a,,1,2", "b,,2,2"])
    with pytest.raises(InputError, match="appear twice: x"):
        imported(["id,genre,x,x", "a,pop,1,1"])
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        imported([], path=tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="empty"):
        imported([])


def test_the_version_follows_the_definition_and_the_digest_everything(imported):
    lines = ["id,genre,x,y", "a,pop,1,2", "b,rock,2,3"]
    first = imported(lines)
    assert imported(lines).digest == first.digest
    more = imported([*lines, "c,rock,1,1"])
    assert more.set_version == first.set_version and more.digest != first.digest
    assert imported(lines, exclude=("y",)).set_version != first.set_version
    assert imported(lines, genre_aliases={"pop": "Popular"}).digest != first.digest


def test_aliases_and_parents_apply(imported):
    table = imported(
        ["id,genre,x", "a,rap,1", "b,Trap,2"], genre_aliases={"rap": "Hip-Hop"}, genre_parents={"trap": "rap"}
    )
    assert sorted(table.song_genres["genre"]) == ["Hip-Hop", "Trap"]
    assert table.genre_parents.to_dict("records") == [
        {"genre_id": "trap", "genre": "trap", "parent_id": "hiphop", "parent": "Hip-Hop", "source": "configuration"}
    ]


def test_lists_of_genres_and_of_artists_are_read_as_lists(imported):
    table = imported(
        ["id,genre,artist,x", "a,\"['rock', 'indie rock']\",\"['Band', 'Guest']\",1", "b,['jazz'],['Etta'],2"],
        artist="artist",
    )
    assert sorted(table.song_genres["genre"]) == ["indie rock", "jazz", "rock"]
    assert sorted(table.artists["name"]) == ["Band", "Etta", "Guest"]
    exported = imported(
        ["id,genre,artist,x", 'a,"rock,classic rock","Tyler, The Creator,Kali Uchis",1', "b,jazz,Etta,2"],
        artist="artist",
    )
    assert sorted(exported.song_genres["genre"]) == ["classic rock", "jazz", "rock"]
    assert sorted(exported.artists["name"]) == ["Etta", "Kali Uchis", "Tyler, The Creator"]
    whole = imported(["id,genre,x", 'a,"rock,classic rock",1', "b,jazz,2"], label_separator="none")
    assert sorted(whole.song_genres["genre"]) == ["jazz", "rock,classic rock"]


def test_negative_labels_are_genres_of_their_own(imported):
    table = imported(["id,genre,x", "a,-1,1", "b,1,2", "c,2,3"])
    assert sorted(zip(table.song_genres["genre_id"], table.song_genres["genre"], strict=True)) == [
        ("1", "1"), ("2", "2"), ("minus1", "-1"),
    ]  # fmt: skip


def test_letters_of_latin_1_stay_in_names_and_genres(imported, tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("id;genre;title;x\na;Música;Canção;0,5\nb;Forró;Olá;1,5\n".encode("latin-1"))
    table = imported([], path=path, title="title")
    assert sorted(table.song_genres["genre_id"]) == ["forró", "música"]
    assert sorted(table.songs["title"]) == ["Canção", "Olá"] and sorted(table.rows["x"]) == [0.5, 1.5]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["0,5", "1,25", "-3"], [0.5, 1.25, -3]),
        (["1.234,5", "12,5", "1.000"], [1234.5, 12.5, 1000]),
        (["1,234.5", "2,000", "3"], [1234.5, 2000, 3]),
        (["0.5", "1e-3", ".25"], [0.5, 0.001, 0.25]),
        (["1 234,5", "2", "3,0"], [1234.5, 2, 3]),
    ],
)
def test_decimal_marks_and_thousands_are_told_apart(imported, cells, values):
    lines = ["id;genre;x;y", *(f"s{n};{'pop' if n else 'rock'};{cell};1" for n, cell in enumerate(cells))]
    table = imported(lines)
    assert table.rejected == () and sorted(table.rows["x"]) == sorted(values)
    assert any("commas in numbers" in note for note in table.notes) == any("," in cell for cell in cells)


def test_where_a_comma_may_be_either_the_table_decides_and_the_setting_overrules(imported):
    lines = ["id;genre;x;y", "a;pop;1,234;0,5", "b;rock;5,678;1,5"]
    assert sorted(imported(lines).rows["x"]) == [1.234, 5.678]
    assert sorted(imported(["id,genre,x", 'a,pop,"1,234"', 'b,rock,"5,678"']).rows["x"]) == [1234, 5678]
    assert sorted(imported(lines, decimal=".", features=("x",)).rows["x"]) == [1234, 5678]


def test_every_row_is_used_or_rejected_and_the_note_names_the_lines(imported):
    lines = ["id,genre,title,x", *(f's{n},{"pop" if n % 2 else "rock"},"Song, {n}",{n}' for n in range(20))]
    lines[7] = lines[7].replace('"Song, 6"', '"Song 6')
    table = imported(lines, title="title")
    assert len(table.rows) + len(table.rejected) == 20
    assert rejected(table) == [("line 8", None, "bad_value")]
    assert any("1 of 20 rows are in quarantine: line 8" in note for note in table.notes)


def test_features_that_lose_their_name_are_told_and_none_is_too_long(imported):
    table = imported([f"id,genre,Tempo,tempo,{'x' * 400},Громкость", "a,pop,1,2,3,4", "b,rock,1,2,3,4"])
    assert names(table)[:2] == ["tempo", "tempo_2"] and max(map(len, names(table))) <= 255
    note = next(note for note in table.notes if note.startswith("features under other names"))
    assert "'tempo' is tempo_2" in note and "'Громкость' is feature" in note


def test_a_table_in_parts_and_one_of_weka_are_imported(imported, tmp_path):
    folder = tmp_path / "parts"
    for genre in ("pop", "rock"):
        (folder / f"genre={genre}").mkdir(parents=True)
        pq.write_table(pa.table({"id": [f"{genre}1"], "x": [1.0]}), folder / f"genre={genre}" / "part-0.parquet")
    assert sorted(imported([], path=folder).song_genres["genre"]) == ["pop", "rock"]
    lines = ["@relation r", "@attribute id string", "@attribute genre {a,b}", "@attribute x numeric", "@data"]
    assert len(imported([*lines, "'1.wav',a,1", "'2.wav',b,?", "'3.wav',b,2"]).rows) == 2
