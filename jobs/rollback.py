"""Return to the model before the last promotion, or to any other model."""

from genreatlas.cli import main
from genreatlas.steps import rollback

if __name__ == "__main__":
    main(rollback)
