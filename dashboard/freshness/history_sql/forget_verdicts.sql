-- What is too old, and the oldest changes beyond as many as are kept, unless they stand for a minute.
DELETE FROM verdicts
WHERE
    at_ms < $oldest_ms
    OR (
        minute IS NULL
        AND at_ms <= COALESCE(
            (SELECT at_ms FROM verdicts WHERE is_change ORDER BY at_ms DESC LIMIT 1 OFFSET $most_changes), -1
        )
    );
