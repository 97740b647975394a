from dependency_order import CycleError, layers, order


def test_a_chain():
    assert order({"app": ["lib"], "lib": ["base"]}) == ["base", "lib", "app"]


def test_named_twice():
    assert order({"app": ["lib"], "lib": ["base", "base"]}) == ["base", "lib", "app"]


def test_layers_of_a_chain():
    assert layers({"app": ["lib"], "lib": ["base"]}) == [["base"], ["lib"], ["app"]]


def test_a_cycle():
    try:
        order({"a": ["b"], "b": ["a"]})
    except CycleError as error:
        assert error.cycle == ["a", "b"]
        return
    raise AssertionError("a cycle was ordered")
