-- The same where the windows did not come in order, in which they are kept: so each question reads few of them.
DROP TABLE IF EXISTS windows;
CREATE TABLE windows AS
SELECT *
FROM loaded
ORDER BY window_start, window_end;
DROP TABLE loaded;
