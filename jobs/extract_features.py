"""Extract every configured feature set from clips that lack it."""

from genreatlas.cli import main
from genreatlas.steps import extract_features

if __name__ == "__main__":
    main(extract_features)
