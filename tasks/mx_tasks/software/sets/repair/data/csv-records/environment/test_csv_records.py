from csv_records import DialectError, parse, write


def test_plain():
    assert parse("a,b\nc,d\n") == [["a", "b"], ["c", "d"]]


def test_doubled_quotes():
    assert parse('a,"say ""hi"""\n') == [["a", 'say "hi"']]


def test_round_trip():
    records = [["a", "b,c"], ["", "d"]]
    assert parse(write(records)) == records


def test_open_quote():
    try:
        parse('"a')
    except DialectError:
        return
    raise AssertionError("an open quote was accepted")
