"""Write genre probabilities of clips or files with the model in use."""

from genreatlas.cli import main
from genreatlas.steps import score

if __name__ == "__main__":
    main(score)
