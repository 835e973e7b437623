-- Attempts to fetch by task, provider, day (UTC) and reason. n_waiting: keys whose last attempt is among them and that
-- will be retried. Rows with the reason paused: the provider was paused by a rate limit.
SELECT task,
       provider,
       CAST({{ "at" | name }} AS date) AS day,
       status,
       coalesce(reason, status) AS reason,
       count(*) AS n_tries,
       count(DISTINCT {{ "key" | name }}) AS n_keys,
       count(*) FILTER (WHERE newest = 1 AND status = 'retry') AS n_waiting,
       min(CASE WHEN newest = 1 THEN next_retry_at END) AS next_retry_at
FROM (SELECT *,
             row_number() OVER (PARTITION BY task, {{ "key" | name }}, provider ORDER BY attempt DESC) AS newest
      FROM {{ fetch_attempts }})
GROUP BY task, provider, CAST({{ "at" | name }} AS date), status, coalesce(reason, status)
