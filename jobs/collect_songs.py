"""Collect songs of genres from the Spotify Web API."""

from genreatlas.cli import main
from genreatlas.steps import collect_songs

if __name__ == "__main__":
    main(collect_songs)
