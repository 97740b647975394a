"""Student's t."""

from __future__ import annotations

import math
from statistics import NormalDist


def t_quantile(freedom: int, two_sided: float = 0.05) -> float:
    """Student's t that is exceeded, on either side, with that probability (G. W. Hill, algorithm 396, CACM 13, 1970).

    Raises ValueError for less than one degree of freedom.
    """
    if freedom < 1:
        raise ValueError(f"there is no t of {freedom} degrees of freedom")
    if freedom == 1:
        return 1 / math.tan(two_sided * math.pi / 2)
    if freedom == 2:
        return math.sqrt(2 / (two_sided * (2 - two_sided)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    x = d * two_sided
    y = x ** (2 / freedom)
    if y <= 0.05 + a:
        tail = 1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3)
        y = ((tail + 0.5 / (freedom + 4)) * y - 1) * (freedom + 1) / (freedom + 2) + 1 / y
        return math.sqrt(freedom * y)
    x = NormalDist().inv_cdf(two_sided / 2)
    y = x * x
    c += 0.3 * (freedom - 4.5) * (x + 0.6) if freedom < 5 else 0.0
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    return math.sqrt(freedom * math.expm1(a * y * y))
