"""The judge on the host, and in ``inside/`` what runs beside the submission."""
