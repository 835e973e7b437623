"""Import a folder of audio files: songs, genres and clips."""

from genreatlas.cli import main
from genreatlas.steps import import_folder

if __name__ == "__main__":
    main(import_folder)
