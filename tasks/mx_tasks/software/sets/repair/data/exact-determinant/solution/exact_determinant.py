"""Exact linear algebra on small matrices."""

from fractions import Fraction


def determinant(matrix):
    """The determinant, a Fraction."""
    rows = _copy(matrix)
    result = Fraction(1)
    for place in range(len(rows)):
        pivot = _pivot(rows, place)
        if pivot is None:
            return Fraction(0)
        if pivot != place:
            rows[place], rows[pivot] = rows[pivot], rows[place]
            result = -result
        result *= rows[place][place]
        for other in range(place + 1, len(rows)):
            _eliminate(rows, other, place)
    return result


def solve(matrix, right):
    """The x with matrix @ x == right, a list of Fractions."""
    rows = _copy(matrix)
    if len(right) != len(rows):
        raise ValueError("the right side must have as many entries as the matrix has rows")
    for row, entry in zip(rows, right):
        row.append(Fraction(entry))
    for place in range(len(rows)):
        pivot = _pivot(rows, place)
        if pivot is None:
            raise ZeroDivisionError("the matrix is singular")
        rows[place], rows[pivot] = rows[pivot], rows[place]
        for other in range(len(rows)):
            if other != place:
                _eliminate(rows, other, place)
    return [row[-1] / row[place] for place, row in enumerate(rows)]


def _copy(matrix):
    if any(len(row) != len(matrix) for row in matrix):
        raise ValueError("the matrix must be square")
    return [[Fraction(entry) for entry in row] for row in matrix]


def _pivot(rows, place):
    """The first row at or below ``place`` with an entry other than zero in that column."""
    return next((row for row in range(place, len(rows)) if rows[row][place] != 0), None)


def _eliminate(rows, other, place):
    factor = rows[other][place] / rows[place][place]
    rows[other] = [entry - factor * above for entry, above in zip(rows[other], rows[place])]
