-- Finds the windows of [$first, $last) that share time with one that begins before them. $before is earlier than $first by
-- the longest window: what begins there may reach into it.
UPDATE windows
SET is_doubled = judged.is_doubled
FROM (
    SELECT
        rowid AS row_number,
        COALESCE(
            window_start < MAX(window_end) OVER (
                ORDER BY window_start, window_end
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            FALSE
        ) AS is_doubled
    FROM windows
    WHERE
        window_start >= $before
        AND window_start < $last
) AS judged
WHERE
    windows.rowid = judged.row_number
    AND windows.window_start >= $first
    AND windows.is_doubled <> judged.is_doubled;
