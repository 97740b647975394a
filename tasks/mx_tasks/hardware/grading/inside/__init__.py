"""What runs inside the grading sandbox, on the standard library and the hardware tools: ``python -m inside.grade``."""
