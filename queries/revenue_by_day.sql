-- name:    revenue_by_day
-- asks:    how much revenue fell on each day of the reader's time zone, which has 23 or 25 hours when clocks change
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; the offset from UTC in minutes as INTEGER:
--          $offset_1 before $change_1, $offset_2 before $change_2, both TIMESTAMP in UTC, then $offset_3
-- grain:   one row per local day that holds a window, oldest first; a day without one has no row
-- columns: local_day DATE in that zone; windows, orders, uncounted and faults BIGINT; revenue DECIMAL(38, 2)
-- reads:   revenue_buckets
SELECT
    CAST(
        bucket_start
        + CASE
            WHEN bucket_start < $change_1 THEN $offset_1 WHEN bucket_start < $change_2 THEN $offset_2 ELSE $offset_3
        END * INTERVAL '1' MINUTE
        AS DATE
    ) AS local_day,
    CAST(SUM(windows) AS BIGINT) AS windows,
    CAST(SUM(revenue) AS DECIMAL(38, 2)) AS revenue,
    CAST(SUM(orders) AS BIGINT) AS orders,
    CAST(SUM(uncounted) AS BIGINT) AS uncounted,
    CAST(SUM(faults) AS BIGINT) AS faults
FROM revenue_buckets
GROUP BY 1
ORDER BY 1;
