-- name:    payments-counted-twice
-- asks:    which orders stand in unique_payments more than once; none must
-- params:  none
-- grain:   one row per order_id that stands there more than once
-- columns: times, how often
-- reads:   unique_payments
SELECT
    order_id,
    COUNT(*) AS times
FROM unique_payments
GROUP BY order_id
HAVING COUNT(*) > 1;
