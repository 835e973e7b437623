"""Draw the map of genres from what their songs sound like."""

from genreatlas.cli import main
from genreatlas.steps import map_genres

if __name__ == "__main__":
    main(map_genres)
