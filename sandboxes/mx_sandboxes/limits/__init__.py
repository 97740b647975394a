"""What holds a job back, and who enforces it on this machine."""
