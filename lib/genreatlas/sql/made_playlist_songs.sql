-- Songs of the current playlists in order, with names and the reason for each. Scored files that are not songs of the
-- store have their URI as title.
SELECT p.name AS playlist,
       s.position,
       o.artist,
       CASE WHEN o.song_id IS NULL THEN s.song_id ELSE o.title END AS title,
       o.album,
       s.reason,
       s.role,
       s.tempo,
       s.camelot,
       s.loudness,
       s.energy,
       s.step,
       s.distance,
       s.seconds,
       s.song_id,
       o.spotify_id,
       p.playlist_id
FROM {{ made_playlists }} AS p
JOIN {{ generated_playlist_songs }} AS s ON s.playlist_id = p.playlist_id
LEFT JOIN {{ songs_all }} AS o ON o.song_id = s.song_id
