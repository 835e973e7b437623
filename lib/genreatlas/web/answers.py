"""Helpers of page handlers: render a template or an error page, answer 404, and join features with charts."""

from typing import TypeVar

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from genreatlas.values import JsonObject
from genreatlas.web.published import Extract
from genreatlas.web.rendering import environment
from genreatlas.web.state import state_of

T = TypeVar("T")


def page(request: Request, template: str, status: int = 200, **shown: object) -> Response:
    """Render a template for the visitor of the request, with the visitor's form token and cookie."""
    state = state_of(request)
    title = state.config.web.title
    text = environment().get_template(template).render(site=title, token=state.visitor(request).token, **shown)
    response = HTMLResponse(text, status, headers={"cache-control": "no-store"})
    return state.remember(request, response)


def fault(request: Request, status: int, words: str) -> Response:
    """An error page; it needs neither extract nor database."""
    site = state_of(request).config.web.title
    text = environment().get_template("fault.html.j2").render(site=site, token="", status=status, words=words)
    return HTMLResponse(text, status, headers={"cache-control": "no-store"})


def extract_of(request: Request) -> Extract:
    """The current extract."""
    return state_of(request).site.extract


def known(answer: T | None, what: str) -> T:
    """Return the answer unchanged; raise 404 if it is None."""
    if answer is None:
        raise HTTPException(404, f"This site has no such {what}.")
    return answer


def compared(found: Extract, features: list[JsonObject], genre: JsonObject | None) -> list[JsonObject]:
    """Add the charts of all songs and of a genre to features, for their pictures; drop features without charts."""
    rows = []
    for one in features:
        of_all = found.chart(one["feature"], "*")
        if of_all is not None:
            of_genre = found.chart(one["feature"], genre["genre_id"]) if genre else None
            below = one["below_genre"].get(genre["genre_id"]) if genre else None
            rows.append(one | {"all": of_all, "genre": of_genre, "below_genre": below})
    return rows
