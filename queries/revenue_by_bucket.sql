-- name:    revenue_by_bucket
-- asks:    how much revenue fell into each stretch of $bucket_seconds of the reader's clock, weeks beginning on Monday
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; $bucket_seconds INTEGER; the offset from UTC in
--          minutes as INTEGER: $offset_1 before $change_1, $offset_2 before $change_2, then $offset_3
-- grain:   one row per bucket that holds a window, oldest first; a bucket that a change of clocks cuts has two
-- columns: bucket_start TIMESTAMP in UTC, of the whole bucket; windows, orders, uncounted and faults BIGINT; revenue
--          DECIMAL(38, 2)
-- reads:   revenue_buckets
SELECT
    bucket_start,
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
        bucket_start
        - MOD(
            -- twice, for what is before that Monday
            MOD(
                DATE_DIFF('second', TIMESTAMP '1970-01-05 00:00:00', bucket_start) + offset_seconds, $bucket_seconds
            ) + $bucket_seconds,
            $bucket_seconds
        ) * INTERVAL '1' SECOND AS bucket_start
    FROM (
        SELECT
            bucket_start,
            windows,
            revenue,
            orders,
            uncounted,
            faults,
            60 * CASE
                WHEN bucket_start < $change_1 THEN $offset_1 WHEN bucket_start < $change_2 THEN $offset_2 ELSE $offset_3
            END AS offset_seconds
        FROM revenue_buckets
    ) AS shifted
) AS placed
GROUP BY bucket_start
ORDER BY bucket_start;
