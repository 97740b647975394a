"""Every known way to look right, as data: each must score 0."""
