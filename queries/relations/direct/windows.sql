-- name:    windows
-- makes:   the windows that start in a stretch of time, from the Iceberg table itself
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; the snapshot, where the table is marked
-- grain:   one row per row of the table
-- columns: window_start and window_end TIMESTAMP in UTC; total_revenue DECIMAL as stored
-- reads:   revenue_summary
SELECT
    CAST(window_start AS TIMESTAMP(6)) AS window_start,
    CAST(window_end AS TIMESTAMP(6)) AS window_end,
    total_revenue
FROM revenue_summary /* at */
WHERE
    window_start >= $start
    AND window_start < $end;
