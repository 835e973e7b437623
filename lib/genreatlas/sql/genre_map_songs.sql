-- Typical songs of each genre of the current maps, the most typical first.
SELECT t.genre_id,
       f.genre,
       t.rank,
       t.song_id,
       s.title,
       s.artist,
       t.distance,
       t.profile_id
FROM (SELECT DISTINCT profile_id FROM {{ current_maps }}) AS m
JOIN {{ genre_typical_songs }} AS t ON t.profile_id = m.profile_id
JOIN {{ genre_profiles }} AS f ON f.profile_id = t.profile_id AND f.genre_id = t.genre_id
LEFT JOIN {{ songs_all }} AS s ON s.song_id = t.song_id
