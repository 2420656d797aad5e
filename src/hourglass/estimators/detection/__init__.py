"""The detector: what is usual of each kind of data, how strange a row is, and what raised an alarm."""
