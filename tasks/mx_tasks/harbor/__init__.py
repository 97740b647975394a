"""Task directories in Harbor's form: read, written, and graded in somebody else's runner."""
