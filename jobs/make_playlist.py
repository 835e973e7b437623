"""Make playlists from recipes, in tables, files and at Spotify."""

from genreatlas.cli import main
from genreatlas.steps import make_playlist

if __name__ == "__main__":
    main(make_playlist)
