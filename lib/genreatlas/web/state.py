"""State of a web process: configuration, extract, database, counters; and the visitor of a request."""

from dataclasses import dataclass, field

from fastapi import Request, Response

from genreatlas.config import Config
from genreatlas.web.kept import Kept
from genreatlas.web.places import Places
from genreatlas.web.published import Site
from genreatlas.web.safety import COOKIE, Counters, Visitor, visitor_of
from genreatlas.web.work import Work

_YEAR_S = 365 * 24 * 3600
#: Maximum number of cached pages of analyses, 40 KB each.
_PAGES = 500


@dataclass(frozen=True)
class State:
    """State of the application, shared by its threads."""

    config: Config
    places: Places
    site: Site
    work: Work
    counters: Counters = field(default_factory=Counters)
    pages: Kept[bytes] = field(default_factory=lambda: Kept(_PAGES))

    def visitor(self, request: Request) -> Visitor:
        """The visitor of a request; the same object for the whole request."""
        found = getattr(request.state, "visitor", None)
        if found is None:
            found = visitor_of(request.headers.get("cookie", ""), self.places.secret)
            request.state.visitor = found
        return found

    def remember(self, request: Request, response: Response) -> Response:
        """Set the cookie of a new visitor in the response."""
        visitor = self.visitor(request)
        if visitor.is_new:
            response.set_cookie(
                COOKIE, visitor.cookie, max_age=_YEAR_S, httponly=True, samesite="lax", path="/",
                secure=request.url.scheme == "https",
            )  # fmt: skip
        return response


def state_of(request: Request) -> State:
    """The state of the application that handles a request."""
    found: State = request.app.state.site
    return found
