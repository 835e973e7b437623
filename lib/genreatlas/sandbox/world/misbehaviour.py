"""Faulty responses."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from genreatlas.sandbox.world.clips import THROTTLED, deezer_error
from genreatlas.sandbox.world.scripted_faults import FaultKind, Faults, Service

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Key of requests that are answered with another object than the requested one.
SWAPPED = web.RequestKey("swapped", bool)

_DAY = 86_400
_PORTAL = (
    "<!doctype html><html><head><title>Welcome</title></head>"
    "<body><h1>Free WiFi</h1><p>Please accept our terms to go on.</p></body></html>"
)
_ERRORS: dict[FaultKind, tuple[int, str]] = {
    "error_500": (500, "Server error."),
    "error_502": (502, "Bad gateway."),
    "error_503": (503, "Service unavailable"),
    "unauthorized": (401, "The access token expired"),
    "not_found": (404, "Not found."),
}


async def misbehave(
    kind: FaultKind, service: Service, request: web.Request, handler: Handler, faults: Faults
) -> web.StreamResponse:
    """Respond to a request with a fault."""
    match kind:
        case "throttled" if service == "deezer":
            return web.json_response(deezer_error(THROTTLED))
        case "throttled":
            return error(429, "API rate limit exceeded", retry_after=faults.retry_after_s)
        case "paused":
            return error(429, "API rate limit exceeded", retry_after=_DAY)
        case "quota":
            said = {"status": 429, "message": "Quota exceeded.", "reason": "QUOTA_EXCEEDED"}
            return web.json_response({"error": said}, status=429)
        case "error_500" | "error_502" | "error_503" | "unauthorized" | "not_found":
            return error(*_ERRORS[kind])
        case "forbidden":
            return web.json_response({"error": {"status": 403}}, status=403)
        case "expired":
            return web.Response(status=403, text="URL signature expired")
        case "reset":
            return _hang_up(request)
        case "stall":
            await asyncio.sleep(faults.stall_s)
            return _hang_up(request)
        case "html":
            return web.Response(text=_PORTAL, content_type="text/html")
        case "empty":
            return web.Response(body=b"", content_type="application/octet-stream")
        case "redirect_loop":
            return web.Response(status=302, headers={"Location": str(request.rel_url)})
        case "swapped":
            request[SWAPPED] = True
            return await handler(request)
        case "changed":
            return await handler(request)
        case "wrong_type":
            response = await handler(request)
            kind_sent = "image/png" if service == "everynoise" else "text/html"
            return _with_body(response, _body(response), kind_sent)
        case "cut":
            response = await handler(request)
            body = _body(response)
            # Clips are cut to at most 2,000 bytes, because half a clip would still be usable.
            return _with_body(
                response, body[: min(len(body) // 2, 2000)] if service == "cdn" else body[: len(body) // 2]
            )
        case "truncated":
            return await _break_off(request, await handler(request))


def error(status: int, message: str, retry_after: float | None = None) -> web.Response:
    """An error response in the format of Spotify's Web API."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return web.json_response({"error": {"status": status, "message": message}}, status=status, headers=headers)


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _break_off(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    body = _body(whole)
    response = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.headers["Content-Type"]})
    response.content_length = max(len(body), 2)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _body(response: web.StreamResponse) -> bytes:
    return response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""


def _with_body(response: web.StreamResponse, body: bytes, content_type: str | None = None) -> web.Response:
    kind = content_type or response.headers["Content-Type"]
    return web.Response(status=response.status, body=body, headers={"Content-Type": kind})
