"""What is asked, one file a set, and the baselines on each."""
