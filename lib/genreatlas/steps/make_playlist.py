"""Make playlists from recipes: as tables, as files and, on request, at Spotify."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config, PlaylistRecipe
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError, FetchError, InputError, LimitReachedError, ModelError, ProviderPausedError
from genreatlas.ids import stable_id
from genreatlas.models import aliases
from genreatlas.playlists import files, saving
from genreatlas.playlists.making import VERSION, Playlist, make
from genreatlas.playlists.music import camelot
from genreatlas.playlists.ordering import ranks
from genreatlas.playlists.publishing import publish
from genreatlas.playlists.reading import Found, read_beside, read_songs
from genreatlas.provenance import git_commit
from genreatlas.report.sounds import with_audio
from genreatlas.sources.spotify.publishing import Publisher, open_publisher
from genreatlas.store import Snapshot, Store
from genreatlas.tables import GENERATED_PLAYLIST_SONGS, GENERATED_PLAYLISTS, PLAYLIST_RECIPES
from genreatlas.values import Row

READS = (
    "songs", "artists", "song_artists", "song_genres", "genre_parents", "clips", "clip_audio", "feature_sets",
    "features_<set>", "vectors_<set>", "maps", "genre_tree", "neighbour_spaces", "song_neighbours", "scores", "models",
    "promotions", "playlist_recipes", "recording_links",
)  # fmt: skip
WRITES = ("playlist_recipes", "generated_playlists", "generated_playlist_songs", "published_playlists")
SECTIONS = ("playlist",)
check = checks.make_playlist


@dataclass(frozen=True)
class _Wanted:
    """A recipe, and the feature set and excluded columns by which its songs are compared."""

    recipe: PlaylistRecipe
    feature_set: str
    exclude: tuple[str, ...]

    @property
    def recipe_id(self) -> str:
        return stable_id("playlist recipe", self.recipe.to_json(), self.feature_set, json.dumps(self.exclude))


@dataclass(frozen=True)
class _Draft:
    """A playlist that is not stored yet."""

    wanted: _Wanted
    playlist: Playlist
    found: Found

    def identify(self, previous: str | None) -> str:
        """Id of the playlist, given the id of the previous playlist with the same name."""
        song_ids = self.found.songs.facts["song_id"]
        content = json.dumps([(song_ids.iloc[e.row], e.role, e.reason) for e in self.playlist.entries])
        return stable_id("playlist", VERSION, self.wanted.recipe_id, content, previous or "")


@dataclass(frozen=True)
class _Made:
    """A playlist with its id, stored or about to be stored."""

    draft: _Draft
    playlist_id: str


def run(store: Store, config: Config) -> Counts:
    """Make playlists from the recipes of ``[playlist]`` and from the stored recipes that it lists.

    The same songs give the same playlist. Counts are playlists; unchanged ones count as skipped.

    Raises
    ------
    ConfigError : there is no recipe, or songs cannot be compared by the feature set.
    InputError : no recipe could be made.
    LimitReachedError : Spotify's rate limit pauses requests. A later run continues.
    """
    wanted = _wanted(store, config)
    snapshot = Snapshot(store)
    drafts: list[_Draft] = []
    notes: list[str] = []
    failed: list[str] = []
    for (feature_set, exclude), group in _by_set(wanted).items():
        changed = config.playlist.model_copy(update={"feature_set": feature_set, "exclude": exclude})
        found = read_songs(snapshot, config.model_copy(update={"playlist": changed}))
        notes += found.notes
        for one in group:
            try:
                model = aliases.resolve(snapshot, one.recipe.model) if one.recipe.kind == "predicted" else None
                mine, beside = read_beside(snapshot, found, one.recipe, model["model_id"] if model else None)
                playlist = make(mine.songs, one.recipe, feature_set, beside)
            except (InputError, ModelError) as error:
                failed.append(str(error))
                continue
            drafts.append(_Draft(one, playlist, mine))
            seconds = sum(mine.songs.seconds[entry.row] for entry in playlist.entries)
            length = f", {seconds / 60:.0f} minutes" if math.isfinite(seconds) else ""
            notes.append(f"{one.recipe.name}: {len(playlist.entries)} songs{length}")
            said = playlist.notes if mine is found else (*mine.notes, *playlist.notes)
            notes += [f"{one.recipe.name}: {note}" for note in said]
    if not drafts:
        raise InputError("; ".join(failed))
    made, written = _stored(store, snapshot, drafts)
    notes += _write_files(store, config, drafts)
    notes += [f"not made: {text}" for text in failed]
    counts = Counts(len(wanted), written, len(failed), len(made) - written, tuple(dict.fromkeys(notes)))
    return counts + Counts(notes=tuple(_published(store, config, made, counts)))


def _wanted(store: Store, config: Config) -> list[_Wanted]:
    """Recipes of the configuration, and the stored recipes that it lists; the configuration takes precedence.

    Raises
    ------
    ConfigError : there are no recipes, or a listed stored recipe does not exist.
    """
    section = config.playlist
    found = {one.name: _Wanted(one, section.feature_set, section.exclude) for one in section.recipes}
    if section.stored:
        rows = store.read(PLAYLIST_RECIPES).orderBy("name", F.desc("sequence")).collect()
        newest: Row = {}
        for row in rows:
            newest.setdefault(row["name"], row)
        by_id: Row = {row["recipe_id"]: row for row in rows}
        for name in section.stored:
            if name == "*":
                named = list(newest.values())
            elif (stored := newest.get(name) or by_id.get(name)) is not None:
                named = [stored]
            else:
                there = ", ".join(newest) or "none"
                raise ConfigError(f"playlist.stored: no stored recipe is called {name!r}. Stored: {there}.")
            for row in named:
                recipe = PlaylistRecipe.model_validate_json(row["recipe"])
                found.setdefault(recipe.name, _Wanted(recipe, row["feature_set"], tuple(row["exclude"])))
    if not found:
        raise ConfigError("playlist.recipes and playlist.stored are empty. Set one of them.")
    return list(found.values())


def _by_set(wanted: Iterable[_Wanted]) -> dict[tuple[str, tuple[str, ...]], list[_Wanted]]:
    """Group recipes by feature set and excluded columns, so that songs are read once per group."""
    groups: dict[tuple[str, tuple[str, ...]], list[_Wanted]] = {}
    for one in wanted:
        groups.setdefault((one.feature_set, one.exclude), []).append(one)
    return groups


def _stored(store: Store, snapshot: Snapshot, drafts: Sequence[_Draft]) -> tuple[list[_Made], int]:
    """Write new recipes and new or changed playlists; return all playlists, and the number of written ones.

    Rows of ``generated_playlists`` are written last, because readers start from them.
    """
    known = store.read(PLAYLIST_RECIPES).select("recipe_id", "name", "sequence").collect()
    columns = ("name", "sequence", "playlist_id", "previous_id")
    newest = store.read(GENERATED_PLAYLISTS).select(*columns).orderBy("sequence").collect()
    present: Row = {row["name"]: row for row in newest}
    made: list[_Made] = []
    recipes: list[Row] = []
    songs: list[Row] = []
    playlists: list[Row] = []
    for draft in drafts:
        name = draft.wanted.recipe.name
        if not any(row["recipe_id"] == draft.wanted.recipe_id for row in known):
            recipes.append(_recipe_row(store, draft.wanted, [row["sequence"] for row in known if row["name"] == name]))
        last = present.get(name)
        if last is not None and last["playlist_id"] == draft.identify(last["previous_id"]):
            made.append(_Made(draft, last["playlist_id"]))
            continue
        one = _Made(draft, draft.identify(last["playlist_id"] if last is not None else None))
        made.append(one)
        songs += _song_rows(one)
        playlists.append(_playlist_row(store, snapshot, one, last))
    store.upsert(PLAYLIST_RECIPES, recipes)
    store.upsert(GENERATED_PLAYLIST_SONGS, songs, update=True)
    store.upsert(GENERATED_PLAYLISTS, playlists)
    return made, len(playlists)


def _recipe_row(store: Store, wanted: _Wanted, sequences: Sequence[int]) -> Row:
    recipe = wanted.recipe
    return {
        "recipe_id": wanted.recipe_id,
        "name": recipe.name,
        "sequence": max(sequences, default=0) + 1,
        "kind": recipe.kind,
        "recipe": recipe.to_json(),
        "feature_set": wanted.feature_set,
        "exclude": list(wanted.exclude),
        "created_at": datetime.now(UTC),
        "run_id": store.run_id,
    }


def _song_rows(made: _Made) -> Iterator[Row]:
    songs = made.draft.found.songs
    energy = ranks(songs.energy)
    for place, entry in enumerate(made.draft.playlist.entries, 1):
        yield {
            "playlist_id": made.playlist_id,
            "position": place,
            "song_id": songs.facts["song_id"].iloc[entry.row],
            "role": entry.role,
            "reason": entry.reason,
            "distance": _number(entry.distance),
            "step": _number(entry.step),
            "tempo": _number(songs.tempo[entry.row]),
            "camelot": camelot(songs.key[entry.row], songs.minor[entry.row]),
            "loudness": _number(songs.loudness[entry.row]),
            "energy": _number(energy[entry.row]),
            "seconds": _number(songs.seconds[entry.row]),
        }


def _playlist_row(store: Store, snapshot: Snapshot, made: _Made, last: Any) -> Row:
    playlist = made.draft.playlist
    seconds = [made.draft.found.songs.seconds[entry.row] for entry in playlist.entries]
    return {
        "playlist_id": made.playlist_id,
        "recipe_id": made.draft.wanted.recipe_id,
        "name": made.draft.wanted.recipe.name,
        "sequence": last["sequence"] + 1 if last is not None else 1,
        "previous_id": last["playlist_id"] if last is not None else None,
        "n_songs": len(playlist.entries),
        "seconds": float(sum(one for one in seconds if math.isfinite(one))),
        "largest_step": max((e.step for e in playlist.entries if math.isfinite(e.step)), default=None),
        "notes": list(playlist.notes),
        "input_versions": snapshot.read_versions,
        "made_at": datetime.now(UTC),
        "git_commit": git_commit(),
        "run_id": store.run_id,
    }


def _write_files(store: Store, config: Config, drafts: Sequence[_Draft]) -> list[str]:
    """Write playlist files, and clips if ``playlist.save_clips`` is set; return lines for the summary."""
    section = config.playlist
    if not section.formats:
        return []
    names: dict[str, str] = {}
    for name in sorted(one.wanted.recipe.name for one in drafts):
        names[name] = files.file_name(name, list(names.values()))
    saved: dict[int, dict[int, Any]] = {}
    notes = []
    silent = 0
    for one in drafts:
        if id(one.found) not in saved:
            mine = [other.playlist for other in drafts if other.found is one.found]
            clips = one.found.clips.loc[saving.without_file(one.found, mine)] if section.save_clips else None
            saved[id(one.found)] = {} if clips is None else saving.save_clips(section.path, with_audio(store, clips))
        lines = saving.lines(one.found, one.playlist, saved[id(one.found)])
        silent += sum(line.path is None for line in lines)
        name = one.wanted.recipe.name
        files.write(section.path, name, names[name], lines, section.formats)
    notes.append(f"files: {', '.join(section.formats)} in {section.path}")
    if silent:
        hint = "" if section.save_clips else "; playlist.save_clips writes the clips of those that have one"
        notes.append(f"{silent} songs have no file here, and are listed by their link or as a comment{hint}")
    return notes


def _published(store: Store, config: Config, made: Sequence[_Made], counts: Counts) -> list[str]:
    """Send playlists to Spotify, or report what would be sent if ``playlist.publish`` is false.

    Raises
    ------
    LimitReachedError : Spotify's rate limit pauses requests.
    """
    section = config.playlist
    ids = [_spotify_ids(one) for one in made]
    if not section.publish:
        said = "nothing was sent (playlist.publish = false)"
        return [
            f"{one.draft.wanted.recipe.name}: would be sent to Spotify with {sum(map(bool, each))} songs; {said}"
            for one, each in zip(made, ids, strict=True)
            if any(each)
        ]
    publisher: Publisher = open_publisher(config.spotify, config.fan_out)
    notes = []
    try:
        account = publisher.account()
        for one, each in zip(made, ids, strict=True):
            recipe = one.draft.wanted.recipe
            description = f"{recipe.kind.capitalize()}: {', '.join(recipe.seeds) or 'what is in a library'}."
            notes.append(
                publish(store, publisher, account, recipe.name, one.playlist_id, each, description, section.public)
            )
    except ProviderPausedError as error:
        raise LimitReachedError(str(error), counts) from None
    except FetchError as error:
        if not error.transient:
            raise
        raise LimitReachedError(f"Spotify did not accept the playlists: {error}. Run the step again.", counts) from None
    return notes


def _spotify_ids(one: _Made) -> list[str | None]:
    ids = one.draft.found.songs.facts["spotify_id"]
    found: list[Any] = [ids.iloc[entry.row] for entry in one.draft.playlist.entries]
    return [each if isinstance(each, str) else None for each in found]


def _number(value: float | None) -> float | None:
    """Number for a column; None (NULL) if missing or not finite."""
    return None if value is None or not math.isfinite(value) else float(value)
