"""Compare the best new model with the one in use, and let it take over if it is better."""

from genreatlas.cli import main
from genreatlas.steps import promote_model

if __name__ == "__main__":
    main(promote_model)
