-- name:    revenue_windows
-- asks:    every window of a stretch of time, as it stands in the table
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row per row of the table, oldest first
-- columns: window_start and window_end TIMESTAMP in UTC; total_revenue DECIMAL as stored
-- reads:   windows
SELECT
    window_start,
    window_end,
    total_revenue
FROM windows
ORDER BY window_start, window_end;
