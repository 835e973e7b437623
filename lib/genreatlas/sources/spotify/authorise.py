"""Get a refresh token for headless runs: ``python -m genreatlas.sources.spotify.authorise [--publish] [FILE]...``.

Opens a browser. ``spotify.redirect_uri`` must be one of the app's redirect URIs at developer.spotify.com/dashboard. The
token is printed, and not stored.
"""

import argparse
import sys
from collections.abc import Sequence

from genreatlas.config import load_config
from genreatlas.errors import GenreAtlasError
from genreatlas.redaction import shown
from genreatlas.sources.hosts import hosts_of
from genreatlas.sources.http import polite_session
from genreatlas.sources.spotify.tokens import PUBLISHING_SCOPES, SCOPES, authorise, read_credentials


def main(arguments: Sequence[str]) -> int:
    """Authorise with the configuration files in ``arguments``, and print the refresh token; return the exit code."""
    about = (__doc__ or "").replace("``", "").partition("\n\n")[2]
    parser = argparse.ArgumentParser(
        prog="python -m genreatlas.sources.spotify.authorise",
        description=f"Get a refresh token for headless runs. {about}",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="let the app also create and change the user's playlists, as playlist.publish requires",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="TOML file; later ones take precedence")
    parsed = parser.parse_args(arguments)
    scopes = PUBLISHING_SCOPES if parsed.publish else SCOPES
    try:
        config = load_config(parsed.files)
        settings = config.spotify.model_copy(update={"authorisation": "user"})
        session = polite_session(config.fan_out, "spotify", "json", named=hosts_of(settings.accounts_url))
        token = authorise(settings, read_credentials(settings), session, scopes)
    except GenreAtlasError as problem:
        print(f"genreatlas: {shown(problem)}", file=sys.stderr)
        return problem.exit_code
    print(f"export SPOTIFY_REFRESH_TOKEN={token}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
