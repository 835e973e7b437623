-- Songs with their genres, part of the split and clips. genre: the genre of songs with exactly one, else NULL.
-- optional: clips
SELECT s.song_id,
       s.title,
       s.artist,
       s.album,
       l.genre_ids,
       l.genres,
       coalesce(l.n_genres, 0) AS n_genres,
       CASE WHEN l.n_genres = 1 THEN l.first_genre END AS genre,
       p.part,
       p.fold,
       p.group_id,
       p.grouped_by,
       p.reason AS excluded_because,
       coalesce(c.n_clips, 0) AS n_clips,
       c.seconds,
       s.source,
       s.licence
FROM {{ songs }} AS s
LEFT JOIN (SELECT song_id,
                  array_sort(array_agg(genre_id)) AS genre_ids,
                  array_sort(array_agg(genre)) AS genres,
                  count(*) AS n_genres,
                  min(genre) AS first_genre
           FROM {{ song_labels }}
           GROUP BY song_id) AS l ON l.song_id = s.song_id
LEFT JOIN {{ current_split }} AS p ON p.song_id = s.song_id
LEFT JOIN (SELECT song_id, count(*) AS n_clips, sum(length_s) AS seconds
           FROM {{ clips }}
           GROUP BY song_id) AS c ON c.song_id = s.song_id
