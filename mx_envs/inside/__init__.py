"""What a sandbox puts beside a design: the module ``mas``, its tools, and the endpoint. Runs on an old standard library alone."""
