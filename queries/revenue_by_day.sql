-- name:    revenue_by_day
-- asks:    how much revenue fell on each day of the reader's time zone, which has 23 or 25 hours when clocks change
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; the offset from UTC in minutes as INTEGER:
--          $offset_1 before $change_1, $offset_2 before $change_2, both TIMESTAMP in UTC, then $offset_3
-- grain:   one row per local day that holds a window, oldest first; a day without one has no row
-- columns: local_day DATE in that zone; windows, orders, uncounted and faults BIGINT; revenue DECIMAL(38, 2)
-- reads:   revenue_buckets
SELECT
    -- seconds since 2026, of which 32 bits hold enough: DuckDB takes an interval no more often
    CAST(
        TIMESTAMP '2026-01-01 00:00:00' + (local_midnight - 1767225600) * INTERVAL '1' SECOND AS DATE
    ) AS local_day,
    windows,
    revenue,
    orders,
    uncounted,
    faults
FROM (
    SELECT
        -- whole numbers, for adding an interval to each row would take longer than all the rest
        local_second - MOD(local_second, 86400) AS local_midnight,
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
            bucket_second + 60 * CASE
                WHEN bucket_start < $change_1 THEN $offset_1 WHEN bucket_start < $change_2 THEN $offset_2 ELSE $offset_3
            END AS local_second
        FROM revenue_buckets
    ) AS placed
    GROUP BY local_second - MOD(local_second, 86400)
) AS summed_up
ORDER BY local_day;
