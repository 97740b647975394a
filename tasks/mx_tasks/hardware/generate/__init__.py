"""Hardware tasks without end: families of designs drawn from a seed, each with a Python model as the only source of truth."""
