-- name:    single_windows
-- makes:   what stands for revenue_buckets where buckets are finer than a quarter hour
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row per window
-- columns: as of revenue_buckets
-- reads:   none
SELECT
    window_start AS bucket_start,
    EPOCH_US(window_start) // 1000000 AS bucket_second,
    1 AS windows,
    total_revenue AS revenue,
    orders,
    CASE WHEN orders IS NULL THEN 1 ELSE 0 END AS uncounted,
    CASE WHEN total_revenue IS NULL OR is_doubled THEN 1 ELSE 0 END AS faults
FROM windows
WHERE
    window_start >= $start
    AND window_start < $end;
