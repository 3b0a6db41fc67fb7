-- name:    revenue_by_bucket
-- asks:    how much revenue fell into each stretch of $bucket_seconds of the reader's clock, a day at most
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; $bucket_seconds INTEGER; the offset from UTC in
--          minutes as INTEGER: $offset_1 before $change_1, $offset_2 before $change_2, then $offset_3
-- grain:   one row per bucket that holds a window, oldest first; a bucket that a change of clocks cuts has two
-- columns: bucket_start TIMESTAMP in UTC, of the whole bucket; windows, orders, uncounted and faults BIGINT; revenue
--          DECIMAL(38, 2)
-- reads:   revenue_buckets
SELECT
    -- seconds since 2026, of which 32 bits hold enough: DuckDB takes an interval no more often
    TIMESTAMP '2026-01-01 00:00:00' + (first_second - 1767225600) * INTERVAL '1' SECOND AS bucket_start,
    windows,
    revenue,
    orders,
    uncounted,
    faults
FROM (
    SELECT
        bucket_second - MOD(bucket_second + offset_seconds, $bucket_seconds) AS first_second,
        CAST(SUM(windows) AS BIGINT) AS windows,
        CAST(SUM(revenue) AS DECIMAL(38, 2)) AS revenue,
        CAST(SUM(orders) AS BIGINT) AS orders,
        CAST(SUM(uncounted) AS BIGINT) AS uncounted,
        CAST(SUM(faults) AS BIGINT) AS faults
    FROM (
        SELECT
            windows,
            revenue,
            orders,
            uncounted,
            faults,
            bucket_second,
            60 * CASE
                WHEN bucket_start < $change_1 THEN $offset_1 WHEN bucket_start < $change_2 THEN $offset_2 ELSE $offset_3
            END AS offset_seconds
        FROM revenue_buckets
    ) AS shifted
    GROUP BY bucket_second - MOD(bucket_second + offset_seconds, $bucket_seconds)
) AS buckets
ORDER BY bucket_start;
