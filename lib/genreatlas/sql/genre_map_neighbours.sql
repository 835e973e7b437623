-- Nearest genres of each genre in all dimensions of the profiles behind the current map of each lens.
SELECT m.lens,
       n.genre_id,
       f.genre,
       n.rank,
       n.neighbour_id,
       n.neighbour,
       n.distance,
       n.similarity,
       n.profile_id
FROM {{ current_maps }} AS m
JOIN {{ genre_neighbours }} AS n ON n.profile_id = m.profile_id
JOIN {{ genre_profiles }} AS f ON f.profile_id = n.profile_id AND f.genre_id = n.genre_id
