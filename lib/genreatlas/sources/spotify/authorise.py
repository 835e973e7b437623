"""Get a refresh token for headless runs: ``python -m genreatlas.sources.spotify.authorise [--publish] [FILE]...``.

With ``--publish`` the app may also change the user's playlists, which ``playlist.publish`` requires.

It opens a browser. ``spotify.redirect_uri`` has to be among the redirect URIs of the app at
developer.spotify.com/dashboard. The token is printed, and not stored.
"""

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
    files = [argument for argument in arguments if argument != "--publish"]
    scopes = PUBLISHING_SCOPES if "--publish" in arguments else SCOPES
    try:
        config = load_config(files)
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
