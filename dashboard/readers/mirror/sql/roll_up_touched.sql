-- Sums the quarter hours of UTC that the windows in `batch` lie in; all of them in [$first, $last).
INSERT INTO quarter_hours
SELECT
    TIME_BUCKET(INTERVAL '15 minutes', window_start) AS bucket_start,
    EPOCH_US(TIME_BUCKET(INTERVAL '15 minutes', window_start)) // 1000000 AS bucket_second,
    COUNT(*) AS windows,
    SUM(total_revenue) AS revenue,
    SUM(orders) AS orders,
    COUNT(*) - COUNT(orders) AS uncounted,
    COUNT(*) FILTER (WHERE total_revenue IS NULL OR is_doubled) AS faults
FROM windows
WHERE
    window_start >= $first
    AND window_start < $last
    AND TIME_BUCKET(INTERVAL '15 minutes', window_start) IN (
        SELECT TIME_BUCKET(INTERVAL '15 minutes', batch.window_start) FROM batch
    )
GROUP BY 1, 2
ORDER BY 1;
