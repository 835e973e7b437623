"""Find the nearest songs of every song."""

from genreatlas.cli import main
from genreatlas.steps import find_neighbours

if __name__ == "__main__":
    main(find_neighbours)
