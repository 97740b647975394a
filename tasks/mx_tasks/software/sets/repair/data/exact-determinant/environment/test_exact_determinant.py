from fractions import Fraction

from exact_determinant import determinant, solve


def test_two_by_two():
    assert determinant([[1, 2], [3, 4]]) == -2


def test_exchange():
    assert determinant([[0, 1], [1, 0]]) == -1


def test_solve():
    assert solve([[2, 0], [0, 3]], [1, 1]) == [Fraction(1, 2), Fraction(1, 3)]
