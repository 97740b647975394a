"""Other people's problems: references and testbenches made gradable, or refused with the reason."""
