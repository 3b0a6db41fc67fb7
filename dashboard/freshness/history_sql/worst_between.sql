-- The worst verdict of each step, and how old the newest window was at most; columns beside MAX are of its row.
SELECT
    (verdicts.at_ms - $start_ms) / $step_ms AS place,
    verdicts.state,
    COALESCE(hops.name, '') AS held,
    MAX(verdicts.badness) AS badness
FROM verdicts LEFT JOIN hops ON verdicts.held = hops.id
WHERE verdicts.at_ms >= $start_ms AND verdicts.at_ms < $end_ms
GROUP BY place
ORDER BY place;
