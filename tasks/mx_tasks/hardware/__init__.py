"""Hardware tasks: Verilog whose grade is a proof."""
