"""Long-lived jails with a job server each: a pool of them, what is said to them, sessions on them."""
