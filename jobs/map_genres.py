"""Compute the map of genres from the features of their songs."""

from genreatlas.cli import main
from genreatlas.steps import map_genres

if __name__ == "__main__":
    main(map_genres)
