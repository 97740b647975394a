"""Real bars: sources, calendars, what is made of them."""
