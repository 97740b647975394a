from text_wrapper import fill, wrap


def test_simple():
    assert wrap("aaa bbb ccc", 7) == ["aaa bbb", "ccc"]


def test_indent():
    assert wrap("a bb cc dd", 5, "  ") == ["a bb", "  cc", "  dd"]


def test_paragraphs():
    assert fill("a b\n\nc", 1) == "a\nb\n\nc"
