"""Sets of integers as sorted, disjoint, closed intervals."""


def merge(intervals):
    """The fewest closed intervals that cover the same integers, ascending."""
    merged = []
    for low, high in sorted(intervals):
        if low > high:
            raise ValueError(f"the interval ({low}, {high}) ends before it begins")
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged


def subtract(intervals, hole):
    """What is left of the intervals without the integers of ``hole``."""
    first, last = hole
    if first > last:
        raise ValueError(f"the interval ({first}, {last}) ends before it begins")
    left = []
    for low, high in merge(intervals):
        if low < first:
            left.append((low, min(high, first - 1)))
        if high > last:
            left.append((max(low, last + 1), high))
    return left


def count(intervals):
    """How many integers the intervals cover."""
    return sum(high - low + 1 for low, high in merge(intervals))


def contains(intervals, number):
    """Whether any interval covers the number."""
    return any(low <= number <= high for low, high in intervals)
