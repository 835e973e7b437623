-- Name of every genre id: genres of songs and their parent genres.
-- optional: genre_parents
SELECT genre_id, min(genre) AS genre
FROM (SELECT genre_id, genre FROM {{ song_genres_all }}
      UNION ALL SELECT genre_id, genre FROM {{ genre_parents }}
      UNION ALL SELECT parent_id, parent FROM {{ genre_parents }})
GROUP BY genre_id
