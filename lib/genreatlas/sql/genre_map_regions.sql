-- Regions of the current map of each lens, with the median position of their genres.
SELECT m.lens,
       r.resolution,
       r.region,
       r.inside,
       r.name,
       r.words,
       r.largest,
       r.n_genres,
       median(g.x) AS x,
       median(g.y) AS y,
       m.map_id
FROM {{ current_maps }} AS m
JOIN {{ genre_regions }} AS r ON r.profile_id = m.profile_id
JOIN {{ genre_map }} AS g
  ON g.map_id = m.map_id AND r.region = CASE WHEN r.resolution = 'coarse' THEN g.region ELSE g.subregion END
GROUP BY m.lens, r.resolution, r.region, r.inside, r.name, r.words, r.largest, r.n_genres, m.map_id
