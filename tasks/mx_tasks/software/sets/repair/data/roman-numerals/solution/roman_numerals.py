"""Roman numerals from 1 to 3999."""

SYMBOLS = [
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
]
LARGEST = 3999


def encode(number):
    """The numeral of a whole number."""
    if type(number) is not int or not 1 <= number <= LARGEST:
        raise ValueError(f"{number!r} is not a whole number from 1 to {LARGEST}")
    numeral = ""
    for value, symbol in SYMBOLS:
        times, number = divmod(number, value)
        numeral += symbol * times
    return numeral


def decode(numeral):
    """The number of a numeral."""
    number, rest = 0, numeral
    for value, symbol in SYMBOLS:
        while rest.startswith(symbol):
            number += value
            rest = rest[len(symbol) :]
    if rest or not 1 <= number <= LARGEST or encode(number) != numeral:
        raise ValueError(f"{numeral!r} is not a Roman numeral")
    return number
