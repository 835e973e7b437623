-- Latest snapshot of the Every Noise map.
SELECT *
FROM {{ genres }}
WHERE snapshot = (SELECT max(snapshot) FROM {{ genres }})
