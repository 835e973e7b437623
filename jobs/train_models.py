"""Train every candidate on the same folds and fit the best ones again."""

from genreatlas.cli import main
from genreatlas.steps import train_models

if __name__ == "__main__":
    main(train_models)
