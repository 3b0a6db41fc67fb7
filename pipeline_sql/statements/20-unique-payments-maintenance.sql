-- name:    unique-payments-maintenance
-- makes:   the first payment of each order; payments sent again within the state's hour are left out
-- params:  none
-- grain:   one row per order_id
-- columns: as in payments; amount in the shop's currency, not rounded; ts TIMESTAMP_LTZ(3) is when it was paid
-- reads:   payments
-- the linter does not know a CREATE TABLE … AS with columns; Flink itself checks it
-- noqa: disable=PRS
CREATE TABLE unique_payments (
    order_id INT NOT NULL,
    product_id INT NOT NULL,
    customer_id INT NOT NULL,
    confirmation_code STRING NOT NULL,
    cc_number STRING NOT NULL,
    expiration STRING NOT NULL,
    amount DOUBLE NOT NULL,
    ts TIMESTAMP_LTZ(3) NOT NULL,
    WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
)
AS
SELECT
    order_id,
    product_id,
    customer_id,
    confirmation_code,
    cc_number,
    expiration,
    amount,
    ts
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY $rowtime ASC) AS rownum
    FROM payments
)
WHERE rownum = 1;
