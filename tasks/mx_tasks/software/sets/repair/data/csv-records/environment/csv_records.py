"""Delimited text: parse it into records, write records."""


class DialectError(ValueError):
    """The text is not in the dialect."""


def parse(text, delimiter=","):
    """The records of the text, each a list of strings."""
    records, record, place = [], [], 0
    while place < len(text):
        field, place = _field(text, place, delimiter)
        record.append(field)
        if text.startswith(delimiter, place):
            place += len(delimiter)
        else:
            place += 2 if text.startswith("\r\n", place) else 1
            records.append(record)
            record = []
    if record:
        records.append(record)
    return records


def write(records, delimiter=","):
    """Text that parses into the records."""
    return "".join(delimiter.join(_quoted(field, delimiter) for field in record) + "\n" for record in records)


def _field(text, place, delimiter):
    """The field that starts at ``place``, and the place after it."""
    if text.startswith('"', place):
        return _quoted_field(text, place + 1, delimiter)
    end = place
    while end < len(text) and text[end] != "\n" and not text.startswith((delimiter, "\r\n"), end):
        end += 1
    return text[place:end], end


def _quoted_field(text, place, delimiter):
    pieces = []
    while True:
        end = text.find('"', place)
        if end < 0:
            raise DialectError("a quote is never closed")
        pieces.append(text[place:end])
        place = end + 1
        if not text.startswith('"', place):
            break
        place += 1
    if place < len(text) and not text.startswith((delimiter, "\n", "\r\n"), place):
        raise DialectError(f"text after a closing quote at character {place}")
    return "".join(pieces), place


def _quoted(field, delimiter):
    if any(sign in field for sign in '"\n' + delimiter):
        return '"' + field.replace('"', '""') + '"'
    return field
