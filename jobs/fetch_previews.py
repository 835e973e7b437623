"""Fetch a clip for every song that lacks one, from the configured providers in order."""

from genreatlas.cli import main
from genreatlas.steps import fetch_previews

if __name__ == "__main__":
    main(fetch_previews)
