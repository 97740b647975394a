"""The domain's core: circuits, answers in Verilog, files, tools, places."""
