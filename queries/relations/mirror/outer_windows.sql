-- name:    outer_windows
-- makes:   what stands for windows where all of them are asked for when they begin and end: those of the first and of
--          the last quarter hour, and the end of the one that ends last, which is known
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive, with all windows between them, $start a quarter
--          hour; $ends TIMESTAMP, when the window ends that ends last
-- grain:   one row per window of the two, and one without a start; none where there is no window
-- columns: as of windows
-- reads:   none
SELECT
    outer_window.window_start,
    outer_window.window_end,
    outer_window.total_revenue
FROM windows AS outer_window
WHERE
    outer_window.window_start >= $start
    AND outer_window.window_start < (
        SELECT MIN(quarters.bucket_start) + INTERVAL '15' MINUTE
        FROM quarter_hours AS quarters
        WHERE quarters.bucket_start >= $start
    )
UNION ALL
SELECT
    outer_window.window_start,
    outer_window.window_end,
    outer_window.total_revenue
FROM windows AS outer_window
WHERE
    outer_window.window_start >= (SELECT MAX(quarters.bucket_start) FROM quarter_hours AS quarters)
    AND outer_window.window_start < $end
UNION ALL
-- one that is longer than the others and ends last would be a fault, of which its end is told all the same
SELECT
    NULL AS window_start,
    CAST($ends AS TIMESTAMP) AS window_end,
    NULL AS total_revenue
WHERE EXISTS (SELECT 1 FROM quarter_hours);
