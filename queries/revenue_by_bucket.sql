-- name:    revenue_by_bucket
-- asks:    how much revenue fell into each stretch of $bucket_seconds, counted from $start
-- params:  $start TIMESTAMP in UTC, inclusive; $end TIMESTAMP in UTC, exclusive; $bucket_seconds INTEGER
-- grain:   one row per bucket that holds a window, oldest first; a bucket without one has no row
-- columns: bucket_start and bucket_end TIMESTAMP in UTC; windows BIGINT; revenue DECIMAL(38, 2)
-- reads:   revenue_summary
SELECT
    $start + offset_seconds * INTERVAL '1' SECOND AS bucket_start,
    $start + (offset_seconds + $bucket_seconds) * INTERVAL '1' SECOND AS bucket_end,
    COUNT(*) AS windows,
    SUM(total_revenue) AS revenue
FROM (
    SELECT
        total_revenue,
        DATE_DIFF('second', $start, window_start)
        - MOD(DATE_DIFF('second', $start, window_start), $bucket_seconds) AS offset_seconds
    FROM revenue_summary
    WHERE
        window_start >= $start
        AND window_start < $end
) AS placed
GROUP BY offset_seconds
ORDER BY offset_seconds;
