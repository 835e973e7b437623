-- Position of each genre on the current map of each lens, with its region and number of songs.
SELECT m.lens,
       p.genre_id,
       p.genre,
       p.x,
       p.y,
       p.instability,
       p.known,
       f.n_songs,
       f.n_artists,
       f.own,
       f.region,
       r.name AS region_name,
       f.subregion,
       s.name AS subregion_name,
       m.map_id,
       m.profile_id
FROM {{ current_maps }} AS m
JOIN {{ genre_positions }} AS p ON p.map_id = m.map_id
JOIN {{ genre_profiles }} AS f ON f.profile_id = m.profile_id AND f.genre_id = p.genre_id
LEFT JOIN {{ genre_regions }} AS r
  ON r.profile_id = m.profile_id AND r.resolution = 'coarse' AND r.region = f.region
LEFT JOIN {{ genre_regions }} AS s
  ON s.profile_id = m.profile_id AND s.resolution = 'fine' AND s.region = f.subregion
