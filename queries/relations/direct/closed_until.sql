-- name:    closed_until
-- makes:   the time until which all windows have closed: where the newest one ends
-- params:  $start TIMESTAMP in UTC, inclusive
-- grain:   one row
-- columns: closed_until TIMESTAMP in UTC; NULL where no window starts at $start or later
-- reads:   revenue_summary
-- The end of what is asked about is none of this: a window without a row is known to be closed by any later one.
SELECT CAST(MAX(window_end) AS TIMESTAMP(6)) AS closed_until
FROM revenue_summary /* at */
WHERE window_start >= $start;
