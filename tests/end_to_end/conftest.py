"""The library that all end-to-end tests share, and one undisturbed run over it."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from whole_jobs import command, run


@dataclass(frozen=True)
class Run:
    home: Path
    music: Path
    output: str


@pytest.fixture(scope="session")
def music(tmp_path_factory) -> Path:
    """Three genres, four artists each, two short songs by each artist, and the broken files."""
    from genreatlas.config import load_config
    from genreatlas.steps import compose_library

    path = tmp_path_factory.mktemp("library") / "music"
    genres = 'sandbox.genres=["' + '", "'.join(compose_library.GENRE_NAMES[:3]) + '"]'
    settings = [f'sandbox.path="{path}"', "sandbox.artists_per_genre=4", "sandbox.songs_per_artist=2"]
    config = load_config([], [*settings, "sandbox.seconds=6", genres])
    compose_library.run(None, config)
    return path


@pytest.fixture(scope="session")
def undisturbed(music, tmp_path_factory) -> Run:
    home = tmp_path_factory.mktemp("undisturbed")
    done = run(command("pipeline", home, music))
    assert done.returncode == 0, done.stdout
    return Run(home, music, done.stdout)
