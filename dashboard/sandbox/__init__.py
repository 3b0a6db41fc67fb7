"""SQL that people write, run in a process that holds nothing: it is lent of the tables what they may see."""
