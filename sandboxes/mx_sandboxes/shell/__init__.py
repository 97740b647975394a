"""A shell in a slot, for people who want to see what a job sees."""
