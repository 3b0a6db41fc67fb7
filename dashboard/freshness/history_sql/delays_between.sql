-- The longest delay of each hop in each step.
SELECT
    (delays.at_ms - $start_ms) / $step_ms AS place,
    hops.name,
    MAX(delays.delay_ms) AS delay_ms
FROM delays INNER JOIN hops ON delays.hop = hops.id
WHERE delays.at_ms >= $start_ms AND delays.at_ms < $end_ms AND delays.delay_ms IS NOT NULL
GROUP BY place, hops.name;
