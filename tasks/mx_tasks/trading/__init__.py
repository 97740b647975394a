"""Trading tasks: a market simulator in which nobody can look ahead, and what is asked and graded with it."""
