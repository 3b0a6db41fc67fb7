-- How old the newest window was at most in each step.
SELECT
    (at_ms - $start_ms) / $step_ms AS place,
    MAX(at_ms - as_of_ms) AS behind_ms
FROM verdicts
WHERE at_ms >= $start_ms AND at_ms < $end_ms
GROUP BY place;
