-- name:    windows
-- makes:   the windows that start in a stretch of time, as the mirror keeps them
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row per row of the table
-- columns: window_start and window_end TIMESTAMP in UTC; total_revenue DECIMAL as stored
-- reads:   none
SELECT
    window_start,
    window_end,
    total_revenue
FROM windows
WHERE
    window_start >= $start
    AND window_start < $end;
