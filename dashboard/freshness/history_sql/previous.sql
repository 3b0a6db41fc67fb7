-- The newest change, and what stands for a minute.
SELECT
    (SELECT state * 1000000 + COALESCE(held, 0) FROM verdicts WHERE is_change ORDER BY at_ms DESC LIMIT 1) AS last_kind,
    (SELECT at_ms FROM verdicts WHERE minute = $minute) AS minute_at_ms,
    (SELECT badness FROM verdicts WHERE minute = $minute) AS minute_badness;
