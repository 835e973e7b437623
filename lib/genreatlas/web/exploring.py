"""Playlists by recipe: around a song, between songs, outward from a genre, or by predicted genre."""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlencode

import pydantic
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from genreatlas.config.recipes import CURVES, Kind
from genreatlas.errors import InputError
from genreatlas.values import JsonObject, JsonView
from genreatlas.web.answers import extract_of, page
from genreatlas.web.playlist_file import m3u8
from genreatlas.web.recipes import make_recipe
from genreatlas.web.rest import Json

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
rest_router = APIRouter(tags=["rest"])
Texts = Annotated[list[Annotated[str, Query(max_length=300)]], Query(max_length=10)]
Curve = Literal["", "rising", "falling", "arch", "valley"]
assert set(CURVES) == {"rising", "falling", "arch", "valley"}
#: Title and description of the seeds of each kind.
KINDS: Mapping[Kind, tuple[str, str]] = {
    "around": ("Around a song, genre or artist", "one seed"),
    "path": ("From one seed to another", "two seeds: start and end"),
    "blend": ("Between several", "two seeds or more"),
    "explore": ("Outward from a genre, along the tree", "one genre"),
    "predicted": ("Songs predicted as a genre", "genres"),
}


def _recipe(
    kind: Kind = "around",
    seed: Annotated[
        Texts, Query(description="genre:NAME, song:ARTIST - TITLE or artist:NAME; ids can be given instead of names.")
    ] = [],  # noqa: B006 - FastAPI copies it
    song_id: Annotated[str, Query(max_length=200, description="Id of a song to use as a seed.")] = "",
    away_from: Annotated[Texts, Query(description="Kind blend: exclude songs nearer to these than to the seeds.")] = [],  # noqa: B006
    length: Annotated[int, Query(ge=2, le=100, description="Number of songs.")] = 25,
    minutes: Annotated[
        float, Query(ge=0, le=600, description="Maximum minutes, instead of length; 0: use length.")
    ] = 0,
    per_artist: Annotated[int, Query(ge=1, le=100, description="Maximum songs of one artist.")] = 2,
    slowest: Annotated[float, Query(ge=0, le=400, description="Slowest tempo in bpm; 0: any.")] = 0,
    fastest: Annotated[float, Query(ge=0, le=400, description="Fastest tempo in bpm; 0: any.")] = 0,
    energy: Annotated[Curve, Query(description="Curve of energy from the first song to the last.")] = "",
    variety: Annotated[float, Query(ge=0, le=1, description="Amount of randomness in the choice; 0: none.")] = 0.1,
    chance: Annotated[int, Query(ge=0, le=2**31, description="Seed of the choice of songs.")] = 7,
) -> JsonObject:
    """The recipe given by the parameters of a request."""
    seeds = [one for one in (f"song:{song_id}" if song_id else "", *seed) if one.strip()]
    settings: JsonObject = {
        "songs_per_artist": per_artist, "energy": energy, "variety": variety, "seed": chance,
        **({"minutes": minutes} if minutes else {"songs": length}),
    }  # fmt: skip
    if slowest or fastest:
        settings["tempo"] = (slowest or 1.0, fastest or 400.0)
    return {"kind": kind, "seeds": seeds, "away_from": [one for one in away_from if one.strip()], **settings}


Recipe = Annotated[JsonObject, Depends(_recipe)]


@rest_router.get("/rest/playlist")
def playlist(request: Request, recipe: Recipe, format: Literal["json", "m3u8"] = "json") -> Response:
    """Make a playlist by recipe, as JSON or as an M3U8 file of this site's clips.

    ``kind`` is around (one seed), path (from one seed to another), blend (between seeds), explore (outward from a
    genre along the tree) or predicted (songs that the model assigns to the seed genres). Each song has a ``reason``
    for its choice. The same recipe returns the same playlist.
    """
    try:
        made = _made(request, recipe)
    except InputError as error:
        raise HTTPException(422, str(error)) from None
    if format == "json":
        return Json(made)
    name = {"content-disposition": 'attachment; filename="playlist.m3u8"'}
    content = m3u8(made["songs"], str(request.base_url))
    return Response(content, media_type="audio/x-mpegurl; charset=utf-8", headers=name)


@router.get("/explore")
def explore(request: Request, recipe: Recipe) -> Response:
    """Page with a form for recipes, and the playlist with the reason for each song."""
    made, fault = None, ""
    if recipe["seeds"]:
        try:
            made = _made(request, recipe)
        except InputError as error:
            fault = str(error)
    query = urlencode(list(request.query_params.multi_items()))
    return page(
        request, "explore.html.j2", 422 if fault else 200, made=made, fault=fault, query=query, kinds=KINDS,
        curves=list(CURVES), asked=recipe, names=extract_of(request).largest,
    )  # fmt: skip


def _made(request: Request, recipe: JsonView) -> JsonObject:
    if not recipe["seeds"]:
        raise InputError("Name a seed: genre:NAME, song:ARTIST - TITLE or artist:NAME.")
    try:
        return make_recipe(extract_of(request), **recipe)
    except pydantic.ValidationError as error:
        words = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
        raise InputError(words) from None
