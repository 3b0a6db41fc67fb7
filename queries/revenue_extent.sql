-- name:    revenue_extent
-- asks:    from when to when there are windows
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row
-- columns: first_start TIMESTAMP in UTC, of the first window; newest_start and newest_end TIMESTAMP in UTC, of the
--          newest one; all NULL where there is no window
-- reads:   windows
SELECT
    MIN(window_start) AS first_start,
    MAX(window_start) AS newest_start,
    MAX(window_end) AS newest_end
FROM windows;
