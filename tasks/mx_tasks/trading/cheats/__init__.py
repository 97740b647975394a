"""Ways to look skilful without skill."""
