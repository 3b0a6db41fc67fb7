-- name:    cut_quarter_hours
-- makes:   what stands for revenue_buckets where a range falls into two: the quarter hour that they meet in by its windows
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; $first_quarter and $last_quarter TIMESTAMP, as of
--          revenue_buckets; $cut TIMESTAMP, the quarter hour that holds the end of the one and the start of the other
-- grain:   one row per quarter hour, and per window at the ends and where they meet
-- columns: as of revenue_buckets
-- reads:   none
SELECT
    bucket_start,
    bucket_second,
    windows,
    revenue,
    orders,
    uncounted,
    faults
FROM quarter_hours
WHERE
    bucket_start >= $first_quarter
    AND bucket_start < $last_quarter
    AND bucket_start <> $cut
UNION ALL
SELECT
    window_start AS bucket_start,
    EPOCH_US(window_start) // 1000000 AS bucket_second,
    1 AS windows,
    total_revenue AS revenue,
    orders,
    CASE WHEN orders IS NULL THEN 1 ELSE 0 END AS uncounted,
    CASE WHEN total_revenue IS NULL OR is_doubled THEN 1 ELSE 0 END AS faults
FROM (
    -- apart: asked for with OR, every window of the range would be looked at
    SELECT * FROM windows
    WHERE
        window_start >= $start
        AND window_start < $first_quarter
    UNION ALL
    SELECT * FROM windows
    WHERE
        window_start >= $cut
        AND window_start < $cut + INTERVAL '15' MINUTE
    UNION ALL
    SELECT * FROM windows
    WHERE
        window_start >= $last_quarter
        AND window_start < $end
) AS edges;
