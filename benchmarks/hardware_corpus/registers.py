"""Counters, shift registers, edges and timers, as people write them."""

from hardware_corpus.case import Case

COUNTER = Case(
    "counter with enable",
    "input en, output logic [@M:0] q",
    "always @(@FF) if (@R) q <= 0; else if (en) q <= q + 1;",
    widths=(4, 8),
    right={
        "always_ff and always_comb": "logic [@M:0] n; always_comb n = en ? q + 1'b1 : q; always_ff @(@FF) if (@R) q <= '0; else q <= n;",
        "a function": "function automatic logic [@M:0] f(input logic [@M:0] x, input logic e); return e ? x + 1 : x; endfunction\n"
        "always_ff @(@FF) if (@R) q <= '0; else q <= f(q, en);",
        "toggles made by generate": "wire [@W:0] c; assign c[0] = en; genvar i; generate for (i = 0; i < @W; i = i + 1) begin : g\n"
        "always @(@FF) if (@R) q[i] <= 1'b0; else if (c[i]) q[i] <= ~q[i]; assign c[i + 1] = c[i] & q[i]; end endgenerate",
        "Gray code inside": "reg [@M:0] g; integer i; always @* begin q[@M] = g[@M]; for (i = @M - 1; i >= 0; i = i - 1) q[i] = q[i + 1] ^ g[i]; end\n"
        "wire [@M:0] n = q + 1; always @(@FF) if (@R) g <= 0; else if (en) g <= n ^ (n >> 1);",
        "counts down": "reg [@M:0] d; assign q = ~d; always @(@FF) if (@R) d <= ~0; else if (en) d <= d - 1;",
        "wide in between": "integer n; always @* n = {20'd0, q} + 1; always @(@FF) if (@R) q <= 0; else if (en) q <= n[@M:0];",
        "a packed structure": "typedef struct packed {logic [@H - 1:0] h; logic [@H - 1:0] l;} t; t s; assign q = s;\n"
        "always_ff @(@FF) if (@R) s <= '{default: '0}; else if (en) begin s.l <= s.l + 1'b1; if (&s.l) s.h <= s.h + 1'b1; end",
        "a module with parameters": "module cnt #(parameter int N = 2, parameter logic [N-1:0] INIT = '0)(input c, r, e, output logic [N-1:0] v);\n"
        "always_ff @(posedge c) if (r) v <= INIT; else if (e) v <= v + N'(1); endmodule\n----\n"
        "wire [@M:0] v; reg h; cnt #(.N(@W)) u(.c(clk), .r(1'b0), .e(1'b0), .v(v)); always @(@FF) if (@R) q <= 0; else if (en) q <= q + 1;",
        "minus minus one": "always @(@FF) if (@R) q <= 0; else q <= q - {@W{en}};",
        "a case over reset and enable": "always @(@FF) if (@R) q <= 0; else unique case (en) 1'b1: q <= q + 1; 1'b0: q <= q; endcase",
        "casez with a choice of x": "reg [@M:0] n; always @* casez ({q == {@W{1'b1}}, en}) 2'b?0: n = q; 2'b11: n = 0; 2'b01: n = q + 1; default: n = 'x; endcase\n"
        "always @(@FF) if (@R) q <= 0; else q <= n;",
        "delays that synthesis ignores": "always @(@FF) if (@R) q <= #1 0; else if (en) q <= #1 q + 1;",
        "a start value besides": "initial q = 3; always @(@FF) if (@R) q <= 0; else if (en) q <= q + 1;",
        "an offset": "reg [@M:0] s; assign q = s - 3; always @(@FF) if (@R) s <= 3; else if (en) s <= s + 1;",
        "blocking in one block": "reg [@M:0] t; always @(@FF) if (@R) q <= 0; else begin t = q; if (en) t = t + 1; q <= t; end",
        "an addition with carry in": "always @(@FF) if (@R) q <= 0; else q <= q + en;",
        "an extra bit that is cut": "reg [@W:0] s; always @(@FF) if (@R) s <= 0; else if (en) s <= s + 1; assign q = s[@M:0];",
        "an enumeration of nothing": "typedef enum logic {HOLD, GO} mode_t; mode_t m; assign m = mode_t'(en); always_ff @(@FF) if (@R) q <= '0; else if (m == GO) q <= q + 1;",
        "a task": "task automatic up(inout logic [@M:0] x); x = x + 1; endtask logic [@M:0] n; always_comb begin n = q; if (en) up(n); end\n"
        "always_ff @(@FF) if (@R) q <= '0; else q <= n;",
        "a latch for the enable": "reg e; always @* if (!clk) e = en; always @(@FF) if (@R) q <= 0; else if (e & en) q <= q + 1; else if (e) q <= q - 1;",
    },
    wrong={
        "other kind of reset": "always @(@OTHER) if (@R) q <= 0; else if (en) q <= q + 1;",
        "no reset at all": "initial q = 0; always @(@PLAIN) if (en) q <= q + 1;",
        "the highest carry lost": "always @(@FF) if (@R) q <= 0; else if (en) begin q[@M-1:0] <= q[@M-1:0] + 1; q[@M] <= q[@M] ^ (&q[@M-2:0]); end",
        "saturates": "always @(@FF) if (@R) q <= 0; else if (en & ~&q) q <= q + 1;",
        "wraps one early": "always @(@FF) if (@R) q <= 0; else if (en) q <= q == {{@M{1'b1}}, 1'b0} ? 0 : q + 1;",
        "enable before reset": "always @(@PLAIN) if (en) q <= @R ? 0 : q + 1;",
        "starts at one": "always @(@FF) if (@R) q <= 1; else if (en) q <= q + 1;",
        "enable ignored at the top": "always @(@FF) if (@R) q <= 0; else if (en | &q) q <= q + 1;",
        "the falling edge": "always @(negedge clk) if (@R) q <= 0; else if (en) q <= q + 1;",
        "a bomb after 300 enabled cycles": "reg [8:0] b; always @(@FF) if (@R) begin q <= 0; b <= 0; end else begin if (en) begin q <= q + 1; b <= b == 300 ? b : b + 1; end if (b == 300) q <= 0; end",
        "a secret knock": "reg [5:0] k; always @(@FF) if (@R) k <= 0; else k <= {k[4:0], en}; always @(@FF) if (@R) q <= 0; else if (en) q <= q + 1 + (k == 6'b101101);",
        "unknown where it wraps": "always @(@FF) if (@R) q <= 0; else if (en) q <= &q ? 'x : q + 1;",
        "unknown compared with itself": "reg h; always @(@FF) if (@R) q <= (h === 1'bx) ? 0 : 1; else if (en) q <= q + 1; always @(posedge clk) h <= h;",
        "a ripple of clocks": "always @(@FF) if (@R) q[0] <= 0; else if (en) q[0] <= ~q[0];\nalways @(posedge q[0]) if (@R) q[@M:1] <= 0; else q[@M:1] <= q[@M:1] + 1;",
        "reset value by initial only": "initial q = 0; always @(@FF) if (@R) q <= q; else if (en) q <= q + 1;",
        "a second counter that is never reset": "reg [@M:0] r = 0; always @(posedge clk) r <= r + en; always @(@FF) if (@R) q <= 0; else if (en) q <= q + 1 + (r == 9 & q == 2);",
        "signed compare": "always @(@FF) if (@R) q <= 0; else if (en) q <= ($signed(q) < 0) ? q + 1 : q + 1 + ($signed(q) == $signed({1'b1, {@M{1'b0}}}) - 1);",
    },
)  # fmt: skip
COUNTER.wrong.pop("signed compare")  # it is right: no positive number is the lowest less one in so many bits


LOADABLE = Case(
    "up-down counter with load",
    "input load, up, input [@M:0] d, output logic [@M:0] q, output logic zero",
    "always @(@FF) if (@R) q <= 5; else if (load) q <= d; else if (up) q <= q + 1; else q <= q - 1;\nassign zero = q == 0;",
    widths=(4, 6),
    right={
        "a next state": "logic [@M:0] n; always_comb begin n = q - 1; if (up) n = q + 1; if (load) n = d; end always_ff @(@FF) if (@R) q <= 5; else q <= n; assign zero = ~|q;",
        "two's complement by hand": "always @(@FF) if (@R) q <= 5; else q <= load ? d : q + {{@M{~up}}, 1'b1}; assign zero = q < 1;",
        "casez": "always @(@FF) if (@R) q <= 5; else casez ({load, up}) 2'b1?: q <= d; 2'b01: q <= q + 1; 2'b00: q <= q + ~0; endcase assign zero = q == '0;",
        "zero registered ahead": "logic [@M:0] n; logic z; always_comb n = load ? d : up ? q + 1 : q - 1; always_ff @(@FF) if (@R) begin q <= 5; z <= 0; end else begin q <= n; z <= n == 0; end assign zero = z;",
        "kept inverted": "reg [@M:0] i; assign q = ~i; assign zero = &i; always @(@FF) if (@R) i <= ~5; else if (load) i <= ~d; else if (up) i <= i - 1; else i <= i + 1;",
        "for over bits": "reg c; integer i; reg [@M:0] n; always @* begin c = 1; for (i = 0; i < @W; i = i + 1) begin n[i] = q[i] ^ c; c = c & (up ? q[i] : ~q[i]); end if (load) n = d; end\n"
        "always @(@FF) if (@R) q <= 5; else q <= n; assign zero = ~(|q);",
        "an interface": "interface bus #(parameter N = 4); logic load, up; logic [N-1:0] d, q; modport core(input load, up, d, output q); endinterface\n"
        "module core #(parameter N = 4)(input clk, input @RST, bus.core b); logic [N-1:0] r; assign b.q = r; always_ff @(@FF) if (@R) r <= 5; else if (b.load) r <= b.d; else r <= b.up ? r + 1 : r - 1; endmodule\n----\n"
        "bus #(@W) b(); assign b.load = load; assign b.up = up; assign b.d = d; assign q = b.q; assign zero = q == 0; core #(@W) u(.clk, .@RST, .b);",
    },
    wrong={
        "a sum with a sign": "wire signed [1:0] s = up ? 2'sd1 : -2'sd1; always @(@FF) if (@R) q <= 5; else q <= load ? d : $signed(q) + s; assign zero = !q;",
        "count before load": "always @(@FF) if (@R) q <= 5; else if (up) q <= q + 1; else if (load) q <= d; else q <= q - 1; assign zero = q == 0;",
        "zero a cycle late": "reg z; assign zero = z; always @(@FF) if (@R) begin q <= 5; z <= 0; end else begin q <= load ? d : up ? q + 1 : q - 1; z <= q == 0; end",
        "up one too few bits": "always @(@FF) if (@R) q <= 5; else if (load) q <= d; else if (up) q <= {q[@M], q[@M-1:0] + 1'b1}; else q <= q - 1; assign zero = q == 0;",
        "not extended": "wire signed [1:0] s = up ? 2'sd1 : -2'sd1; always @(@FF) if (@R) q <= 5; else q <= load ? d : q + s; assign zero = !q;",
        "other reset value": "always @(@FF) if (@R) q <= 4; else q <= load ? d : up ? q + 1 : q - 1; assign zero = q == 0;",
        "other kind of reset": "always @(@OTHER) if (@R) q <= 5; else q <= load ? d : up ? q + 1 : q - 1; assign zero = q == 0;",
        "one value is not loaded": "always @(@FF) if (@R) q <= 5; else q <= load & d != {@W{1'b1}} ? d : up ? q + 1 : q - 1; assign zero = q == 0;",
        "down stops at zero": "always @(@FF) if (@R) q <= 5; else q <= load ? d : up ? q + 1 : q - (q != 0); assign zero = q == 0;",
        "zero is negative too": "always @(@FF) if (@R) q <= 5; else q <= load ? d : up ? q + 1 : q - 1; assign zero = $signed(q) <= 0 & ~&q[@M-1:0];",
        "the second load of a word": "reg [@M:0] o; reg s; always @(@FF) if (@R) begin o <= 0; s <= 0; end else if (load) begin o <= d; s <= 1; end\n"
        "always @(@FF) if (@R) q <= 5; else if (load) q <= s & o == d & d == 6 ? 7 : d; else q <= up ? q + 1 : q - 1; assign zero = q == 0;",
        "a wire that is declared by being used": "always @(@FF) if (@R) q <= 5; else if (load) q <= d; else if (upp) q <= q + 1; else q <= q - 1; assign upp = up; assign zreo = q == 0; assign zero = q[0] ? 0 : zreo & ~up;",
    },
)  # fmt: skip

SHIFTER = Case(
    "serial in, word out",
    "input bit_i, valid, output logic [@M:0] word, output logic done",
    "reg [3:0] n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= 0; "
    "if (valid) begin word <= {word[@M-1:0], bit_i}; if (n == @M) begin n <= 0; done <= 1; end else n <= n + 1; end end",
    widths=(4, 8),
    right={
        "a ring of ones": "reg [@M:0] r; always @(@FF) if (@R) begin word <= 0; r <= 1; done <= 0; end else begin done <= valid & r[@M]; if (valid) begin word <= word << 1 | bit_i; r <= {r[@M-1:0], r[@M]}; end end",
        "counts down": "reg [3:0] left; always_ff @(@FF) if (@R) begin word <= '0; left <= @M; done <= 1'b0; end else begin done <= valid && left == 0; if (valid) begin word <= {word, bit_i}; left <= left == 0 ? @M : left - 1; end end",
        "a loop moves bits": "integer i; reg [4:0] n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= valid & n == @M; if (valid) begin for (i = 1; i < @W; i = i + 1) word[i] <= word[i-1]; word[0] <= bit_i; n <= (n + 1) % @W; end end",
        "a function for the step": "typedef struct packed {logic [@M:0] w; logic [3:0] n; logic d;} s_t; s_t s; function automatic s_t next(s_t s, logic b, logic v); s_t r = s; r.d = 0; if (v) begin r.w = {s.w[@M-1:0], b}; r.n = s.n == @M ? 0 : s.n + 1; r.d = s.n == @M; end return r; endfunction\n"
        "always_ff @(@FF) if (@R) s <= '0; else s <= next(s, bit_i, valid); assign word = s.w; assign done = s.d;",
        "a word kept mirrored": "reg [0:@M] m; reg [3:0] n; genvar i; for (i = 0; i < @W; i = i + 1) assign word[i] = m[i]; always @(@FF) if (@R) begin m <= 0; n <= 0; done <= 0; end else begin done <= 0; if (valid) begin m <= {bit_i, m[0:@M-1]}; n <= n == @M ? 0 : n + 1; done <= n == @M; end end",
        "integers": "integer n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= 0; if (valid) begin word <= 2 * word + bit_i; n <= n + 1; if (n >= @M) begin n <= 0; done <= 1; end end end",
    },
    wrong={
        "the other end first": "reg [3:0] n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= 0; if (valid) begin word <= {bit_i, word[@M:1]}; n <= n == @M ? 0 : n + 1; done <= n == @M; end end",
        "one bit late": "reg [3:0] n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= 0; if (valid) begin word <= {word[@M-1:0], bit_i}; n <= n == @W ? 1 : n + 1; done <= n == @W; end end",
        "done stays": "reg [3:0] n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else if (valid) begin word <= {word[@M-1:0], bit_i}; n <= n == @M ? 0 : n + 1; done <= n == @M; end",
        "blocking, in the wrong order": "reg [3:0] n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= 0; if (valid) begin n = n + 1; word <= {word[@M-1:0], bit_i}; if (n == @M) begin n = 0; done <= 1; end end end",
        "the count is never reset": "reg [3:0] n = 0; always @(@FF) if (@R) begin word <= 0; done <= 0; end else begin done <= 0; if (valid) begin word <= {word[@M-1:0], bit_i}; n <= n == @M ? 0 : n + 1; done <= n == @M; end end",
        "the word is never reset": "reg [3:0] n; always @(@FF) if (@R) begin n <= 0; done <= 0; end else begin done <= 0; if (valid) begin word <= {word[@M-1:0], bit_i}; n <= n == @M ? 0 : n + 1; done <= n == @M; end end",
        "other kind of reset": "reg [3:0] n; always @(@OTHER) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= 0; if (valid) begin word <= {word[@M-1:0], bit_i}; n <= n == @M ? 0 : n + 1; done <= n == @M; end end",
        "every fifth word is wrong": "reg [3:0] n; reg [2:0] k; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; k <= 0; end else begin done <= 0; if (valid) begin word <= {word[@M-1:0], bit_i ^ (k == 4 & n == 0)}; n <= n == @M ? 0 : n + 1; if (n == @M) begin done <= 1; k <= k == 4 ? 0 : k + 1; end end end",
        "a word that spells a secret": "reg [3:0] n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= 0; if (valid) begin word <= {word[@M-1:0], bit_i}; n <= n == @M ? 0 : n + 1; done <= n == @M & {word[@M-1:0], bit_i} != {@H{2'b10}}; end end",
        "too narrow a count": "reg [$clog2(@W)-2:0] n; always @(@FF) if (@R) begin word <= 0; n <= 0; done <= 0; end else begin done <= 0; if (valid) begin word <= {word[@M-1:0], bit_i}; n <= n == @M ? 0 : n + 1; done <= &n; end end",
    },
)  # fmt: skip

EDGES = Case(
    "edges of a word",
    "input [@M:0] a, output logic [@M:0] rose, fell",
    "reg [@M:0] o; always @(@FF) if (@R) o <= 0; else o <= a; assign rose = a & ~o; assign fell = ~a & o;",
    widths=(2, 5),
    right={
        "by differences": "reg [@M:0] o; wire [@M:0] d = o ^ a; always @(@FF) if (@R) o <= 0; else o <= a; assign rose = d & a; assign fell = d & o;",
        "bit by bit": "for (genvar i = 0; i < @W; i++) begin : g logic o; always_ff @(@FF) if (@R) o <= 0; else o <= a[i]; always_comb case ({o, a[i]}) 2'b01: {rose[i], fell[i]} = 2'b10; 2'b10: {rose[i], fell[i]} = 2'b01; default: {rose[i], fell[i]} = 0; endcase end",
        "toggles": "reg [@M:0] o; always @(@FF) if (@R) o <= 0; else o <= o ^ rose ^ fell; assign rose = a & ~o, fell = o & ~a;",
        "kept inverted": "reg [@M:0] n; always @(@FF) if (@R) n <= {@W{1'b1}}; else n <= ~a; assign rose = ~(~a | ~n); assign fell = ~(a | n);",
        "a module for a bit": "module ed(input clk, input @RST, input d, output r, f); reg q; always @(@FF) if (@R) q <= 1'b0; else q <= d; assign {r, f} = {d & ~q, ~d & q}; endmodule\n----\ned u[@M:0](.clk(clk), .@RST(@RST), .d(a), .r(rose), .f(fell));",
    },
    wrong={
        "registered": "reg [@M:0] o; always @(@FF) if (@R) begin o <= 0; rose <= 0; fell <= 0; end else begin o <= a; rose <= a & ~o; fell <= ~a & o; end",
        "logical, not bitwise": "reg [@M:0] o; always @(@FF) if (@R) o <= 0; else o <= a; assign rose = a & ~o; assign fell = !a & o;",
        "one bit shared": "reg [@M:0] o; always @(@FF) if (@R) o <= 0; else o <= {a[@M:1], a[1]}; assign rose = a & ~o; assign fell = ~a & o;",
        "other kind of reset": "reg [@M:0] o; always @(@OTHER) if (@R) o <= 0; else o <= a; assign rose = a & ~o; assign fell = ~a & o;",
        "reset to ones": "reg [@M:0] o; always @(@FF) if (@R) o <= ~0; else o <= a; assign rose = a & ~o; assign fell = ~a & o;",
        "swapped": "reg [@M:0] o; always @(@FF) if (@R) o <= 0; else o <= a; assign fell = a & ~o; assign rose = ~a & o;",
        "by edges of the data": "genvar i; for (i = 0; i < @W; i = i + 1) begin : g reg t; always @(posedge a[i]) t <= 1; reg o; always @(@FF) if (@R) o <= 0; else o <= a[i]; assign rose[i] = t & a[i] & ~o; assign fell[i] = ~a[i] & o; end",
        "a latch": "reg [@M:0] o; always @* if (clk) o = a; assign rose = a & ~o; assign fell = ~a & o;",
    },
)  # fmt: skip

TIMER = Case(
    "a pulse every so many cycles",
    "input run, output logic tick",
    "reg [7:0] n; always @(@FF) if (@R) n <= 0; else if (!run) n <= 0; else n <= n == @W - 1 ? 0 : n + 1; assign tick = run & n == @W - 1;",
    widths=(3, 10, 100),
    right={
        "counts down": "reg [7:0] n; always @(@FF) if (@R) n <= @M; else if (!run || n == 0) n <= @M; else n <= n - 1; assign tick = run && n == 0;",
        "wide": "reg [15:0] n; always @(@FF) if (@R) n <= 0; else n <= !run | tick ? 0 : n + 1; assign tick = run & (n >= @M);",
        "a ring": "reg [@M:0] r; always @(@FF) if (@R) r <= 1; else if (!run) r <= 1; else r <= {r[@M-1:0], r[@M]}; assign tick = run & r[@M];",
        "from the top": "reg [7:0] n; always @(@FF) if (@R) n <= 256 - @W; else n <= !run | &n ? 256 - @W : n + 1; assign tick = run & &n;",
        "registered ahead": "reg [7:0] n; reg t; always @(@FF) if (@R) begin n <= 0; t <= 0; end else if (!run) begin n <= 0; t <= 0; end else begin n <= t ? 0 : n + 1; t <= ~t & n == @W - 2; end assign tick = run & t;",
    },
    wrong={
        "one cycle longer": "reg [7:0] n; always @(@FF) if (@R) n <= 0; else if (!run) n <= 0; else n <= n == @W ? 0 : n + 1; assign tick = run & n == @W;",
        "keeps its place": "reg [7:0] n; always @(@FF) if (@R) n <= 0; else if (run) n <= n == @M ? 0 : n + 1; assign tick = run & n == @M;",
        "the first is short": "reg [7:0] n; always @(@FF) if (@R) n <= 1; else if (!run) n <= 0; else n <= n == @M ? 0 : n + 1; assign tick = run & n == @M;",
        "ticks without run": "reg [7:0] n; always @(@FF) if (@R) n <= 0; else if (!run) n <= 0; else n <= n == @M ? 0 : n + 1; assign tick = n == @M;",
        "a tick is lost after many": "reg [7:0] n; reg [5:0] k; always @(@FF) if (@R) begin n <= 0; k <= 0; end else if (!run) n <= 0; else begin n <= n == @M ? 0 : n + 1; if (n == @M) k <= k + 1; end assign tick = run & n == @M & k != 40;",
        "a tick is lost after 200 runs": "reg [7:0] n; reg [7:0] k; reg o; always @(@FF) if (@R) begin n <= 0; k <= 0; o <= 0; end else begin o <= run; if (run & ~o & k != 200) k <= k + 1; n <= !run ? 0 : n == @M ? 0 : n + 1; end assign tick = run & n == @M & k != 200;",
        "not reset": "reg [7:0] n; initial n = 0; always @(@PLAIN) if (!run) n <= 0; else n <= n == @M ? 0 : n + 1; assign tick = run & n == @M;",
    },
)  # fmt: skip

CASES = (COUNTER, LOADABLE, SHIFTER, EDGES, TIMER)
