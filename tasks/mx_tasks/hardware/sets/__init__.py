"""What is asked, one file a set."""
