-- By hop, week, weekday (Monday is 0) and hour: how far beyond normal it was at most, in minutes when it was well or
-- late. 1970 began on a Thursday.
SELECT
    hops.name,
    (delays.at_ms / 86400000 + 3) % 7 AS weekday,
    delays.at_ms / 3600000 % 24 AS hour,
    MAX(delays.delay_ms - delays.normal_ms) AS longest_ms
FROM delays INNER JOIN hops ON delays.hop = hops.id
WHERE delays.state IN (0, 2) AND delays.delay_ms IS NOT NULL
GROUP BY hops.name, (delays.at_ms / 86400000 + 3) / 7, weekday, hour;
