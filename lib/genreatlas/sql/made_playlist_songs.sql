-- Songs of the present playlists in order, with names and the reason why each is there. A file that was scored and is
-- no song of the store has its URI as title.
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
