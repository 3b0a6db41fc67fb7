-- name:    revenue_buckets
-- makes:   revenue and orders that were paid on time, in stretches of time that cross no quarter hour of UTC: the quarter
--          hours that lie in the range as they were summed up, and the windows at both ends one by one
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; $first_quarter and $last_quarter TIMESTAMP, the
--          quarter hours from which on and before which all of one is in the range
-- grain:   one row per quarter hour, and per window at the ends
-- columns: bucket_start TIMESTAMP in UTC; bucket_second BIGINT, the same in seconds since 1970; windows BIGINT, of the
--          table; revenue DECIMAL; orders BIGINT, NULL where they are not known; uncounted BIGINT, windows of which
--          they are not; faults BIGINT, windows that make sums wrong
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
    -- the ends apart: asked for with OR, every window of the range would be looked at
    SELECT * FROM windows
    WHERE
        window_start >= $start
        AND window_start < $first_quarter
    UNION ALL
    SELECT * FROM windows
    WHERE
        window_start >= $last_quarter
        AND window_start < $end
) AS edges;
