from token_bucket import TokenBucket


def test_starts_full():
    bucket = TokenBucket(capacity=2, rate=1.0, clock=lambda: 0.0)
    assert [bucket.try_take() for _ in range(3)] == [True, True, False]


def test_never_more_than_capacity():
    now = [0.0]
    bucket = TokenBucket(capacity=3, rate=1.0, clock=lambda: now[0])
    now[0] = 100.0
    assert [bucket.try_take() for _ in range(5)] == [True, True, True, False, False]
