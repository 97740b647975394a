"""A least-recently-used cache whose entries expire."""

import time
from collections import OrderedDict


class LRUCache:
    """At most ``capacity`` entries, each good for ``ttl`` seconds after it was put."""

    def __init__(self, capacity, ttl, clock=time.monotonic):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        self._ttl = ttl
        self._clock = clock
        self._entries = OrderedDict()  # key -> (value, time of death), least recently used first

    def get(self, key, default=None):
        """The value of a key that is still good, else ``default``."""
        if key not in self._entries:
            return default
        value, death = self._entries[key]
        if self._clock() >= death:
            del self._entries[key]
            return default
        self._entries.move_to_end(key)
        return value

    def put(self, key, value):
        """Store a value; make room if the key is new and the cache full."""
        if key not in self._entries and len(self._entries) >= self._capacity:
            self._make_room()
        self._entries[key] = (value, self._clock() + self._ttl)
        self._entries.move_to_end(key)

    def keys(self):
        """Keys that are still good, least recently used first."""
        now = self._clock()
        return [key for key, (_, death) in self._entries.items() if now < death]

    def __len__(self):
        return len(self.keys())

    def _make_room(self):
        now = self._clock()
        dead = [key for key, (_, death) in self._entries.items() if now >= death]
        for key in dead:
            del self._entries[key]
        if not dead:
            self._entries.popitem(last=False)
