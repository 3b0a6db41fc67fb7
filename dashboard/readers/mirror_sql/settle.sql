-- How many orders the windows of [$first, $last) summed up: known where their amounts are the window's revenue.
UPDATE windows
SET orders = counted.orders
FROM (
    SELECT
        summed.rowid AS row_number,
        CASE
            WHEN SUM(came.cents) - SUM(came.late_cents) = CAST(ANY_VALUE(summed.total_revenue) AS DECIMAL(38, 2)) * 100
                THEN CAST(SUM(came.orders) - SUM(came.late_orders) AS BIGINT)
        END AS orders
    FROM windows AS summed
    INNER JOIN order_windows AS came ON summed.window_start = came.window_start
    WHERE
        summed.window_start >= $first
        AND summed.window_start < $last
        AND came.window_start >= $first
        AND came.window_start < $last
    GROUP BY summed.rowid
) AS counted
WHERE
    windows.rowid = counted.row_number
    AND windows.orders IS DISTINCT FROM counted.orders;
