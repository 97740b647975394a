from lru_cache import LRUCache


def test_put_and_get():
    cache = LRUCache(capacity=2, ttl=10.0, clock=lambda: 0.0)
    cache.put("a", 1)
    assert cache.get("a") == 1
    assert cache.get("b") is None


def test_reading_keeps_an_entry():
    cache = LRUCache(capacity=2, ttl=10.0, clock=lambda: 0.0)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    cache.put("c", 3)
    assert cache.get("a") == 1
    assert cache.get("b") is None
