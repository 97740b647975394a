"""The domain's core: bars, rules, the simulator, worlds and their optima."""
