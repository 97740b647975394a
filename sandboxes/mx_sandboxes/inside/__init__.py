"""The job server: process 1 of a slot, one job or session at a time, on nothing but Python's standard library (3.9 on).

The server reads a request from the host and forks a *keeper*; the keeper isolates itself, forks the *job*, watches
over it, talks to the host, and is gone with everything that the job left. The server itself stays as it was born, so
that every job starts alike.

A message is 4 bytes of big-endian length, 1 byte of kind, and the payload. From the host: T tree of files to keep, R
request, F bytes for the job's channel, K kill (reason), Q collect (names) and finish. To the host: H hello, F bytes from
the job's channel, E ended, D done (with output and files), C clean, X error.
"""
