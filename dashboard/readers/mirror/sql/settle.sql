-- How many orders the windows in `batch` summed up: known where the amounts of those in time are the window's revenue.
-- They lie in [$first, $last); `$window` is how long a window is, in microseconds.
UPDATE windows
SET orders = counted.orders
FROM (
    SELECT
        summed.rowid AS row_number,
        CASE
            WHEN
                came.cents - COALESCE(late.cents, 0) = CAST(summed.total_revenue AS DECIMAL(38, 2)) * 100
                AND EPOCH_US(summed.window_end) - EPOCH_US(summed.window_start) = $window
                THEN came.orders - COALESCE(late.orders, 0)
        END AS orders
    FROM windows AS summed
    LEFT JOIN (
        SELECT
            window_start,
            CAST(SUM(orders) AS BIGINT) AS orders,
            SUM(cents) AS cents
        FROM order_windows
        WHERE
            window_start >= $first
            AND window_start < $last
        GROUP BY window_start
    ) AS came ON summed.window_start = came.window_start
    LEFT JOIN late_windows AS late ON summed.window_start = late.window_start
    WHERE
        summed.window_start >= $first
        AND summed.window_start < $last
        AND summed.window_start IN (SELECT batch.window_start FROM batch)
) AS counted
WHERE
    windows.rowid = counted.row_number
    AND windows.orders IS DISTINCT FROM counted.orders;
