-- Windows from $first on whose orders are worth more than their revenue, the newest first: some of them were late.
-- A window that has no revenue though later ones have ended before $ends has late ones alone.
SELECT
    came.window_start,
    CAST(CAST(ANY_VALUE(summed.total_revenue) AS DECIMAL(38, 2)) * 100 AS HUGEINT) AS revenue_cents,
    CAST(SUM(came.cents) AS BIGINT) AS cents,
    CAST(SUM(came.late_orders) AS BIGINT) AS late_orders,
    CAST(SUM(came.late_cents) AS BIGINT) AS late_cents
FROM order_windows AS came
LEFT JOIN windows AS summed ON came.window_start = summed.window_start
WHERE came.window_start >= $first
GROUP BY came.window_start
HAVING
    COUNT(DISTINCT summed.rowid) <= 1
    AND SUM(came.cents) - SUM(came.late_cents) > COALESCE(CAST(ANY_VALUE(summed.total_revenue) AS DECIMAL(38, 2)) * 100, 0)
    AND (COUNT(summed.window_start) > 0 OR came.window_start < $ends)
ORDER BY came.window_start DESC
LIMIT $most;
