"""A run's folder and its files; its episodes in other tools' formats."""
