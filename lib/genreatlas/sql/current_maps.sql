-- The current map of each lens.
SELECT *
FROM {{ maps }} AS m
WHERE sequence = (SELECT max(o.sequence) FROM {{ maps }} AS o WHERE o.lens = m.lens)
