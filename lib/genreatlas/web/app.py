"""The application: guard, REST endpoints, pages, static files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.resources import as_file, files
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from genreatlas import __version__
from genreatlas.config import Config
from genreatlas.errors import StoreError
from genreatlas.web import answers, exploring, list_pages, pages, rest, tracks, uploads
from genreatlas.web.places import prepare
from genreatlas.web.published import Site
from genreatlas.web.safety import Guard, Rate
from genreatlas.web.state import State, state_of
from genreatlas.web.work import Work

#: Bytes by which a body may be larger than the uploaded file: headers and boundaries of its parts.
_BORDERS = 64 * 1024
#: Maximum number of threads for request handlers. With anyio's default of 40, the process used 50 MB more memory under
#: mixed load on 450,000 songs, and on two cores it served no more requests per second.
_THREADS = 8


def create_app(config: Config) -> Any:
    """The site as an ASGI application."""
    section = config.web
    places = prepare(config)
    work = Work(places.database)
    with suppress(SQLAlchemyError):  # if unreachable now, the schema is created by a later request
        work.waiting()
    app = FastAPI(
        title="Genre Atlas", version=__version__, docs_url=None, redoc_url=None, openapi_url="/rest/openapi.json",
        lifespan=_with_few_threads,
    )  # fmt: skip
    app.state.site = State(config, places, Site(section.path), work)
    app.include_router(rest.router)
    app.include_router(pages.router)
    for module in (uploads, list_pages, exploring, tracks):
        app.include_router(module.router)
        app.include_router(module.rest_router)
    app.get("/health", include_in_schema=False)(health)
    app.get("/metrics", include_in_schema=False)(metrics)
    for package, path, name in (
        ("genreatlas.web", "static", "static"),
        ("genreatlas.report", "map", "map-script"),
    ):
        with as_file(files(package) / path) as folder:
            app.mount(f"/{name}", StaticFiles(directory=folder), name=name)
    app.add_exception_handler(HTTPException, _http_fault)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(SQLAlchemyError, _database_fault)
    app.add_exception_handler(StoreError, _store_fault)
    rates = Rate(section.requests_per_minute), Rate(section.uploads_per_minute)
    most = (max(section.max_upload_mb, section.max_list_mb) << 20) + _BORDERS
    taking = [path for one in (uploads, list_pages, tracks) for path in (one.PAGE, one.REST)]
    return Guard(app, section.hosts, rates, most, taking, app.state.site.counters)


@asynccontextmanager
async def _with_few_threads(_: FastAPI) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = _THREADS
    yield


def health(request: Request) -> Response:
    """Health check: reads the extract and the database."""
    state = state_of(request)
    found = state.site.extract
    return JSONResponse(
        {"songs": found.facts["n_songs"], "extract": found.folder.name, "waiting": state.work.waiting()}
    )


def metrics(request: Request) -> Response:
    """Counters in the format of Prometheus."""
    state = state_of(request)
    lines = [
        f'genreatlas_answers_total{{status="{status}"}} {n}' for status, n in sorted(state.counters.answers.items())
    ]
    lines.append(f"genreatlas_answer_seconds_total {state.counters.seconds:.6f}")
    lines.append(f"genreatlas_analyses_waiting {state.work.waiting()}")
    return PlainTextResponse("\n".join(lines) + "\n")


def _http_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _fault(request, error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()]
    return _fault(request, 422, "; ".join(faults))


def _database_fault(request: Request, _: Exception) -> Response:
    answer = _fault(request, 503, "The site's database is not available. No data is lost; try again in a minute.")
    answer.headers["retry-after"] = "20"
    return answer


def _store_fault(request: Request, error: Exception) -> Response:
    return _fault(request, 503, str(error))


def _fault(request: Request, status: int, words: str) -> Response:
    if request.url.path.startswith(("/rest", "/health", "/metrics", "/clips")):
        return JSONResponse({"detail": words}, status)
    return answers.fault(request, status, words)
