-- Change of each genre from decade to decade on the current map of the lens sound. A distance that is not clearly above
-- distance_by_chance is not significant. x_now and y_now are the genre's position on the map; born is the 10 % quantile
-- of the years of its recordings.
SELECT e.genre_id,
       e.genre,
       e.decade,
       e.n_songs,
       e.x,
       e.y,
       e.distance,
       e.distance_by_chance,
       p.x AS x_now,
       p.y AS y_now,
       f.born,
       f.born_low,
       f.born_high,
       e.map_id
FROM {{ genre_evolution }} AS e
JOIN {{ current_maps }} AS m ON m.map_id = e.map_id
JOIN {{ genre_positions }} AS p ON p.map_id = e.map_id AND p.genre_id = e.genre_id
JOIN {{ genre_profiles }} AS f ON f.profile_id = m.profile_id AND f.genre_id = e.genre_id
