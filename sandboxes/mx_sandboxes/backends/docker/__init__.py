"""Slots in containers of a Docker engine, its images, and other people's containers."""
