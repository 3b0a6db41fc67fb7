-- name:    tables
-- asks:    what Confluent Cloud knows of every table of one database: its columns, its watermark, its options
-- params:  $database_name STRING, the Kafka cluster's name or id
-- grain:   one row per table, per column that is not hidden and per option; in no order
-- columns: part, one of table, column, option; item_name, of the watermark's column, the column or the option; item_value, the
--          watermark's expression, the column's type or the option's value; is_nullable, YES or NO of a column;
--          ordinal_position, of a column, from 1
-- reads:   INFORMATION_SCHEMA of the current catalog, which knows SELECT, WHERE, UNION ALL, AND, OR, =, <>, IS NULL, CAST
-- its names are in capitals, where case counts, and two of them are reserved words
-- noqa: disable=AL09,CP02,RF04,RF06
SELECT
    'table' AS part,
    TABLE_NAME AS table_name,
    WATERMARK_COLUMN AS item_name,
    WATERMARK_EXPRESSION AS item_value,
    CAST(NULL AS STRING) AS is_nullable,
    CAST(NULL AS INT) AS ordinal_position
FROM INFORMATION_SCHEMA.`TABLES`
WHERE TABLE_SCHEMA = $database_name OR TABLE_SCHEMA_ID = $database_name
UNION ALL
SELECT
    'column' AS part,
    TABLE_NAME AS table_name,
    COLUMN_NAME AS item_name,
    FULL_DATA_TYPE AS item_value,
    IS_NULLABLE AS is_nullable,
    ORDINAL_POSITION AS ordinal_position
FROM INFORMATION_SCHEMA.`COLUMNS`
WHERE IS_HIDDEN = 'NO' AND (TABLE_SCHEMA = $database_name OR TABLE_SCHEMA_ID = $database_name)
UNION ALL
SELECT
    'option' AS part,
    TABLE_NAME AS table_name,
    OPTION_KEY AS item_name,
    OPTION_VALUE AS item_value,
    CAST(NULL AS STRING) AS is_nullable,
    CAST(NULL AS INT) AS ordinal_position
FROM INFORMATION_SCHEMA.`TABLE_OPTIONS`
WHERE TABLE_SCHEMA = $database_name OR TABLE_SCHEMA_ID = $database_name;
