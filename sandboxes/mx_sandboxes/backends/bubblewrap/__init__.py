"""Slots in jails made by bubblewrap, and the packages of the host that they may be given."""
