"""The report's section on topics: genres with lift, and songs to hear them in."""

from dataclasses import replace

from genreatlas.report.data import Player, Topic, TopicSong
from genreatlas.report.page import render
from genreatlas.report.topics import in_turns, topic_of
from report_factory import report_data

TOPICS = (
    Topic("topics20", 7, 0.25, (("Folk & <Roots>", 0.5, 2.0), ("House", 0.1, 0.4)),
          (TopicSong("s1", "Ann – <i>Song</i>", 0.93), TopicSong("s2", "Bob – B", 0.9, "bob/other.mp3", 30.0, 30.0))),
    Topic("topics20", 2, 0.05),
)  # fmt: skip


def section(**changes):
    html = render(replace(report_data(), topics=TOPICS, **changes)).html
    assert '<a href="#topics">' in html
    found = html[html.index('<section id="topics">') :]
    return found[: found.index("</section>")]


def test_topics_have_their_genres_with_lift_and_songs_to_hear():
    text = section(players={"s1": Player("s1", "data:audio/mpeg;base64,AAAA")})
    assert "The 2 topics of <code>topics20</code>" in text
    assert "Folk &amp; &lt;Roots&gt;" in text and "lift 2.0" in text and "lift 0.4" in text
    assert "<i>Song" not in text and '<audio controls preload="none" src="data:audio/mpeg;base64,AAAA"' in text
    assert "<code>bob/other.mp3</code>, 0:30 to 1:00" in text
    assert "<code>topics</code> version 3" in text and "<code>topic_models</code> version 3" in text
    assert text.index(">7</th>") < text.index(">2</th>")


def test_a_song_that_cannot_be_played_says_why():
    assert "0:30 to 1:00; gone" in section(players={"s2": Player("s2", problem="gone")})


def test_without_topics_there_is_no_section():
    assert 'id="topics"' not in render(report_data()).html and '"#topics"' not in render(report_data()).html


def test_the_first_song_of_every_topic_is_heard_before_the_second_of_any():
    assert in_turns([["a", "b", "c"], ["d"], [], ["a", "e"]]) == ["a", "d", "b", "e", "c"]


def test_a_row_of_the_table_becomes_what_the_page_shows():
    row = {"feature_set": "topics5", "topic": 3, "share": 0.2, "genre_names": ["Folk"], "genre_shares": [0.4],
           "genre_lifts": [2.0], "examples": ["s1", "s9"], "example_shares": [0.8, 0.7]}  # fmt: skip
    clips = {"s1": {"title": "T", "artist": "A", "path": "t.mp3", "start_s": 1.0, "length_s": 2.0}}
    songs = (TopicSong("s1", "A – T", 0.8, "t.mp3", 1.0, 2.0), TopicSong("s9", "s9", 0.7))
    assert topic_of(row, clips) == Topic("topics5", 3, 0.2, (("Folk", 0.4, 2.0),), songs)
