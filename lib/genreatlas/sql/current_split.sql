-- Part of every song in the split {{ split }}: the row with the highest version.
-- optional: splits
SELECT song_id, part, fold, group_id, grouped_by, reason, split_version
FROM (SELECT *, row_number() OVER (PARTITION BY song_id ORDER BY split_version DESC) AS newest
      FROM {{ splits }}
      WHERE split = {{ split | literal }})
WHERE newest = 1
