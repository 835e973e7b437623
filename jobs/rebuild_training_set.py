"""Rebuild the training matrix of a stored model, bit-identical."""

from genreatlas.cli import main
from genreatlas.steps import rebuild_training_set

if __name__ == "__main__":
    main(rebuild_training_set)
