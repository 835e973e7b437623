-- One row per song and genre, regardless of the number of sources. n_genres: number of genres of the song.
SELECT song_id,
       genre_id,
       min(min(genre)) OVER (PARTITION BY genre_id) AS genre,
       max(weight) AS weight,
       count(*) AS n_sources,
       count(*) OVER (PARTITION BY song_id) AS n_genres
FROM {{ song_genres }}
GROUP BY song_id, genre_id
