"""One script for each contestant of each work: a fresh process that does the work and prints one line of JSON."""
