"""The data dictionary says what the code says."""

from pathlib import Path

from genreatlas.dictionary import page
from genreatlas.sql.catalogue import templates
from genreatlas.tables import TABLES

PAGE = Path(__file__).parents[2] / "docs" / "data_dictionary.md"


def test_the_page_is_what_the_tables_and_views_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m genreatlas.dictionary > docs/data_dictionary.md`"


def test_every_table_column_and_view_is_on_it():
    text = page()
    for table in TABLES:
        part = text.split(f"### {table.name}\n")[1].split("###")[0]
        assert all(f"`{column.name}`" in part for column in table.columns), table.name
    for template in templates():
        assert f"`{template.name.replace('SET', '<set>')}`" in text


def test_the_diagram_leads_from_clips_through_features_to_models():
    arrows = {tuple(line.strip().split(" --> ")) for line in page().splitlines() if " --> " in line}
    boxes = dict(line.strip().split('[("', 1) for line in page().splitlines() if '[("' in line)
    clips = next(node for node, label in boxes.items() if "clips" in label)
    features = next(node for node, label in boxes.items() if "features_SET" in label)
    models = next(node for node, label in boxes.items() if "models" in label.removesuffix('")]').split("<br/>"))
    wanted = [(clips, "extract_features"), ("extract_features", features), (features, "train_models")]
    assert arrows.issuperset([*wanted, ("train_models", models)])
