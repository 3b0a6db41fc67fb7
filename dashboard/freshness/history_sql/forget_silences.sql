-- What is too old.
DELETE FROM silences WHERE minute < $oldest;
