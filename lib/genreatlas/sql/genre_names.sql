-- The name of every genre id, of genres that songs carry and of those above them.
-- optional: genre_parents
SELECT genre_id, min(genre) AS genre
FROM (SELECT genre_id, genre FROM {{ song_genres_all }}
      UNION ALL SELECT genre_id, genre FROM {{ genre_parents }}
      UNION ALL SELECT parent_id, parent FROM {{ genre_parents }})
GROUP BY genre_id
