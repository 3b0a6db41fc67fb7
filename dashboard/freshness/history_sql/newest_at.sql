-- The newest verdict up to a moment, not older than another.
SELECT at_ms, state, as_of_ms, held, notes
FROM verdicts
WHERE at_ms <= $at_ms AND at_ms >= $oldest_ms
ORDER BY at_ms DESC
LIMIT 1;
