"""The site's database on SQLite and on a real PostgreSQL: queue, results, corrections, versions, and going away."""

import json
import shutil
import threading
import uuid
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("alembic")
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import postgres
from genreatlas.web.database import Database, NotPrepared, metadata
from genreatlas.web.work import EVERYBODY, MOST_TRIES, STALE_S, Work


@pytest.fixture(scope="module")
def server():
    if reason := postgres.missing():
        pytest.skip(reason)
    with postgres.Postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/site.sqlite"
    return request.getfixturevalue("server").database(uuid.uuid4().hex)


@pytest.fixture
def work(url):
    made = Work(url)
    yield made
    made.database.engine.dispose()


def add(work: Work, visitor: str = "me", key: str = "audio", name: str = "a.wav") -> str:
    return work.add(visitor, key, name, Path("/uploads") / key, uploaded=True, keep_s=60)


def test_an_analysis_is_taken_once_in_the_order_of_arrival_and_found_by_its_visitor_alone(work):
    first, second = add(work, key="one"), add(work, key="two", name="Ünï 東京 \U0001f3b5")
    assert work.waiting() == 2
    jobs = [work.take(), work.take()]
    assert [job.analysis_id for job in jobs] == [first, second]
    assert work.take() is None
    assert work.finish(jobs[0], {"genres": [{"name": "House \x00"}]})
    found = work.find("me", "one")
    assert (found.state, found.answer) == ("done", {"genres": [{"name": "House \x00"}]})
    assert work.get(second, "me").name == "Ünï 東京 \U0001f3b5"
    assert work.get(first, "somebody else") is None and work.find("somebody else", "one") is None
    everybody = work.add(EVERYBODY, "clip", "a song", Path("/clip"), uploaded=False, keep_s=60)
    assert work.get(everybody, "me").analysis_id == everybody
    assert [job.analysis_id for job in work.of_visitor("me")] == [second, first]


def test_eight_queues_at_once_take_each_analysis_once(work):
    ids = {add(work, key=str(number)) for number in range(40)}
    taken: list[str] = []

    def take() -> None:
        while (job := work.take()) is not None:
            taken.append(job.analysis_id)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(taken) == sorted(ids)


def test_a_queue_that_was_thought_dead_keeps_its_answer_and_cannot_fail_what_another_does(work):
    add(work)
    slow = work.take(now=1000.0)
    other = work.take(now=1000.0 + STALE_S + 1)
    assert (other.analysis_id, other.tries) == (slow.analysis_id, 2)
    assert not work.fail(slow, "not_analysed", "its file is gone")
    assert work.finish(slow, {"genres": []})
    assert not work.finish(other, {"genres": ["late"]})
    assert not work.fail(other, "crashed", "late")
    assert work.get(slow.analysis_id, "me").answer == {"genres": []}


def test_what_kills_every_queue_fails(work):
    identity = add(work)
    for number in range(MOST_TRIES):
        assert work.take(now=1000.0 * (number + 1)).tries == number + 1
    assert work.take(now=1e6) is None
    assert (work.get(identity, "me").state, work.get(identity, "me").reason) == ("failed", "crashed")


def test_corrections_are_one_for_each_visitor_and_subject(work):
    work.correct("me", "house", song_id="s", said="techno", model_id="m")
    work.correct("me", "ambient", song_id="s", said="techno", model_id="m")
    work.correct("you", "house", song_id="s")
    work.correct("me", "house", sha256="f" * 64)
    kept = [(row["visitor"], row["song_id"], row["genre_id"]) for row in work.corrections()]
    assert kept == [("me", "s", "ambient"), ("you", "s", "house"), ("me", None, "house")]


def test_what_is_over_is_forgotten_with_its_upload(work):
    identity = add(work, key="one")
    job = work.get(identity, "me")
    assert work.expire(now=job.expires - 1) == []
    assert work.expire(now=job.expires + 1) == [Path("/uploads/one")]
    assert work.get(identity, "me") is None


def test_the_migrations_make_the_tables_that_the_code_declares(work):
    work.waiting()
    with work.database.changing() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() is not None


def test_a_database_of_before_the_migrations_is_taken_over_with_its_rows(url):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE analyses (analysis_id VARCHAR(40) NOT NULL PRIMARY KEY, visitor VARCHAR(64) NOT NULL, "
            "cache_key VARCHAR(64) NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, uploaded BOOLEAN NOT NULL, "
            "state VARCHAR(8) NOT NULL, tries INTEGER NOT NULL, created FLOAT NOT NULL, seen FLOAT NOT NULL, "
            "expires FLOAT NOT NULL, result TEXT, reason VARCHAR(40), detail TEXT)",
            "CREATE INDEX analyses_by_state ON analyses (state, created)",
            "CREATE INDEX analyses_by_key ON analyses (visitor, cache_key)",
            "CREATE TABLE corrections (correction_id VARCHAR(40) NOT NULL PRIMARY KEY, song_id TEXT, "
            "sha256 VARCHAR(64), genre_id TEXT NOT NULL, said TEXT, model_id TEXT, visitor VARCHAR(64) NOT NULL, "
            "created FLOAT NOT NULL)",
            "INSERT INTO corrections VALUES ('c', 's', NULL, 'house', NULL, NULL, 'me', 1.0)",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    work = Work(url)
    assert [row["song_id"] for row in work.corrections()] == ["s"]
    add(work)
    assert work.take() is not None
    with work.database.changing() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    work.database.engine.dispose()


def test_two_processes_that_start_at_once_make_the_tables_once(url):
    works = [Work(url) for _ in range(4)]
    faults: list[Exception] = []

    def use(one: Work) -> None:
        try:
            add(one)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=use, args=(one,)) for one in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert works[0].waiting() == 4
    for one in works:
        one.database.engine.dispose()


def test_who_does_not_prepare_waits_for_the_tables_and_a_later_releases_tables_are_left_as_they_are(url):
    queue = Work(url, prepares=False)
    if url.startswith("sqlite"):
        with pytest.raises(sa.exc.OperationalError):
            queue.take()
        sa.create_engine(url).connect().close()  # an empty file
    with pytest.raises(NotPrepared):
        queue.take()
    server = Work(url)
    server.waiting()
    assert queue.take() is None
    with server.database.changing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'of_next_year'")
    assert Work(url).waiting() == 0
    with server.database.changing() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "of_next_year"
    for one in (queue, server):
        one.database.engine.dispose()


def test_an_sqlite_file_that_is_away_is_neither_written_to_nor_replaced_by_an_empty_one(tmp_path):
    (tmp_path / "disk").mkdir()
    work = Work(f"sqlite:///{tmp_path}/disk/site.sqlite")
    first = add(work, key="one")
    shutil.move(tmp_path / "disk", tmp_path / "away")
    (tmp_path / "disk").mkdir()  # as the mount point of a disk that is gone
    for _ in range(2):
        with pytest.raises(sa.exc.SQLAlchemyError):
            add(work, key="two")
    assert list((tmp_path / "disk").iterdir()) == []
    (tmp_path / "disk").rmdir()
    shutil.move(tmp_path / "away", tmp_path / "disk")
    third = add(work, key="three")
    assert [work.take().analysis_id, work.take().analysis_id, work.take()] == [first, third, None]


def test_an_sqlite_file_that_is_locked_is_given_up_within_seconds(tmp_path):
    work = Work(f"sqlite:///{tmp_path}/site.sqlite")
    add(work, key="one")
    holder = Database(f"sqlite:///{tmp_path}/site.sqlite").engine.raw_connection()
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sa.exc.OperationalError, match="locked"):
        add(work, key="two")
    holder.rollback()
    add(work, key="three")
    assert work.waiting() == 2


def test_a_server_that_was_switched_off_is_used_again_without_a_restart_and_loses_nothing(server):
    work = Work(server.database(uuid.uuid4().hex))
    first = add(work, key="one")
    job = work.take()
    server.stop()
    try:
        for _ in range(2):
            with pytest.raises(sa.exc.SQLAlchemyError):
                add(work, key="two")
        with pytest.raises(sa.exc.SQLAlchemyError):
            work.finish(job, {})
    finally:
        server.start()
    assert work.finish(job, {"genres": []})
    second = add(work, key="two")
    assert [work.get(one, "me").state for one in (first, second)] == ["done", "queued"]
    work.database.engine.dispose()


def test_the_image_installs_extras_that_there_are_and_sets_keys_that_there_are():
    import re
    import tomllib

    from genreatlas.config import load_config

    root = Path(__file__).parents[2]
    text = (root / "conf" / "web" / "Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    set_there = re.findall(r"--set=(?:')?([^\s'\"]+=(?:\[[^\]]*\]|[^\s'\"]*))", text)
    assert len(set_there) == 6
    config = load_config([], set_there)
    assert (config.web.host, config.web.path.as_posix()) == ("0.0.0.0", "/data/site")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert all((root / one).exists() for line in copied for one in line.split())


def test_the_image_starts_a_command_that_there_is_as_a_user_without_root_rights():
    import importlib
    import re
    import tomllib

    from genreatlas.cli import JOBS

    root = Path(__file__).parents[2]
    text = (root / "conf" / "web" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    *_, last = re.split(r"^FROM ", text, flags=re.MULTILINE)
    lines = [line.split(maxsplit=1) for line in last.splitlines() if re.match(r"[A-Z]+ ", line)]
    (command,) = [json.loads(rest) for word, rest in lines if word == "ENTRYPOINT"]
    scripts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, function = scripts[Path(command[0]).name].split(":")
    assert callable(getattr(importlib.import_module(module), function)) and command[1] in JOBS

    (user,) = [rest for word, rest in lines if word == "USER"]
    (made,) = [re.search(r"useradd .*--uid (\d+)", rest).group(1) for word, rest in lines if "useradd" in rest]
    assert user == made and int(user) > 0
    words = [word for word, _ in lines]
    assert "RUN" not in words[words.index("USER") :]  # nothing is installed as that user, and nothing resets it
