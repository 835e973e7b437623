"""Files to score: of a folder, or as a table lists them."""

import gzip

from genreatlas.errors import Reason
from genreatlas.sources.scoring_list import Item, Refused, list_items


def test_a_list_names_each_file_once_and_each_row_is_accounted_for(tmp_path):
    (tmp_path / "music").mkdir()
    for name in ("a.wav", "b, c.wav", "d.wav"):
        (tmp_path / "music" / name).write_bytes(b"12")
    rows = ["path;mood", "music/a.wav;x", "music\\b, c.wav;y", ";z", "./music/a.wav;x", "gone.wav;x", "d.wav;x;y;z"]
    (tmp_path / "list.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode() + b"\n"))
    found = list(list_items(tmp_path / "list.csv.gz", lambda path: False))
    items = [(one.text, one.size) for one in found if isinstance(one, Item)]
    assert items == [("gone.wav", 0), ("music/a.wav", 2), ("music\\b, c.wav", 2)]
    assert [(one.place, one.reason) for one in found if isinstance(one, Refused)] == [
        ("line 7", Reason.BAD_VALUE), ("line 4", Reason.BAD_VALUE), ("line 5", Reason.DUPLICATE_ROW),
    ]  # fmt: skip


def test_a_folder_of_part_files_is_a_table(tmp_path):
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "_SUCCESS").write_text("")
    (tmp_path / "list" / "part-0.csv").write_text("path\na.wav\n")
    (tmp_path / "a.wav").write_bytes(b"12")
    assert [one.size for one in list_items(tmp_path / "list", lambda path: False)] == [2]
