-- Delays of [$first_ms, $since_ms) whose verdict is not kept.
DELETE FROM delays
WHERE
    at_ms >= $first_ms
    AND at_ms < $since_ms
    AND NOT EXISTS (SELECT 1 FROM verdicts WHERE verdicts.at_ms = delays.at_ms);
