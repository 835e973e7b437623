"""Checks of the step ``probe``."""

from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.audio.layouts import get_layout
from genreatlas.checks.problems import Problem
from genreatlas.config import Config
from genreatlas.config.joined import members_of, not_joined
from genreatlas.config.probing import ApartTest
from genreatlas.errors import nearest
from genreatlas.ids import slug


def probe(config: Config) -> list[Problem]:
    """Experiments and their lists are valid, and feature sets can be used for training."""
    section = config.probe
    found = []
    if not section.experiments:
        found.append(
            Problem(
                "probe.experiments is empty: there is nothing to probe. Name alone, artist, change, apart or transfer."
            )
        )
    if section.max_genres < 2:
        found.append(Problem("probe.max_genres = 1: a classifier needs two genres. Set 2 or more."))
    names = [test.name for test in section.apart]
    found += [Problem(f"probe.apart: {name!r} occurs twice. Rename one.") for name in _twice(names)]
    for test in section.apart:
        genres = [slug(genre) for genre in test.genres]
        if len(set(genres)) < 2:
            found.append(Problem(f"probe.apart, {test.name}: two genres or more are needed. List them in genres."))
        if twice := _twice(genres):
            found.append(Problem(f"probe.apart, {test.name}: {', '.join(twice)} is listed twice. Remove one."))
        if test.quiet and slug(test.quiet) not in genres:
            text = f"probe.apart, {test.name}: quiet = {test.quiet!r} is not one of its genres. {_near(test)}"
            found.append(Problem(text))
    if "apart" in section.experiments and not section.apart and section.experiments == ("apart",):
        found.append(Problem("probe.apart is empty: there is nothing to probe. List genres to distinguish."))
    if "change" in section.experiments and not section.changes:
        found.append(Problem("probe.changes is empty: no clip is changed. Name a change, or drop it.", warning=True))
    for name in section.feature_sets:
        members = members_of(name)
        for member in members:
            known = FEATURE_SETS.get(member)  # None for imported tables
            if known is None:
                continue
            layout = get_layout(known.axis)
            if len(members) > 1 and not layout.joins:
                found.append(Problem(not_joined(name, member, known.axis).replace("train.feature_sets", _KEY)))
            elif not layout.learns or layout.in_order:
                text = f"{_KEY}: {name} holds {known.axis}, which probes cannot use. Name a summary or frames."
                found.append(Problem(text))
    return found


_KEY = "probe.feature_sets"


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _near(test: ApartTest) -> str:
    return nearest(test.quiet, test.genres)
