"""Where what is synthesised, what is simulated and what the clock sees are easily three things."""

from hardware_corpus.case import STYLES, Case

AT_ONCE = tuple(style for style in STYLES if not style.waits)

PULSE = Case(
    "a pulse of the reset between two edges",
    "input v, input [@M:0] d, output [@M:0] q, output f",
    "reg [@M:0] r; reg g; assign f = g; assign q = g ? r : 0; always @(@FF) if (@R) g <= 0; else if (v) g <= 1; always @(posedge clk) if (v) r <= d;",
    widths=(4, 8),
    styles=AT_ONCE,
    right={
        "gates for choices": "reg [@M:0] r; reg g; assign f = g; assign q = r & {@W{g}}; always @(@FF) if (@R) g <= 0; else g <= v | g; always @(posedge clk) r <= v ? d : r;",
        "all of it is reset": "reg [@M:0] r; reg g; assign f = g; assign q = r; always @(@FF) if (@R) begin g <= 0; r <= 0; end else if (v) begin g <= 1; r <= d; end",
        "kept inverted": "reg [@M:0] r; reg n; assign f = ~n; assign q = n ? 0 : ~r; always @(@FF) if (@R) n <= 1; else n <= n & ~v; always @(posedge clk) if (v) r <= ~d;",
        "a copy of the flag": "reg [@M:0] r; reg g, h; assign f = g; assign q = h ? r : 0; always @(@FF) if (@R) {g, h} <= 0; else if (v) {g, h} <= 3; always @(posedge clk) if (v) r <= d;",
        "a count that is never 0 where it counts": "reg [@M:0] r; reg g; reg [1:0] k; assign f = g; assign q = g & ~(k == 0) ? r : 0; always @(@FF) if (@R) g <= 0; else if (v) g <= 1; always @(posedge clk) begin if (@R) k <= 0; else if (v) k <= k + (k != 3); if (v) r <= d; end",
    },
    wrong={
        "the flag waits, hidden by a choice": "reg [@M:0] r; reg g, z; assign f = g & ~(@R); assign q = f ? r : {@W{z}}; always @(@FF) if (@R) z <= 0; else z <= z; always @(posedge clk) if (@R) g <= 0; else if (v) g <= 1; always @(posedge clk) if (v) r <= d;",
        "a copy of the flag waits": "reg [@M:0] r; reg g, h; assign f = g; assign q = h & ~(@R) ? r : 0; always @(@FF) if (@R) g <= 0; else if (v) g <= 1; always @(posedge clk) if (@R) h <= 0; else if (v) h <= 1; always @(posedge clk) if (v) r <= d;",
    },
)  # fmt: skip

PULSED_COUNT = Case(
    "a count that a pulse of the reset clears",
    "input en, output [@M:0] q",
    "reg [@M:0] r; assign q = r; always @(@FF) if (@R) r <= 0; else if (en) r <= r + 1;",
    widths=(4,),
    styles=AT_ONCE,
    right={
        "down from the top": "reg [@M:0] r; assign q = ~r; always @(@FF) if (@R) r <= ~0; else if (en) r <= r - 1;",
        "a register besides": "reg [@M:0] r; reg o; assign q = r ^ {@W{o & ~o}}; always @(@FF) if (@R) r <= 0; else if (en) r <= r + 1; always @(posedge clk) o <= en;",
    },
    wrong={
        "one bit waits": "reg [@M:1] r; reg b; assign q = {r, b & ~(@R)}; always @(@FF) if (@R) r <= 0; else if (en) r <= r + b; always @(posedge clk) if (@R) b <= 0; else if (en) b <= ~b;",
        "all bits wait": "reg [@M:0] r; reg z; assign q = @R ? 0 : r ^ {@W{z}}; always @(@FF) if (@R) z <= 0; else z <= z; always @(posedge clk) if (@R) r <= 0; else if (en) r <= r + 1;",
        "waits in a copy": "reg [@M:0] r, s; assign q = r & (s | {@W{@R}}); always @(@FF) if (@R) r <= 0; else if (en) r <= r + 1; always @(posedge clk) if (@R) s <= 0; else if (en) s <= s + 1;",
    },
)  # fmt: skip

QUOTIENT = Case(
    "a quotient that is all ones by 0",
    "input [@M:0] a, b, output [@M:0] y, r",
    "assign y = b == 0 ? {@W{1'b1}} : a / b; assign r = b == 0 ? a : a % b;",
    widths=(3, 5),
    clocked=False,
    right={
        "another divisor": "wire [@M:0] c = b | {{@M{1'b0}}, ~|b}; assign y = (a / c) | {@W{~|b}}; assign r = |b ? a % c : a;",
        "the rest by the quotient": "reg [@M:0] t; always @* if (b != 0) t = a / b; else t = ~0; assign y = t; assign r = b == 0 ? a : a - t * b;",
        "by subtracting": "reg [2*@W-1:0] s; reg [@M:0] t; integer i; always @* begin s = a; t = 0; for (i = @M; i >= 0; i = i - 1) if (b != 0 && s >= b << i) begin s = s - (b << i); t[i] = 1; end if (b == 0) t = ~0; end assign y = t, r = s;",
    },
    wrong={
        "nothing is said of 0": "assign y = a / b; assign r = a % b;",
        "the rest by 0": "assign y = |b ? a / b : ~0; assign r = a % b;",
        "in a function": "function automatic [@M:0] f(input [@M:0] n, d); return n / d; endfunction assign y = f(a, b); assign r = b == 0 ? a : a % b;",
        "signed": "wire signed [@M:0] n = a, d = b; wire [@M:0] t = n / d; assign y = b == 0 ? {@W{1'b1}} : t; assign r = b == 0 ? a : a % b;",
    },
)  # fmt: skip

OPEN_QUOTIENT = Case(
    "a quotient that is anything by 0",
    "input signed [@M:0] a, b, output signed [@M:0] y, r",
    "assign y = a / b; assign r = a % b;",
    widths=(3,),
    clocked=False,
    right={
        "0": "assign y = b == 0 ? @W'sd0 : a / b; assign r = b == 0 ? @W'sd0 : a % b;",
        "x": "reg signed [@M:0] t, u; always @* if (b != 0) begin t = a / b; u = a % b; end else begin t = {@W{1'bx}}; u = t; end assign y = t, r = u;",
        "a and b": "reg signed [@M:0] t; always @* if (b != 0) t = a / b; else t = b; assign y = t; assign r = |b ? a % b : a;",
        "by signs": "wire [@M:0] n = a < 0 ? -a : a, d = b < 0 ? -b : b; wire [@M:0] t = n / d, u = n % d; assign y = (a < 0) != (b < 0) ? -t : t; assign r = a < 0 ? -u : u;",
    },
    wrong={
        "unsigned": "assign y = $unsigned(a) / $unsigned(b); assign r = a % b;",
        "the sign of the divisor": "wire [@M:0] n = a < 0 ? -a : a, d = b < 0 ? -b : b; assign y = a / b; assign r = b < 0 ? -(n % d) : n % d;",
        "rounds down": "assign y = a / b - ((a % b != 0) & (a[@M] ^ b[@M])); assign r = a % b;",
    },
)  # fmt: skip

LISTS = Case(
    "a choice and its complement",
    "input [@M:0] a, b, input s, output reg [@M:0] y, n",
    "always @* begin y = s ? a : b; n = ~y; end",
    widths=(1, 4),
    clocked=False,
    right={
        "whole lists": "always @(a or b or s) y = s ? a : b; always @(y) n = ~y;",
        "a list that lacks what the block makes itself": "reg [@M:0] t; always @(a, b, s) begin t = s ? a : b; y = t; n = ~t; end",
        "two processes in the wrong order": "always @* n = ~y; always @* y = s ? a : b;",
        "delays": "wire [@M:0] #2 t = s ? a : b; always @* begin y <= #1 t; n <= #3 ~t; end",
    },
    wrong={
        "a list of s": "always @(s) begin y = s ? a : b; n = ~y; end",
        "a list without b": "always @(a, s) begin y = s ? a : b; n = ~y; end",
        "a list of what is read last": "always @(a or b or s) y = s ? a : b; always @(s) n = ~y;",
        "an edge in the list": "always @(posedge s) y = a; always @* n = ~y;",
    },
)  # fmt: skip

RACE = Case(
    "three registers in a row",
    "input d, output reg q",
    "reg a, b; always @(@FF) if (@R) {a, b, q} <= 0; else {a, b, q} <= {d, a, b};",
    right={
        "one process, from the end": "reg a, b; always @(@FF) if (@R) begin a = 0; b = 0; q = 0; end else begin q = b; b = a; a = d; end",
        "a variable of its own": "reg a, b; always @(@FF) begin : own reg t; if (@R) {a, b, q} <= 0; else begin t = a; a <= d; b <= t; q <= b; end end",
        "one name in two processes": "reg a, b; always @(@FF) begin : one reg t; t = d; if (@R) a <= 0; else a <= t; end always @(@FF) begin : two reg t; t = a; if (@R) {b, q} <= 0; else {b, q} <= {t, b}; end",
        "one index in two processes": "reg [1:0] a; integer i; always @(@FF) if (@R) a <= 0; else begin for (i = 1; i < 2; i = i + 1) a[i] <= a[i-1]; a[0] <= d; end always @(@FF) for (i = 0; i < 1; i = i + 1) if (@R) q <= 0; else q <= a[1];",
        "blocking, read by none that is clocked": "reg a, b; always @(@FF) if (@R) {a, b} <= 0; else {b, a} <= {a, d}; reg c; always @(@FF) if (@R) c = 0; else c = b; always @* q = c;",
    },
    wrong={
        "three processes": "reg a, b; always @(@FF) if (@R) a = 0; else a = d; always @(@FF) if (@R) b = 0; else b = a; always @(@FF) if (@R) q = 0; else q = b;",
        "three processes, from the end": "reg a, b; always @(@FF) if (@R) q = 0; else q = b; always @(@FF) if (@R) b = 0; else b = a; always @(@FF) if (@R) a = 0; else a = d;",
        "through a wire": "reg a, b; wire w = a; always @(@FF) if (@R) a = 0; else a = d; always @(@FF) if (@R) {b, q} <= 0; else {b, q} <= {w, b};",
        "a concatenation": "reg a, b, x; always @(@FF) if (@R) {x, a} = 0; else {x, a} = {a, d}; always @(@FF) if (@R) {b, q} <= 0; else {b, q} <= {a, b};",
        "an assignment with an operator": "reg a, b; always @(@FF) if (@R) a = 0; else begin a &= 0; a |= d; end always @(@FF) if (@R) {b, q} <= 0; else {b, q} <= {a, b};",
        "a module's own": "module one(input clk, input @RST, i, output reg o); always @(@FF) if (@R) o = 0; else o = i; endmodule\n----\nwire a, b, c; one u(clk, @RST, d, a), v(clk, @RST, a, b), w(clk, @RST, b, c); always @* q = c;",
        "in the wrong order": "reg a, b; always @(@FF) if (@R) begin a = 0; b = 0; q = 0; end else begin a = d; b = a; q = b; end",
    },
)  # fmt: skip

SIGNED = Case(
    "ports with signs, some asked without",
    "input signed [@M:0] a, b, output signed [@W+1:0] y, output l, g, output signed [2*@W-1:0] m, output signed [@M:0] r",
    "assign y = {a} + {b}; assign l = {a} < {b}; assign g = a > b; assign m = {a} * {b}; assign r = a >>> 1;",
    widths=(3, 5),
    clocked=False,
    right={
        "zeros in front": "assign y = {2'b0, a} + {2'b0, b}; assign l = a[@M:0] < b[@M:0]; assign g = b < a; assign m = {{@W{1'b0}}, a} * {{@W{1'b0}}, b}; assign r = {a[@M], a[@M:1]};",
        "copies without signs": "wire [@M:0] c = a, d = b, e = 1 << @M; assign y = c + d; assign l = c < d; assign g = (c ^ e) > (d ^ e); assign m = c * d; assign r = $signed(c) >>> 1;",
        "casts": "assign y = $unsigned(a) + $unsigned(b); assign l = $unsigned(a) < $unsigned(b); assign g = $signed(b) < $signed(a); assign m = $unsigned(a) * $unsigned(b); assign r = (a >> 1) | (a & (1 << @M));",
    },
    wrong={
        "the sum with signs": "assign y = a + b; assign l = {a} < {b}; assign g = a > b; assign m = {a} * {b}; assign r = a >>> 1;",
        "the comparison with signs": "assign y = {a} + {b}; assign l = a < b; assign g = a > b; assign m = {a} * {b}; assign r = a >>> 1;",
        "the other one without": "assign y = {a} + {b}; assign l = {a} < {b}; assign g = a > {b}; assign m = {a} * {b}; assign r = a >>> 1;",
        "the product with signs": "assign y = {a} + {b}; assign l = {a} < {b}; assign g = a > b; assign m = a * b; assign r = a >>> 1;",
        "a shift without": "assign y = {a} + {b}; assign l = {a} < {b}; assign g = a > b; assign m = {a} * {b}; assign r = {a} >>> 1;",
    },
)  # fmt: skip

CASES = (SIGNED, PULSE, PULSED_COUNT, QUOTIENT, OPEN_QUOTIENT, LISTS, RACE)
