-- Size of each genre: all songs, songs of no other genre (n_alone) and songs that are also in other genres (n_shared).
-- Copies of one recording count once, except in clips and hours.
-- optional: song_artists, clips, recordings
SELECT l.genre_id,
       min(l.genre) AS genre,
       count(DISTINCT coalesce(r.recording_id, l.song_id)) AS n_songs,
       count(DISTINCT coalesce(r.recording_id, l.song_id)) FILTER (WHERE l.n_genres = 1) AS n_alone,
       count(DISTINCT coalesce(r.recording_id, l.song_id)) FILTER (WHERE l.n_genres > 1) AS n_shared,
       count(DISTINCT a.artist_id) AS n_artists,
       count(DISTINCT coalesce(r.recording_id, l.song_id)) FILTER (WHERE p.part = 'train') AS n_train,
       count(DISTINCT coalesce(r.recording_id, l.song_id)) FILTER (WHERE p.part = 'promotion') AS n_promotion,
       count(DISTINCT coalesce(r.recording_id, l.song_id)) FILTER (WHERE p.part = 'test') AS n_test,
       count(DISTINCT coalesce(r.recording_id, l.song_id)) FILTER (WHERE p.part = 'excluded') AS n_excluded,
       CAST(coalesce(sum(c.n_clips), 0) AS bigint) AS n_clips,
       sum(c.seconds) / 3600 AS hours
FROM {{ song_labels }} AS l
LEFT JOIN {{ song_artists }} AS a ON a.song_id = l.song_id AND a.position = 0
LEFT JOIN {{ recordings }} AS r ON r.song_id = l.song_id
LEFT JOIN {{ current_split }} AS p ON p.song_id = l.song_id
LEFT JOIN (SELECT song_id, count(*) AS n_clips, sum(length_s) AS seconds
           FROM {{ clips }}
           GROUP BY song_id) AS c ON c.song_id = l.song_id
GROUP BY l.genre_id
