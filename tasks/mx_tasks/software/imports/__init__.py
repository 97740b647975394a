"""Other people's benchmarks and tasks."""
