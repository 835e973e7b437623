-- Agreement of the positions of genres on the current maps of two lenses. Values at or below chance are not significant.
SELECT m.lens,
       o.lens AS other_lens,
       c.n_genres,
       c.mantel,
       c.mantel_chance,
       c.procrustes_r2,
       c.procrustes_chance,
       c.map_id,
       c.other_map_id
FROM {{ map_comparisons }} AS c
JOIN {{ current_maps }} AS m ON m.map_id = c.map_id
JOIN {{ current_maps }} AS o ON o.map_id = c.other_map_id
