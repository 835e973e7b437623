"""Render the report page and its picture files."""

import base64
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import jinja2
import pandas as pd
from markupsafe import Markup

from genreatlas import tables
from genreatlas.models.engines import is_baseline
from genreatlas.report import boards, flags, number_formats, page_pictures, views
from genreatlas.report.data import ReportData
from genreatlas.report.plots import small_whisker


@dataclass(frozen=True)
class Page:
    """The HTML of the page, and the contents of its additional files by name."""

    html: str
    files: dict[str, bytes]


def render(data: ReportData) -> Page:
    """Render the page from its data.

    The page is one file with inline style, pictures and sound; it makes no requests and runs no script. If there are
    more genres than a table shows, an additional page lists all, with a script to search them.
    """
    every_board = boards.boards(data.models, data.scores, data.metric, data.level, data.labels)
    board = every_board[0] if every_board else None
    drawn = page_pictures.draw(data, board)
    every = views.every_genre(data, board.shown_closely[0]["model_id"]) if board else []
    searchable = len(every) if len(every) > views.LONGEST_TABLE else 0
    html = (
        environment()
        .get_template("index.html.j2")
        .render(
            data=data,
            board=board,
            every_board=every_board,
            close=board.shown_closely if board else [],
            pictures=drawn,
            searchable=searchable,
            flags=flags.flags(data, board),
            source=_Sources(data),
            views=views,
            boards=boards,
            whisker=lambda *cell: Markup(small_whisker(*cell)),
            style=Markup(resource("plot.css") + resource("page.css")),
        )
    )
    css = resource("plot.css")
    beside = {f"{_file_name(figure.name)}.svg": figure.file(css).encode() for figure in drawn.figures}
    if board and searchable:
        table = environment().get_template("genres.html.j2")
        style, model = Markup(resource("page.css")), board.shown_closely[0]
        beside["genres.html"] = table.render(data=data, model=model, rows=every, style=style).encode()
    for index, card in enumerate(drawn.sounds):
        if card.spectrogram:
            beside[f"spectrogram_{index:02d}.png"] = base64.b64decode(card.spectrogram.partition(",")[2])
    return Page(html, beside)


class _Sources:
    """Template function: line with the tables, versions and runs that the numbers of a section come from."""

    def __init__(self, data: ReportData) -> None:
        self._versions = data.versions
        self._runs = dict(zip(data.runs["step"], data.runs["run_id"], strict=True)) if len(data.runs) else {}
        self._writers = {table.name: table.written_by for table in tables.TABLES}

    def __call__(self, *names: str) -> Markup:
        known = [name for name in names if name in self._versions]
        if not known:
            return Markup("")
        written = [
            Markup("<code>{}</code> version {}").format(name, self._versions[name]) for name in dict.fromkeys(known)
        ]
        steps = [step for name in known for step in self._writers.get(name, ("extract_features", "import_features"))]
        runs = [
            Markup('{} <code title="{}">{}</code>').format(step, self._runs[step], self._runs[step][:8])
            for step in dict.fromkeys(steps)
            if step in self._runs
        ]
        tables_text = Markup(", ").join(written)
        runs_text = Markup("; written by ") + Markup(", ").join(runs) if runs else Markup("")
        return Markup('<p class="source">From {}{}.</p>').format(tables_text, runs_text)


def _file_name(stem: str) -> str:
    """Safe file name: stems contain names of imported feature columns, which may have any characters."""
    return re.sub(r"[^\w.-]", "_", stem, flags=re.ASCII).lstrip(".")[:100]


@cache
def environment() -> jinja2.Environment:
    """Jinja environment with the filters of the pages; autoescape is on."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        score=number_formats.score,
        interval=number_formats.interval,
        count=number_formats.count,
        percent=number_formats.percent,
        p_value=number_formats.p_value,
        amount=number_formats.amount,
        duration=number_formats.duration,
        clock=number_formats.clock,
        length_of_clips=number_formats.length_of_clips,
        words=number_formats.words,
        settings=number_formats.settings,
        shortened=number_formats.shortened,
        exact_score=lambda value: number_formats.exact(value, number_formats.score(value)),
        exact_percent=lambda value: number_formats.exact(value, number_formats.percent(value)),
        exact_count=lambda value: number_formats.exact(value, number_formats.count(value)),
        exact_p=lambda value: number_formats.exact(value, number_formats.p_value(value)),
        metric_words=views.metric_words,
        model_name=boards.model_name,
        model_note=boards.model_note,
        svg=lambda figure: Markup(figure.inline),
        records=lambda frame: frame.astype(object).where(frame.notna(), None).to_dict("records"),
        missing=number_formats.missing,
        day=lambda value: (
            number_formats.MISSING if number_formats.missing(value) else f"{pd.Timestamp(value):%Y-%m-%d %H:%M}"
        ),
    )
    made.tests["baseline"] = is_baseline
    return made


def resource(name: str) -> str:
    """Text of a file in the folder of templates."""
    return (files("genreatlas.report") / "templates" / name).read_text(encoding="utf-8")
