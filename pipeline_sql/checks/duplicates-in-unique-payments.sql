-- name:    duplicates-in-unique-payments
-- asks:    how often each order's payment stands in unique_payments
-- params:  none
-- grain:   one row per order_id
-- columns: times, which is 1 for every order
-- reads:   unique_payments
SELECT
    order_id,
    COUNT(*) AS times
FROM unique_payments
GROUP BY order_id;
