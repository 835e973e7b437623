"""What is said of the section [playlist] before a job starts."""

from pathlib import Path

import pytest

from genreatlas.checks import make_playlist
from genreatlas.config import PlaylistRecipe, load_config, toml_value

RECIPE = 'playlist.recipes=[{name="a", kind="around", seeds=["genre:x"]}]'


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"):
        for prefix in ("SPOTIFY", "SPOTIPY"):
            monkeypatch.delenv(f"{prefix}_{name}", raising=False)


def found(*overrides):
    return [str(fault) for fault in make_playlist(load_config([], overrides))]


def test_there_have_to_be_recipes():
    assert found(RECIPE) == [] and found('playlist.stored=["*"]') == []
    assert "playlist.recipes is empty" in found()[0]


def test_songs_are_compared_by_one_row_of_numbers():
    assert "mfcc12_frames holds frames" in found(RECIPE, "playlist.feature_set=mfcc12_frames")[0]
    assert found(RECIPE, 'playlist.feature_set=["summary9","groove"]') == []


def test_a_library_has_to_be_there():
    recipe = 'playlist.recipes=[{name="a", kind="explore", library="mine.m3u"}]'
    assert found(recipe) == [
        "playlist.recipes (a): library = mine.m3u: no such file or folder. Set playlist.recipes (a): library."
    ]


def test_publishing_needs_terms_and_a_user_who_allowed_it(monkeypatch):
    publish = (RECIPE, "playlist.publish=true")
    said = found(*publish)
    assert len(said) == 2 and "acknowledge_terms" in said[0] and "SPOTIFY_CLIENT_ID" in said[1]
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "x")
    said = found(*publish, "spotify.acknowledge_terms=true")
    assert len(said) == 1 and "authorise --publish" in said[0]
    monkeypatch.setenv("SPOTIFY_REFRESH_TOKEN", "x")
    assert found(*publish, "spotify.acknowledge_terms=true") == []
    monkeypatch.delenv("SPOTIFY_CLIENT_ID")
    assert found(*publish, "spotify.acknowledge_terms=true", "world.start=true") == []  # the world takes any


def test_the_documentation_lists_every_key_of_a_recipe_with_its_default():
    rows = ["| key | default | what |", "|---|---|---|"]
    for name, field in PlaylistRecipe.model_fields.items():
        value = None if field.is_required() else toml_value(field.default)
        default = "required" if field.is_required() else "not set" if value is None else f"`{value}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    page = (Path(__file__).parents[2] / "docs" / "playlists.md").read_text(encoding="utf-8")
    assert "\n".join(rows) in page
