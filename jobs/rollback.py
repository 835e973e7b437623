"""Use the model from before the last promotion again, or any other."""

from genreatlas.cli import main
from genreatlas.steps import rollback

if __name__ == "__main__":
    main(rollback)
