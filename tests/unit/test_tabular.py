"""Tables as programs and people write them: every row is read or named, whatever the format."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genreatlas.errors import ConfigError, InputError
from genreatlas.sources.tabular import digest_of, read_table

ROWS = [[f"s{n}", "rock" if n % 2 else "jazz", f"Song {n}", f"{n}.5"] for n in range(8)]
PLAIN = "id,genre,title,x\n" + "".join(",".join(row) + "\n" for row in ROWS)
QUOTED = "id,genre,title,x\n" + "".join(f'{i},{g},"{t}, live",{x}\n' for i, g, t, x in ROWS)


@pytest.fixture
def read(tmp_path):
    """Read a content that was written to a file."""

    def run(content, **settings):
        path = tmp_path / "table.data"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path, "import_features.path", **settings)

    return run


def rows(raw):
    return [list(row.values()) for row in raw.table.to_pylist()]


def in_a_zip(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, PLAIN)
    return data.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode("utf-8-sig"), PLAIN.encode("utf-16"), PLAIN.encode("utf-16-le"), PLAIN.encode("utf-32"),
        gzip.compress(PLAIN.encode()), bz2.compress(PLAIN.encode()), lzma.compress(PLAIN.encode()),
        pa.compress(PLAIN.encode(), codec="zstd", asbytes=True), in_a_zip("a.csv", "__MACOSX/a.csv"),
        PLAIN.replace("\n", "\r\n"), PLAIN.replace("\n", "\r"), "\n\n" + PLAIN, PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"), PLAIN.replace(",", "|"), "sep=;\n" + PLAIN.replace(",", ";"),
        "# made by a program, today\n# and another line\n" + PLAIN,
        PLAIN.replace("\n", ",,\n").replace(",,\n", "\n", 1),
    ],
)  # fmt: skip
def test_one_table_is_read_alike_however_it_is_written(read, content):
    raw = read(content)
    assert raw.table.column_names == ["id", "genre", "title", "x"]
    assert rows(raw) == ROWS and raw.broken == () and raw.notes == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<!DOCTYPE html><p>404", "a web page"),
        ('[{"id": 1}]', "JSON"),
        ('{"id": 1}\n{"id": 2}', "JSON"),
        ("<?xml version='1.0'?><a/>", "XML"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "Excel"),
        (in_a_zip("xl/workbook.xml", "a"), "Excel"),
        (in_a_zip("a.csv", "b.csv"), "a zip of 2 files"),
        (in_a_zip("a.npy"), "NumPy"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
        (b"SQLite format 3\0" + bytes(99), "SQLite"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (gzip.compress(PLAIN.encode() * 50)[:-30], "cannot be unpacked"),
        (b"PAR1 this is no Parquet", "not a readable Parquet file"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("id,x,x\n1,2,3\n", "appear twice: x"),
        ('id,"genre\na,b\n', "line 1: the header cannot be read"),
        ("id;genre\na;Музыка\nb;Рок\n".encode("cp1251"), "neither UTF-8 nor Windows-1252"),
    ],
)
def test_what_is_no_table_is_refused_by_name_in_one_line(read, content, words):
    with pytest.raises(InputError, match=words) as caught:
        read(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "codec"),
    [("id;genre\na;Música\nb;Café\n", "latin-1"), ("id;genre\na;“Música”\nb;Café – €\n", "cp1252")],
)
def test_western_texts_keep_their_letters_and_a_note_says_how(read, text, codec):
    raw = read(text.encode(codec))
    assert rows(raw) == [line.split(";") for line in text.splitlines()[1:]]
    assert "Windows-1252" in raw.notes[0] and "import_features.encoding" in raw.notes[0]


def test_one_bad_byte_costs_no_other_letter_of_a_utf8_text(read):
    raw = read("id,genre\na,Música\nb,Björk\nc,Édith\n".encode() + b"d,Beyonc\xe9\n")
    assert [genre for _, genre in rows(raw)] == ["Música", "Björk", "Édith", "Beyoncé"]
    assert "line 5" in raw.notes[0]
    assert raw.raw == {(3, "genre"): b"Beyonc\xe9"}


def test_a_configured_encoding_is_used_or_refused(read):
    text = "id;genre\na;ロック\nb;ジャズ\n".encode("shift_jis")
    assert rows(read(text, encoding="shift_jis"))[1] == ["b", "ジャズ"]
    with pytest.raises(ConfigError, match=r"import_features.encoding = 'nonsense'"):
        read(text, encoding="nonsense")
    with pytest.raises(ConfigError, match="no such encoding"):
        read(text, encoding="base64")
    with pytest.raises(InputError, match="not ascii"):
        read(text, encoding="ascii")


def test_a_quote_that_nothing_closes_costs_no_row_where_no_value_is_quoted(read):
    raw = read(PLAIN.replace("Song 3", '"Song 3').replace(",", "\t"))
    assert [row[0] for row in rows(raw)] == [row[0] for row in ROWS] and rows(raw)[3][2] == '"Song 3'
    assert raw.broken == () and "line 5" in raw.notes[0]


def test_a_quote_that_nothing_closes_costs_its_own_row_where_values_are_quoted(read):
    raw = read(QUOTED.replace('Song 3, live"', "Song 3, live"))
    assert [row[0] for row in rows(raw)] == ["s0", "s1", "s2", "s4", "s5", "s6", "s7"]
    assert [place for place, _ in raw.broken] == ["line 5"] and "quote" in raw.broken[0][1].lower()


def test_a_quote_that_closes_rows_later_swallows_none(read):
    lines = QUOTED.replace('"Song 3, live"', '"Song 3').replace('"Song 4, live"', "Song 4")
    raw = read(lines.replace('"Song 5, live"', "Song 5").replace('"Song 6, live"', 'Song 6"'))
    assert [row[0] for row in rows(raw)] == ["s0", "s1", "s2", "s4", "s5", "s6", "s7"]
    assert [place for place, _ in raw.broken] == ["line 5"] and "line 8" in raw.broken[0][1]


def test_values_of_many_lines_and_doubled_or_escaped_quotes_stay_whole(read):
    raw = read(QUOTED.replace("Song 3, live", 'One\n\nTwo, ""three""\nfour'))
    assert rows(raw)[3][2] == 'One\n\nTwo, "three"\nfour' and raw.places[4] == "line 9"
    assert rows(read(QUOTED.replace("Song 3, live", 'He said \\"hi\\", twice')))[3][2] == 'He said "hi", twice'


def test_titles_with_quotes_in_a_table_without_quoting_are_values(read):
    raw = read("id\ttitle\n" + "".join(f's{n}\t"Heroes" (take {n})\n' for n in range(5)))
    assert rows(raw)[2] == ["s2", '"Heroes" (take 2)'] and raw.broken == ()


def test_rows_of_another_width_are_broken_at_their_line(read):
    raw = read("id,genre,x\na,rock\nb,pop,1,2\nc,pop,3\n")
    assert [place for place, _ in raw.broken] == ["line 2", "line 3"] and rows(raw) == [["c", "pop", "3"]]
    padded = read("id,genre,x\na,rock\nb,pop,1,2\nc,po", pad=True)
    assert [place for place, _ in padded.broken] == ["line 3", "line 4"] and rows(padded) == [["a", "rock", ""]]


def test_a_list_of_one_column_keeps_its_commas(read):
    assert rows(read("path\na, b.mp3\nc;d.mp3\n")) == [["a, b.mp3"], ["c;d.mp3"]]


def test_arff_and_the_csv_of_opensmile_are_read(read):
    arff = "% a\n@relation x\n@attribute name string\n@attribute 'f 0' numeric\n@attribute class {a,b}\n\n@data\n"
    raw = read(arff + "'a b.wav',0.5,a\n% no row\nb.wav,?,b\nc.wav,1\n")
    assert raw.table.column_names == ["name", "f 0", "class"]
    assert rows(raw) == [["a b.wav", "0.5", "a"], ["b.wav", "?", "b"]] and raw.broken[0][0] == "line 11"
    assert rows(read("name;frameTime;F0\n'a.wav';0.0;1e-3\n'b.wav';0.0;2.5\n"))[0] == ["a.wav", "0.0", "1e-3"]


def test_row_names_of_r_do_not_shift_the_columns(read):
    raw = read('"genre","x"\n"1","rock",2\n"2","pop",3\n')
    assert raw.table.to_pylist()[0] == {"unnamed_0": "1", "genre": "rock", "x": "2"} and "row names" in raw.notes[0]


def test_a_folder_of_part_files_is_one_table(tmp_path):
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".part-0.csv.crc").write_bytes(b"crc")
    (tmp_path / "part-0.csv").write_text(PLAIN)
    (tmp_path / "part-1.csv.gz").write_bytes(gzip.compress((PLAIN + "short\n").encode()))
    raw = read_table(tmp_path, "x.path")
    assert rows(raw) == ROWS * 2
    assert (raw.places[8], raw.broken[0][0]) == ("part-1.csv.gz line 2", "part-1.csv.gz line 10")
    digest = digest_of(tmp_path, "x.path")
    (tmp_path / "part-1.csv.gz").unlink()
    assert digest_of(tmp_path, "x.path") != digest


def test_folders_named_by_values_give_a_column_and_other_layouts_are_refused(tmp_path):
    for genre in ("rock", "hip%2Fhop"):
        (tmp_path / f"genre={genre}").mkdir()
        pq.write_table(pa.table({"id": [1, 2]}), tmp_path / f"genre={genre}" / "part-0.parquet")
    raw = read_table(tmp_path, "x.path")
    assert raw.table.column("genre").to_pylist() == ["hip/hop", "hip/hop", "rock", "rock"]
    assert len(set(raw.places)) == 4
    (tmp_path / "other.csv").write_text(PLAIN)
    with pytest.raises(InputError, match="different columns"):
        read_table(tmp_path, "x.path")
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(InputError, match="a Delta table"):
        read_table(tmp_path, "x.path")


CELLS = st.text(st.sampled_from("ab,;\"\n\\'é "), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.integers(0, 11), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_line_of_any_text_is_in_a_row_or_named(tmp_path_factory, cells, broken, quoting):
    """Rows without line breaks: each is read or rejected, and its line says which."""
    lines = [f"{n},{''.join(one.split())},{''.join(other.split())}" for n, (one, other) in enumerate(cells)]
    if quoting:
        lines = [f'{n},"x, {n}",y' if n != broken else line for n, line in enumerate(lines)]
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_text("id,one,other\n" + "\n".join(lines) + "\n", encoding="utf-8")
    raw = read_table(path, "x.path")
    places = [*raw.places, *(place for place, _ in raw.broken)]
    whole = [n for n, row in enumerate(raw.table.to_pylist()) if "\n" in row["one"] + row["other"]]
    if not whole:  # a quote may open in one line and close in a later one, which is one row
        assert sorted(places) == sorted(f"line {n + 2}" for n in range(len(cells)))
