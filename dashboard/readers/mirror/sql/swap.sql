-- What was loaded takes the place of what was there; whoever still reads that goes on to.
DROP TABLE IF EXISTS windows;
ALTER TABLE loaded RENAME TO windows;
