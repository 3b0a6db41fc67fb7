-- name:    revenue_faults
-- asks:    which windows would make a sum wrong: those that share time with another one, and those without an amount
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row per wrong window, oldest first; none when all is well
-- columns: window_start and window_end TIMESTAMP in UTC; total_revenue DECIMAL; fault VARCHAR: doubled or no amount
-- reads:   windows
SELECT
    window_start,
    window_end,
    total_revenue,
    fault
FROM (
    SELECT
        window_start,
        window_end,
        total_revenue,
        CASE
            WHEN
                window_start < MAX(window_end) OVER (
                    ORDER BY window_start, window_end
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                )
                THEN 'doubled'
            WHEN total_revenue IS NULL THEN 'no amount'
        END AS fault
    FROM windows
) AS judged
WHERE fault IS NOT NULL
ORDER BY window_start, window_end;
