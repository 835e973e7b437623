-- Number of quarantined inputs by step and reason, with one example each.
SELECT stage,
       reason,
       count(*) AS n,
       min(detail) AS example,
       max({{ "at" | name }}) AS newest
FROM {{ quarantine }}
GROUP BY stage, reason
