from patch_applier import PatchError, apply, invert, stat


def test_one_hunk():
    assert apply(["a", "b", "c"], [(2, ["-b", "+B"])]) == ["a", "B", "c"]


def test_two_hunks():
    assert apply(["a", "b", "c", "d"], [(1, ["+x", " a"]), (4, ["-d", "+D"])]) == ["x", "a", "b", "c", "D"]


def test_stat():
    assert stat([(1, [" a", "-b", "+c", "+d"])]) == (2, 1)


def test_mismatch():
    try:
        apply(["a"], [(1, ["-b"])])
    except PatchError:
        return
    raise AssertionError("a patch that does not fit was applied")
