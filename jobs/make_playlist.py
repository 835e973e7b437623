"""Make playlists from recipes, as tables, files and Spotify playlists."""

from genreatlas.cli import main
from genreatlas.steps import make_playlist

if __name__ == "__main__":
    main(make_playlist)
