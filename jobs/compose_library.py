"""Compose the sandbox's music library."""

from genreatlas.cli import main
from genreatlas.steps import compose_library

if __name__ == "__main__":
    main(compose_library)
