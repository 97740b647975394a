import random

from retry_schedule import Policy, call, delays


def test_doubling():
    assert list(delays(Policy(attempts=4, base=1.0, factor=2.0), random.Random(0))) == [1.0, 2.0, 4.0]


def test_success_needs_no_sleep():
    slept = []
    assert call(lambda: 7, Policy(), slept.append, random.Random(0)) == 7
    assert slept == []
