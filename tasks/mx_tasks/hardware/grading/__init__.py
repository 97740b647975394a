"""The judge on the host, and in ``inside/`` what runs in the sandbox with the design as its data."""
