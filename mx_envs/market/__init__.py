"""The numeric faces of the market."""
