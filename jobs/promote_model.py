"""Compare the best new model with the model in use, and replace the latter if the new one is better."""

from genreatlas.cli import main
from genreatlas.steps import promote_model

if __name__ == "__main__":
    main(promote_model)
