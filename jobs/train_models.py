"""Cross-validate all candidates on the same folds, and refit the best of each engine and feature set."""

from genreatlas.cli import main
from genreatlas.steps import train_models

if __name__ == "__main__":
    main(train_models)
