"""Designs written by hand in many styles, right ones and wrong ones that look right."""
