"""State machines, queues, arbiters and arithmetic over time."""

from hardware_corpus.case import Case

DETECTOR = Case(
    "1011 in a stream",
    "input x, output logic z",
    "reg [2:0] s; always @(@FF) if (@R) s <= 0; else case (s) 0: s <= x ? 1 : 0; 1: s <= x ? 1 : 2; 2: s <= x ? 3 : 0; 3: s <= x ? 4 : 2; 4: s <= x ? 1 : 2; default: s <= 0; endcase assign z = s == 4;",
    right={
        "one-hot": "reg [4:0] s; wire [4:0] n; assign n[0] = ~x & (s[0] | s[2]); assign n[1] = x & (s[0] | s[1] | s[4]); assign n[2] = ~x & (s[1] | s[3] | s[4]); assign n[3] = x & s[2]; assign n[4] = x & s[3];\n"
        "always @(@FF) if (@R) s <= 5'b1; else s <= n; assign z = s[4];",
        "the last four bits": "reg [3:0] h; always @(@FF) if (@R) h <= 0; else h <= {h[2:0], x}; assign z = h == 4'b1011;",
        "half of it is reset": "reg [3:0] h; always @(@FF) if (@R) h[2:0] <= 0; else h <= {h[2:0], x}; assign z = h == 4'b1011;",
        "an enumeration": "typedef enum logic [2:0] {IDLE = 3'd7, S1 = 3'd5, S10 = 3'd4, S101 = 3'd1, HIT = 3'd0} state_e; state_e state, next;\n"
        "always_comb begin next = IDLE; unique case (state) IDLE: next = x ? S1 : IDLE; S1: next = x ? S1 : S10; S10: next = x ? S101 : IDLE; S101: next = x ? HIT : S10; HIT: next = x ? S1 : S10; default: next = IDLE; endcase end\n"
        "always_ff @(@FF) if (@R) state <= IDLE; else state <= next; assign z = state == HIT;",
        "Mealy with a register": "reg [1:0] s; always @(@FF) if (@R) begin s <= 0; z <= 0; end else begin z <= s == 3 & x; case (s) 0: s <= x; 1: s <= x ? 1 : 2; 2: s <= x ? 3 : 0; 3: s <= x ? 1 : 2; endcase end",
        "a default of x": "reg [2:0] s, n; always @* case (s) 0: n = x ? 1 : 0; 1: n = x ? 1 : 2; 2: n = x ? 3 : 0; 3: n = x ? 4 : 2; 4: n = x ? 1 : 2; default: n = 3'bx; endcase always @(@FF) if (@R) s <= 0; else s <= n; assign z = s[2];",
        "parameters and one block": "parameter A = 0, B = 1, C = 3, D = 2, E = 6; reg [2:0] s; assign z = (s == E); always @(@FF) begin if (@R) s <= A; else begin if (s == A) s <= x ? B : A; else if (s == B) s <= x ? B : C; else if (s == C) s <= x ? D : A; else if (s == D) s <= x ? E : C; else s <= x ? B : C; end end",
        "four counters in a row": "reg a, b, c; always @(@FF) if (@R) {a, b, c, z} <= 0; else begin a <= x; b <= a & ~x; c <= b & x; z <= c & x; end",
    },
    wrong={
        "no overlap": "reg [2:0] s; always @(@FF) if (@R) s <= 0; else case (s) 0: s <= x ? 1 : 0; 1: s <= x ? 1 : 2; 2: s <= x ? 3 : 0; 3: s <= x ? 4 : 2; default: s <= x ? 1 : 0; endcase assign z = s == 4;",
        "a step too early": "reg [3:0] h; always @(@FF) if (@R) h <= 0; else h <= {h[2:0], x}; assign z = {h[2:0], x} == 4'b1011;",
        "mirrored": "reg [3:0] h; always @(@FF) if (@R) h <= 0; else h <= {h[2:0], x}; assign z = h == 4'b1101;",
        "back to the start": "reg [2:0] s; always @(@FF) if (@R) s <= 0; else case (s) 0: s <= x; 1: s <= x ? 1 : 2; 2: s <= x ? 3 : 0; 3: s <= x ? 4 : 0; 4: s <= x ? 1 : 2; default: s <= 0; endcase assign z = s == 4;",
        "other kind of reset": "reg [3:0] h; always @(@OTHER) if (@R) h <= 0; else h <= {h[2:0], x}; assign z = h == 4'b1011;",
        "reset as if one had been": "reg [3:0] h; always @(@FF) if (@R) h <= 1; else h <= {h[2:0], x}; assign z = h == 4'b1011;",
        "tired after 70 hits": "reg [6:0] k; reg [3:0] h; always @(@FF) if (@R) begin h <= 0; k <= 0; end else begin h <= {h[2:0], x}; if (z) k <= k + 1; end assign z = h == 4'b1011 & k < 70;",
        "one-hot from zero": "reg [4:0] s; always @(@FF) if (@R) s <= 5'b0; else s <= {x & s[3], x & s[2], ~x & (s[1] | s[3] | s[4]), x & (s[0] | s[1] | s[4]), ~x & (s[0] | s[2])}; assign z = s[4];",
        "a state that is not in the list": "reg [2:0] s, n; always @* case (s) 0: n = x ? 1 : 0; 1: n = x ? 1 : 2; 2: n = x ? 3 : 0; 3: n = x ? 5 : 2; 4: n = x ? 1 : 2; default: n = 3'bx; endcase always @(@FF) if (@R) s <= 0; else s <= n; assign z = s[2];",
        "an incomplete case": "reg [2:0] s, n; always @* case (s) 0: n = x ? 1 : 0; 1: n = x ? 1 : 2; 2: if (x) n = 3; 3: n = x ? 4 : 2; 4: n = x ? 1 : 2; default: n = 0; endcase always @(@FF) if (@R) s <= 0; else s <= n; assign z = s == 4;",
    },
)  # fmt: skip

QUEUE = Case(
    "a queue of four",
    "input push, pop, input [@M:0] d, output [@M:0] q, output full, empty",
    "reg [@M:0] m [0:3]; reg [1:0] w, r; reg [2:0] n; wire i = push & ~full, o = pop & ~empty; assign full = n == 4, empty = n == 0; assign q = empty ? 0 : m[r];\n"
    "always @(@FF) if (@R) begin w <= 0; r <= 0; n <= 0; end else begin if (i) w <= w + 1; if (o) r <= r + 1; n <= n + i - o; end always @(posedge clk) if (i) m[w] <= d;",
    widths=(2, 4),
    right={
        "pointers with one bit more": "reg [@M:0] m [0:3]; reg [2:0] w, r; assign empty = w == r; assign full = w == (r ^ 4); assign q = empty ? 0 : m[r[1:0]]; always @(posedge clk) if (push & ~full) m[w[1:0]] <= d;\n"
        "always @(@FF) if (@R) begin w <= 0; r <= 0; end else begin if (push & ~full) w <= w + 1; if (pop & ~empty) r <= r + 1; end",
        "words that move up": "reg [@M:0] a, b, c, e; reg [2:0] n; assign empty = n == 0, full = n[2]; assign q = empty ? 0 : a; wire i = push & ~full, o = pop & ~empty; wire [2:0] at = n - o;\n"
        "always @(@FF) if (@R) n <= 0; else n <= at + i; always @(posedge clk) begin if (o) begin a <= b; b <= c; c <= e; end if (i) case (at[1:0]) 0: a <= d; 1: b <= d; 2: c <= d; 3: e <= d; endcase end",
        "one vector": "reg [4 * @W - 1:0] m; reg [1:0] w, r; reg f; assign empty = w == r & ~f; assign full = f; assign q = empty ? 0 : m[r * @W +: @W]; wire i = push & ~full, o = pop & ~empty;\n"
        "always @(posedge clk) if (i) m[w * @W +: @W] <= d; always @(@FF) if (@R) {w, r, f} <= 0; else begin w <= w + i; r <= r + o; if (i & ~o) f <= w + 2'd1 == r; else if (o & ~i) f <= 0; end",
        "packed words": "logic [3:0][@M:0] m; logic [3:0] wh, rh; logic [2:0] n; assign full = n == 4; assign empty = n == 0; logic [@M:0] v; always_comb begin v = '0; for (int k = 0; k < 4; k++) if (rh[k]) v |= m[k]; end assign q = empty ? '0 : v;\n"
        "always_ff @(posedge clk) for (int k = 0; k < 4; k++) if (push && !full && wh[k]) m[k] <= d; always_ff @(@FF) if (@R) begin wh <= 1; rh <= 1; n <= 0; end else begin if (push && !full) begin wh <= {wh[2:0], wh[3]}; end if (pop && !empty) rh <= {rh[2:0], rh[3]}; n <= n + (push && !full) - (pop && !empty); end",
    },
    wrong={
        "full one early": "reg [@M:0] m [0:3]; reg [1:0] w, r; assign empty = w == r; assign full = w + 2'd1 == r; assign q = empty ? 0 : m[r]; always @(posedge clk) if (push & ~full) m[w] <= d;\n"
        "always @(@FF) if (@R) begin w <= 0; r <= 0; end else begin if (push & ~full) w <= w + 1; if (pop & ~empty) r <= r + 1; end",
        "full, yet popped: pushed": "reg [@M:0] m [0:3]; reg [2:0] w, r; assign empty = w == r; assign full = w == (r ^ 4); wire i = push & (~full | pop); assign q = empty ? 0 : m[r[1:0]]; always @(posedge clk) if (i) m[w[1:0]] <= d;\n"
        "always @(@FF) if (@R) begin w <= 0; r <= 0; end else begin if (i) w <= w + 1; if (pop & ~empty) r <= r + 1; end",
        "a wider comparison": "reg [@M:0] m [0:3]; reg [1:0] w, r; reg e; assign empty = w == r & ~e; assign full = w + 1 == r & e | w == r & e; assign q = empty ? 0 : m[r]; always @(posedge clk) if (push & ~full) m[w] <= d;\n"
        "always @(@FF) if (@R) {w, r, e} <= 0; else begin if (push & ~full) w <= w + 1; if (pop & ~empty) r <= r + 1; if (push & ~full & ~(pop & ~empty)) e <= 1; else if (pop & ~empty & ~(push & ~full) & r + 2'd1 == w) e <= 0; end",
        "pops when empty": "reg [@M:0] m [0:3]; reg [2:0] w, r; assign empty = w == r; assign full = w == (r ^ 4); assign q = empty ? 0 : m[r[1:0]]; always @(posedge clk) if (push & ~full) m[w[1:0]] <= d;\n"
        "always @(@FF) if (@R) begin w <= 0; r <= 0; end else begin if (push & ~full) w <= w + 1; if (pop & ~(empty & ~push)) r <= r + 1; end",
        "overwrites the last": "reg [@M:0] m [0:3]; reg [2:0] w, r; assign empty = w == r; assign full = w == (r ^ 4); assign q = empty ? 0 : m[r[1:0]]; always @(posedge clk) if (push) m[w[1:0]] <= d;\n"
        "always @(@FF) if (@R) begin w <= 0; r <= 0; end else begin if (push & ~full) w <= w + 1; if (pop & ~empty) r <= r + 1; end",
        "passes through at once": "reg [@M:0] m [0:3]; reg [2:0] w, r; assign empty = w == r; assign full = w == (r ^ 4); assign q = empty ? (push ? d : 0) : m[r[1:0]]; always @(posedge clk) if (push & ~full) m[w[1:0]] <= d;\n"
        "always @(@FF) if (@R) begin w <= 0; r <= 0; end else begin if (push & ~full) w <= w + 1; if (pop & ~empty) r <= r + 1; end",
        "other kind of reset": "reg [@M:0] m [0:3]; reg [2:0] w, r; assign empty = w == r; assign full = w == (r ^ 4); assign q = empty ? 0 : m[r[1:0]]; always @(posedge clk) if (push & ~full) m[w[1:0]] <= d;\n"
        "always @(@OTHER) if (@R) begin w <= 0; r <= 0; end else begin if (push & ~full) w <= w + 1; if (pop & ~empty) r <= r + 1; end",
        "the word of the last but one": "reg [@M:0] m [0:3]; reg [2:0] w, r; assign empty = w == r; assign full = w == (r ^ 4); assign q = empty ? 0 : m[w[1:0] - 2'd1]; always @(posedge clk) if (push & ~full) m[w[1:0]] <= d;\n"
        "always @(@FF) if (@R) begin w <= 0; r <= 0; end else begin if (push & ~full) w <= w + 1; if (pop & ~empty) r <= r + 1; end",
        "shows a word when empty": "reg [@M:0] m [0:3]; reg [2:0] w, r; assign empty = w == r; assign full = w == (r ^ 4); assign q = m[r[1:0]]; always @(posedge clk) if (push & ~full) m[w[1:0]] <= d;\n"
        "always @(@FF) if (@R) begin w <= 0; r <= 0; end else begin if (push & ~full) w <= w + 1; if (pop & ~empty) r <= r + 1; end",
    },
)  # fmt: skip

ARBITER = Case(
    "three take turns",
    "input [2:0] req, output logic [2:0] gnt",
    "reg [1:0] last; always @* begin gnt = 0; case (last) 0: gnt = req[1] ? 2 : req[2] ? 4 : req[0] ? 1 : 0; 1: gnt = req[2] ? 4 : req[0] ? 1 : req[1] ? 2 : 0; default: gnt = req[0] ? 1 : req[1] ? 2 : req[2] ? 4 : 0; endcase end\n"
    "always @(@FF) if (@R) last <= 2; else if (gnt[0]) last <= 0; else if (gnt[1]) last <= 1; else if (gnt[2]) last <= 2;",
    right={
        "a mask": "reg [2:0] m; wire [2:0] a = req & m; wire [2:0] b = |a ? a : req; assign gnt = b & -b; always @(@FF) if (@R) m <= 7; else if (|gnt) m <= ~((gnt << 1) - 3'd1);",
        "twice side by side": "reg [2:0] p; wire [5:0] dd = {req, req}; wire [5:0] g = dd & ~(dd - {3'b0, p}); assign gnt = g[5:3] | g[2:0]; always @(@FF) if (@R) p <= 1; else if (|req) p <= {gnt[1:0], gnt[2]};",
        "a loop": "reg [1:0] last; integer i; reg [2:0] k; always @* begin gnt = 0; for (i = 3; i >= 1; i = i - 1) begin k = (last + i) % 3; if (req[k]) gnt = 3'b1 << k; end end always @(@FF) if (@R) last <= 2; else if (|gnt) last <= gnt[2] ? 2 : gnt[1];",
        "casez in three": "reg [2:0] l; always_comb begin gnt = '0; unique case (1'b1) l[0]: casez (req) 3'b?1?: gnt = 2; 3'b1??: gnt = 4; 3'b001: gnt = 1; default: ; endcase l[1]: casez (req) 3'b1??: gnt = 4; 3'b??1: gnt = 1; 3'b010: gnt = 2; default: ; endcase default: casez (req) 3'b??1: gnt = 1; 3'b?1?: gnt = 2; 3'b100: gnt = 4; default: ; endcase endcase end\n"
        "always_ff @(@FF) if (@R) l <= 4; else if (gnt != 0) l <= gnt;",
    },
    wrong={
        "always the lowest": "assign gnt = req & -req;",
        "moves on without a request": "reg [2:0] m; wire [2:0] a = req & m; wire [2:0] b = |a ? a : req; assign gnt = b & -b; always @(@FF) if (@R) m <= 7; else m <= |gnt ? ~((gnt << 1) - 3'd1) : 7;",
        "begins with the second": "reg [2:0] m; wire [2:0] a = req & m; wire [2:0] b = |a ? a : req; assign gnt = b & -b; always @(@FF) if (@R) m <= 6; else if (|gnt) m <= ~((gnt << 1) - 3'd1);",
        "registered": "reg [2:0] m; wire [2:0] a = req & m; wire [2:0] b = |a ? a : req; wire [2:0] g = b & -b; always @(@FF) if (@R) begin m <= 7; gnt <= 0; end else begin gnt <= g; if (|g) m <= ~((g << 1) - 3'd1); end",
        "the same again": "reg [2:0] m; wire [2:0] a = req & m; wire [2:0] b = |a ? a : req; assign gnt = b & -b; always @(@FF) if (@R) m <= 7; else if (|gnt) m <= ~(gnt - 3'd1);",
        "not reset": "reg [2:0] m; initial m = 7; wire [2:0] a = req & m; wire [2:0] b = |a ? a : req; assign gnt = b & -b; always @(@PLAIN) if (|gnt) m <= ~((gnt << 1) - 3'd1);",
        "two at once, rarely": "reg [2:0] m; wire [2:0] a = req & m; wire [2:0] b = |a ? a : req; reg [4:0] n; assign gnt = b & -b | (n == 25 & &req ? 3'b1 : 3'b0); always @(@FF) if (@R) begin m <= 7; n <= 0; end else begin n <= &req ? n + 1 : 0; if (|gnt) m <= ~(((b & -b) << 1) - 3'd1); end",
        "other kind of reset": "reg [2:0] m; wire [2:0] a = req & m; wire [2:0] b = |a ? a : req; assign gnt = b & -b; always @(@OTHER) if (@R) m <= 7; else if (|gnt) m <= ~((gnt << 1) - 3'd1);",
    },
)  # fmt: skip

SUM = Case(
    "a signed sum that saturates",
    "input valid, input signed [@M:0] d, output logic signed [@W+1:0] acc",
    "wire signed [@W+2:0] t = acc + d; always @(@FF) if (@R) acc <= 0; else if (valid) acc <= t > $signed({2'b00, {@W{1'b1}}, 1'b1} >> 0) ? {1'b0, {(@W+1){1'b1}}} : t < -$signed({1'b0, 1'b1, {(@W+1){1'b0}}}) ? {1'b1, {(@W+1){1'b0}}} : t[@W+1:0];",
    widths=(3, 6),
    right={
        "by the two highest bits": "wire [@W+2:0] t = {acc[@W+1], acc} + {{3{d[@M]}}, d}; always @(@FF) if (@R) acc <= 0; else if (valid) acc <= t[@W+2] == t[@W+1] ? t[@W+1:0] : {t[@W+2], {(@W+1){~t[@W+2]}}};",
        "by signs": "wire signed [@W+1:0] t = acc + d; wire over = acc[@W+1] == d[@M] & t[@W+1] != d[@M]; always @(@FF) if (@R) acc <= 0; else if (valid) acc <= over ? {d[@M], {(@W+1){~d[@M]}}} : t;",
        "integers": "localparam int HI = 2 ** (@W + 1) - 1; localparam int LO = -(2 ** (@W + 1)); int t; always_comb begin t = int'(acc) + int'(d); if (t > HI) t = HI; else if (t < LO) t = LO; end always_ff @(@FF) if (@R) acc <= '0; else if (valid) acc <= t[@W+1:0];",
        "a function with types": "typedef logic signed [@W+1:0] acc_t; function automatic acc_t sat(acc_t a, logic signed [@M:0] b); logic signed [@W+2:0] s; s = a + b; if (s[@W+2] ^ s[@W+1]) return s[@W+2] ? acc_t'({1'b1, {(@W+1){1'b0}}}) : acc_t'({1'b0, {(@W+1){1'b1}}}); return acc_t'(s); endfunction\n"
        "always_ff @(@FF) if (@R) acc <= '0; else acc <= valid ? sat(acc, d) : acc;",
    },
    wrong={
        "wraps": "always @(@FF) if (@R) acc <= 0; else if (valid) acc <= acc + d;",
        "d is not signed": "wire [@W+2:0] t = {acc[@W+1], acc} + {3'b0, d}; always @(@FF) if (@R) acc <= 0; else if (valid) acc <= t[@W+2] == t[@W+1] ? t[@W+1:0] : {t[@W+2], {(@W+1){~t[@W+2]}}};",
        "a part select has no sign": "wire signed [@W+2:0] t = acc + d[@M:0]; always @(@FF) if (@R) acc <= 0; else if (valid) acc <= t[@W+2] == t[@W+1] ? t[@W+1:0] : {t[@W+2], {(@W+1){~t[@W+2]}}};",
        "the lowest is one higher": "wire [@W+2:0] t = {acc[@W+1], acc} + {{3{d[@M]}}, d}; always @(@FF) if (@R) acc <= 0; else if (valid) acc <= t[@W+2] == t[@W+1] ? t[@W+1:0] : t[@W+2] ? {1'b1, {@W{1'b0}}, 1'b1} : {1'b0, {(@W+1){1'b1}}};",
        "only from above": "wire [@W+2:0] t = {acc[@W+1], acc} + {{3{d[@M]}}, d}; always @(@FF) if (@R) acc <= 0; else if (valid) acc <= t[@W+2:@W+1] == 2'b01 ? {1'b0, {(@W+1){1'b1}}} : t[@W+1:0];",
        "adds without valid at the top": "wire [@W+2:0] t = {acc[@W+1], acc} + {{3{d[@M]}}, d}; always @(@FF) if (@R) acc <= 0; else if (valid | acc == {1'b0, {(@W+1){1'b1}}}) acc <= t[@W+2] == t[@W+1] ? t[@W+1:0] : {t[@W+2], {(@W+1){~t[@W+2]}}};",
        "other kind of reset": "wire [@W+2:0] t = {acc[@W+1], acc} + {{3{d[@M]}}, d}; always @(@OTHER) if (@R) acc <= 0; else if (valid) acc <= t[@W+2] == t[@W+1] ? t[@W+1:0] : {t[@W+2], {(@W+1){~t[@W+2]}}};",
    },
)  # fmt: skip

PIPE = Case(
    "a product in two steps",
    "input [@M:0] a, b, input go, output logic [2*@W-1:0] p, output logic ok",
    "reg [2*@W-1:0] m; reg v; always @(@FF) if (@R) begin m <= 0; v <= 0; p <= 0; ok <= 0; end else begin m <= a * b; v <= go; p <= v ? m : 0; ok <= v; end",
    widths=(3, 4),
    right={
        "operands first": "reg [@M:0] x, y; reg v; always @(@FF) if (@R) begin x <= 0; y <= 0; v <= 0; p <= 0; ok <= 0; end else begin x <= a; y <= b; v <= go; p <= v ? x * y : 0; ok <= v; end",
        "shifted and added": "reg [2*@W-1:0] m, t; reg v; integer i; always @* begin t = 0; for (i = 0; i < @W; i = i + 1) t = t + (b[i] ? {{@W{1'b0}}, a} << i : 0); end always @(@FF) if (@R) begin m <= 0; v <= 0; p <= 0; ok <= 0; end else begin m <= t; v <= go; p <= {2*@W{v}} & m; ok <= v; end",
        "masked before": "reg [2*@W-1:0] m; reg v; always @(@FF) if (@R) begin {m, v} <= 0; {p, ok} <= 0; end else begin {m, v} <= {go ? {{@W{1'b0}}, a} * b : {2*@W{1'b0}}, go}; {p, ok} <= {m, v}; end",
        "an array of stages": "logic [2*@W:0] s [0:1]; always_ff @(@FF) if (@R) foreach (s[i]) s[i] <= '0; else begin s[0] <= go ? {1'b1, (2*@W)'(a) * (2*@W)'(b)} : '0; s[1] <= s[0]; end assign {ok, p} = s[1];",
    },
    wrong={
        "too narrow": "reg [2*@W-1:0] m; reg v; always @(@FF) if (@R) begin m <= 0; v <= 0; p <= 0; ok <= 0; end else begin m <= {a * b}; v <= go; p <= v ? m : 0; ok <= v; end",
        "one step": "always @(@FF) if (@R) begin p <= 0; ok <= 0; end else begin p <= go ? a * b : 0; ok <= go; end",
        "blocking": "reg [2*@W-1:0] m; reg v; always @(@FF) if (@R) begin m = 0; v = 0; p = 0; ok = 0; end else begin m = a * b; v = go; p = v ? m : 0; ok = v; end",
        "a new operand with an old one": "reg [@M:0] x; reg v; always @(@FF) if (@R) begin x <= 0; v <= 0; p <= 0; ok <= 0; end else begin x <= a; v <= go; p <= v ? x * b : 0; ok <= v; end",
        "signed": "reg [2*@W-1:0] m; reg v; always @(@FF) if (@R) begin m <= 0; v <= 0; p <= 0; ok <= 0; end else begin m <= $signed(a) * $signed(b); v <= go; p <= v ? m : 0; ok <= v; end",
        "holds without go": "reg [2*@W-1:0] m; reg v; always @(@FF) if (@R) begin m <= 0; v <= 0; p <= 0; ok <= 0; end else begin m <= a * b; v <= go; if (v) p <= m; ok <= v; end",
        "the largest product only": "reg [2*@W-1:0] m; reg v; always @(@FF) if (@R) begin m <= 0; v <= 0; p <= 0; ok <= 0; end else begin m <= a * b - (&a & &b); v <= go; p <= v ? m : 0; ok <= v; end",
        "other kind of reset": "reg [2*@W-1:0] m; reg v; always @(@OTHER) if (@R) begin m <= 0; v <= 0; p <= 0; ok <= 0; end else begin m <= a * b; v <= go; p <= v ? m : 0; ok <= v; end",
    },
)  # fmt: skip

CASES = (DETECTOR, QUEUE, ARBITER, SUM, PIPE)
