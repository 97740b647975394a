"""Tasks without end: release pairs, planted mutations, generated packages."""
