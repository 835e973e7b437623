-- How large a genre is: all its songs, those that no other genre claims (n_alone), and those that others claim too.
-- optional: song_artists, clips
SELECT l.genre_id,
       min(l.genre) AS genre,
       count(*) AS n_songs,
       count(*) FILTER (WHERE l.n_genres = 1) AS n_alone,
       count(*) FILTER (WHERE l.n_genres > 1) AS n_shared,
       count(DISTINCT a.artist_id) AS n_artists,
       count(*) FILTER (WHERE p.part = 'train') AS n_train,
       count(*) FILTER (WHERE p.part = 'promotion') AS n_promotion,
       count(*) FILTER (WHERE p.part = 'test') AS n_test,
       count(*) FILTER (WHERE p.part = 'excluded') AS n_excluded,
       CAST(coalesce(sum(c.n_clips), 0) AS bigint) AS n_clips,
       sum(c.seconds) / 3600 AS hours
FROM {{ song_labels }} AS l
LEFT JOIN {{ song_artists }} AS a ON a.song_id = l.song_id AND a.position = 0
LEFT JOIN {{ current_split }} AS p ON p.song_id = l.song_id
LEFT JOIN (SELECT song_id, count(*) AS n_clips, sum(length_s) AS seconds
           FROM {{ clips }}
           WHERE replaced_by IS NULL
           GROUP BY song_id) AS c ON c.song_id = l.song_id
GROUP BY l.genre_id
