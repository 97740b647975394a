from interval_merger import contains, merge, subtract


def test_overlapping():
    assert merge([(1, 4), (3, 6)]) == [(1, 6)]


def test_touching():
    assert merge([(4, 6), (1, 3)]) == [(1, 6)]


def test_subtract():
    assert subtract([(1, 9)], (4, 5)) == [(1, 3), (6, 9)]


def test_contains():
    assert contains([(1, 3)], 3)
