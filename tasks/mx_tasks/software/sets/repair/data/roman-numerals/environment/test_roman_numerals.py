from roman_numerals import decode, encode


def test_small():
    assert [encode(n) for n in (1, 4, 9, 14)] == ["I", "IV", "IX", "XIV"]


def test_hundreds():
    assert encode(944) == "CMXLIV"


def test_back():
    assert decode("XLII") == 42
