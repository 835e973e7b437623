"""Write feature sets, labels and split to shards, for training elsewhere."""

from genreatlas.cli import main
from genreatlas.steps import export

if __name__ == "__main__":
    main(export)
