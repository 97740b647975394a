// Reference-like designs in the styles of the published benchmarks; each block between rulers is one, its top the last module.
//==== latch
module latch_d (input d, input ena, output logic q);
  always @(*) if (ena) q = d;
endmodule
//==== always_latch
module latch_sv (input [3:0] d, input g, input clr, output logic [3:0] q);
  always_latch if (clr) q <= 0; else if (g) q <= d;
endmodule
//==== asynchronous reset, shift register
module shifter (input clk, input areset, input load, input ena, input [3:0] data, output reg [3:0] q);
  always @(posedge clk, posedge areset) begin
    if (areset) q <= 0;
    else if (load) q <= data;
    else if (ena) q <= q[3:1];
  end
endmodule
//==== active-low asynchronous reset, Johnson counter
module JC_counter(
   input                clk ,
   input                rst_n,
   output reg [63:0]    Q
);
    always@(posedge clk or negedge rst_n)begin
        if(!rst_n) Q <= 'd0;
        else if(!Q[0]) Q <= {1'b1, Q[63 : 1]};
        else Q <= {1'b0, Q[63 : 1]};
    end
endmodule
//==== both edges
module dualedge (input clk, input d, output reg q);
  reg qp, qn;
  always @(posedge clk) qp <= d;
  always @(negedge clk) qn <= d;
  always @(*) q <= clk ? qp : qn;
endmodule
//==== negative edge
module neg (input clk, input rst, input [7:0] d, output reg [7:0] q);
  always @(negedge clk) if (rst) q <= 8'h34; else q <= d;
endmodule
//==== two clocks, Gray pointers, a memory
module dual_port_RAM #(parameter DEPTH = 16, parameter WIDTH = 8)(
 input wclk, input wenc, input [$clog2(DEPTH)-1:0] waddr, input [WIDTH-1:0] wdata,
 input rclk, input renc, input [$clog2(DEPTH)-1:0] raddr, output reg [WIDTH-1:0] rdata);
reg [WIDTH-1:0] RAM_MEM [0:DEPTH-1];
always @(posedge wclk) if(wenc) RAM_MEM[waddr] <= wdata;
always @(posedge rclk) if(renc) rdata <= RAM_MEM[raddr];
endmodule
module verified_asyn_fifo#(parameter WIDTH = 8, parameter DEPTH = 16)(
 input wclk, input rclk, input wrstn, input rrstn, input winc, input rinc, input [WIDTH-1:0] wdata,
 output wire wfull, output wire rempty, output wire [WIDTH-1:0] rdata);
parameter ADDR_WIDTH = $clog2(DEPTH);
reg [ADDR_WIDTH:0] waddr_bin, raddr_bin;
always @(posedge wclk or negedge wrstn) if(~wrstn) waddr_bin <= 'd0; else if(!wfull && winc) waddr_bin <= waddr_bin + 1'd1;
always @(posedge rclk or negedge rrstn) if(~rrstn) raddr_bin <= 'd0; else if(!rempty && rinc) raddr_bin <= raddr_bin + 1'd1;
wire [ADDR_WIDTH:0] waddr_gray = waddr_bin ^ (waddr_bin>>1), raddr_gray = raddr_bin ^ (raddr_bin>>1);
reg [ADDR_WIDTH:0] wptr, rptr, wptr_buff, wptr_syn, rptr_buff, rptr_syn;
always @(posedge wclk or negedge wrstn) if(~wrstn) wptr <= 'd0; else wptr <= waddr_gray;
always @(posedge rclk or negedge rrstn) if(~rrstn) rptr <= 'd0; else rptr <= raddr_gray;
always @(posedge wclk or negedge wrstn) if(~wrstn) begin rptr_buff <= 0; rptr_syn <= 0; end else begin rptr_buff <= rptr; rptr_syn <= rptr_buff; end
always @(posedge rclk or negedge rrstn) if(~rrstn) begin wptr_buff <= 0; wptr_syn <= 0; end else begin wptr_buff <= wptr; wptr_syn <= wptr_buff; end
assign wfull = (wptr == {~rptr_syn[ADDR_WIDTH:ADDR_WIDTH-1],rptr_syn[ADDR_WIDTH-2:0]});
assign rempty = (rptr == wptr_syn);
wire wen = winc & !wfull; wire ren = rinc & !rempty;
dual_port_RAM #(.DEPTH(DEPTH), .WIDTH(WIDTH)) u1 (.wclk (wclk), .wenc (wen), .waddr(waddr_bin[ADDR_WIDTH-1:0]), .wdata(wdata),
 .rclk(rclk), .renc(ren), .raddr(raddr_bin[ADDR_WIDTH-1:0]), .rdata(rdata));
endmodule
//==== casez
module priority8 (input [7:0] in, output reg [2:0] pos);
  always @(*) casez (in)
    8'bzzzzzzz1: pos = 0; 8'bzzzzzz1z: pos = 1; 8'bzzzzz1zz: pos = 2; 8'bzzzz1zzz: pos = 3;
    8'bzzz1zzzz: pos = 4; 8'bzz1zzzzz: pos = 5; 8'bz1zzzzzz: pos = 6; 8'b1zzzzzzz: pos = 7;
    default: pos = 0;
  endcase
endmodule
//==== casex with don't care outputs
module dontcare (input [3:0] x, output logic f);
  always_comb casex (x) 4'b1x0x: f = 1; 4'b0000: f = 1'bx; 4'b01xx: f = 0; 4'b1010: f = 1'bx; default: f = x[0]; endcase
endmodule
//==== signed arithmetic
module signed_ops (input signed [7:0] a, b, input [2:0] sh, output signed [15:0] p, output lt, output signed [7:0] r, output ov);
  assign p = a * b;
  assign lt = a < b;
  assign r = a >>> sh;
  wire [7:0] s = a + b;
  assign ov = ~(a[7] ^ b[7]) & (a[7] ^ s[7]);
endmodule
//==== generate
module bcd_fadd_cell (input [3:0] a, b, input cin, output cout, output [3:0] sum);
  wire [4:0] t = a + b + cin;
  assign cout = t > 9;
  assign sum = cout ? t + 6 : t;
endmodule
module bcdadd (input [15:0] a, b, input cin, output cout, output [15:0] sum);
  wire [4:0] c;
  assign c[0] = cin;
  genvar i;
  generate for (i = 0; i < 4; i = i + 1) begin : digit
    bcd_fadd_cell cell_i (a[i*4 +: 4], b[i*4 +: 4], c[i], c[i+1], sum[i*4 +: 4]);
  end endgenerate
  assign cout = c[4];
endmodule
//==== blocks of a generate loop that refer to each other
module ripple (input [7:0] a, b, output [8:0] s);
  genvar i;
  for (i = 0; i < 8; i++) begin : stage
    wire carry;
    if (i == 0) begin assign {carry, s[0]} = a[0] + b[0]; end
    else begin assign {carry, s[i]} = a[i] + b[i] + stage[i-1].carry; end
  end
  assign s[8] = stage[7].carry;
endmodule
//==== memory with written pattern history
module gshare (input clk, input areset, input [3:0] idx, input train, input taken, output reg pred);
  logic [1:0] pht[15:0];
  always @(posedge clk, posedge areset)
    if (areset) begin
      for (int i = 0; i < 16; i++) pht[i] = 2'b01;
    end else if (train) begin
      if (pht[idx] < 3 && taken) pht[idx] <= pht[idx] + 1;
      else if (pht[idx] > 0 && !taken) pht[idx] <= pht[idx] - 1;
    end
  assign pred = pht[idx][1];
endmodule
//==== RAM of the benchmark, reset and two addresses
module verified_RAM (input clk, input rst_n, input write_en, input [7:0]write_addr, input [5:0]write_data,
  input read_en, input [7:0]read_addr, output reg [5:0]read_data);
    reg [5 : 0] RAM [7 : 0];
    integer i;
    always@(posedge clk or negedge rst_n)begin
        if(!rst_n) begin for(i = 0; i < 8; i = i + 1) RAM[i] <= 'd0; end
        else if(write_en) RAM[write_addr] <= write_data;
    end
    always@(posedge clk or negedge rst_n)begin
        if(!rst_n) read_data <= 'd0;
        else if(read_en) read_data <= RAM[read_addr];
        else read_data <= 'd0;
    end
endmodule
//==== ROM filled by an initial block
module ROM (input wire [7:0] addr, output reg [15:0] dout);
  reg [15:0] mem [0:255];
  initial begin mem[0] = 16'hA0A0; mem[1] = 16'hB1B1; mem[2] = 16'hC2C2; mem[3] = 16'hD3D3; end
  always @(*) dout = mem[addr];
endmodule
//==== state machine with enum and typedef
module lemming (input clk, input areset, input bump_left, bump_right, ground, output walk_left, walk_right, aaah);
  typedef enum logic [1:0] {WL, WR, FL, FR} state_t;
  state_t state, next;
  always_comb begin
    case (state)
      WL: if (!ground) next = FL; else if (bump_left) next = WR; else next = WL;
      WR: if (!ground) next = FR; else if (bump_right) next = WL; else next = WR;
      FL: next = ground ? WL : FL;
      FR: next = ground ? WR : FR;
    endcase
  end
  always_ff @(posedge clk or posedge areset) if (areset) state <= WL; else state <= next;
  assign walk_left = state == WL, walk_right = state == WR, aaah = state == FL || state == FR;
endmodule
//==== incomplete case in always_comb
module serial (input clk, input in, input reset, output done);
  parameter B0=0, B1=1, STOP=9, DONE=10, ERR=11, START=8;
  reg [3:0] state, next;
  always_comb begin
    case (state)
      START: next = in ? START : B0;
      B0: next = B1;
      B1: next = STOP;
      STOP: next = in ? DONE : ERR;
      DONE: next = in ? START : B0;
      ERR: next = in ? START : ERR;
    endcase
  end
  always @(posedge clk) if (reset) state <= START; else state <= next;
  assign done = (state==DONE);
endmodule
//==== registers without reset, edge capture
module edges (input clk, input reset, input [31:0] in, output reg [31:0] out);
  logic [31:0] d_last;
  always @(posedge clk) begin
    d_last <= in;
    if (reset) out <= '0; else out <= out | (~in & d_last);
  end
endmodule
//==== initial value
module mealy (input clk, input x, output reg z);
  reg [1:0] s = 0;
  initial z = 0;
  always @(posedge clk) begin s <= {s[0], x}; z <= ^s; end
endmodule
//==== tri-state output of an ALU with a hanging flag
module verified_alu(input [31:0] a, input [31:0] b, input [5:0] aluc, output [31:0] r, output zero, output carry, output negative, output overflow, output flag);
    parameter ADD = 6'b100000, SUB = 6'b100010, AND = 6'b100100, SLT = 6'b101010, SLTU = 6'b101011, SLL = 6'b000000, LUI = 6'b001111;
    wire signed [31:0] a_signed, b_signed;
    reg [32:0] res;
    assign a_signed = a; assign b_signed = b; assign r = res[31:0];
    assign flag = (aluc == SLT || aluc == SLTU) ? ((aluc == SLT) ? (a_signed < b_signed) : (a < b)) : 1'bz;
    assign zero = (res == 32'b0) ? 1'b1 : 1'b0;
    assign carry = res[32]; assign negative = res[31]; assign overflow = res[32] ^ res[31];
    always @ (a or b or aluc) begin
        case(aluc)
            ADD: begin res <= a_signed + b_signed; end
            SUB: begin res <= a_signed - b_signed; end
            AND: begin res <= a & b; end
            SLT: begin res <= a_signed < b_signed ? 1 : 0; end
            SLTU: begin res <= a < b ? 1 : 0; end
            SLL: begin res <= b << a; end
            LUI: begin res <= {a[15:0], 16'h0000}; end
            default: begin res <= 32'bz; end
        endcase
    end
endmodule
//==== sequential multiplier with delays in its assignments
module verified_multi_16bit(input clk, input rst_n, input start, input [15:0] ain, input [15:0] bin, output [31:0] yout, output done);
reg [15:0] areg, breg; reg [31:0] yout_r; reg done_r; reg [4:0] i;
always @(posedge clk or negedge rst_n)
    if (!rst_n) i <= #1 5'd0; else if (start && i < 5'd17) i <= #1 i + 1'b1; else if (!start) i <= #1 5'd0;
always @(posedge clk or negedge rst_n)
    if (!rst_n) done_r <= 1'b0; else if (i == 5'd16) done_r <= 1'b1; else if (i == 5'd17) done_r <= 1'b0;
assign done = done_r;
always @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin areg <= 16'h0000; breg <= 16'h0000; yout_r <= 32'h00000000; end
    else if (start) begin
        if (i == 5'd0) begin areg <= ain; breg <= bin; end
        else if (i > 5'd0 && i < 5'd17) begin if (areg[i-1]) yout_r <= yout_r + ({16'h0000, breg} << (i-1)); end
    end
end
assign yout = yout_r;
endmodule
//==== divided clock that clocks registers
module freq_div(input CLK_in, input RST, output reg CLK_50, output reg CLK_10);
reg [3:0] cnt_10;
always @(posedge CLK_in or posedge RST) if (RST) CLK_50 <= 1'b0; else CLK_50 <= ~CLK_50;
always @(posedge CLK_50 or posedge RST)
  if (RST) begin CLK_10 <= 1'b0; cnt_10 <= 0; end
  else if (cnt_10 == 4) begin CLK_10 <= ~CLK_10; cnt_10 <= 0; end else cnt_10 <= cnt_10 + 1;
endmodule
//==== macros and defines
`timescale 1ns/1ps
`define WIDTH 8
`define MAX(a, b) ((a) > (b) ? (a) : (b))
`ifdef NEVER
module never(input a); initial $display("never"); endmodule
`endif
module maxi (input [`WIDTH-1:0] a, b, output [`WIDTH-1:0] y);
  assign y = `MAX(a, b);
endmodule
//==== struct and function
module fields (input [15:0] w, output [7:0] hi, output logic [3:0] ones);
  typedef struct packed { logic [7:0] upper; logic [7:0] lower; } word_t;
  word_t word;
  assign word = w;
  function automatic [3:0] count(input [7:0] v);
    integer k;
    begin count = 0; for (k = 0; k < 8; k = k + 1) count = count + v[k]; end
  endfunction
  assign hi = word.upper;
  assign ones = count(word.lower);
endmodule
//==== defparam, positional ports, a module written after its use
module defs (input [7:0] a, output [7:0] y);
  add_k u1 (a, y);
  defparam u1.K = 5;
endmodule
module add_k (input [7:0] a, output [7:0] y);
  parameter K = 1;
  assign y = a + K;
endmodule
//==== old-style ports and primitives
module halfadd (s, c, a, b);
  output s, c;
  input a, b;
  xor g1 (s, a, b);
  and g2 (c, a, b);
endmodule
//==== bits and streams of 2012
module reverse (input [99:0] in, output reg [99:0] out);
  always_comb for (int i = 0; i < $bits(out); i++) out[i] = in[$bits(out)-i-1];
endmodule
//==== gated clock and a synchroniser of two clocks
module synchronizer(input clk_a, input clk_b, input arstn, input brstn, input [3:0] data_in, input data_en, output reg [3:0] dataout);
reg [3:0] data_reg; reg en_data_reg, en_clap_one, en_clap_two;
always @(posedge clk_a or negedge arstn) if (!arstn) data_reg <= 0; else data_reg <= data_in;
always @(posedge clk_a or negedge arstn) if (!arstn) en_data_reg <= 0; else en_data_reg <= data_en;
always @(posedge clk_b or negedge brstn) if (!brstn) begin en_clap_one <= 0; en_clap_two <= 0; end else begin en_clap_one <= en_data_reg; en_clap_two <= en_clap_one; end
always @(posedge clk_b or negedge brstn) if (!brstn) dataout <= 0; else dataout <= en_clap_two ? data_reg : dataout;
endmodule
//==== rotating 100 bits
module rotate (input clk, input load, input [1:0] ena, input [99:0] data, output reg [99:0] q);
  always @(posedge clk) if (load) q <= data; else if (ena == 2'h1) q <= {q[0], q[99:1]}; else if (ena == 2'h2) q <= {q[98:0], q[99]};
endmodule
//==== conway
module conway (input clk, input load, input [255:0] data, output reg [255:0] q);
  logic [323:0] q_pad;
  always @(*) begin
    for (int i = 0; i < 16; i++) q_pad[18*(i+1)+1 +: 16] = q[16*i +: 16];
    q_pad[1 +: 16] = q[16*15 +: 16];
    q_pad[18*17+1 +: 16] = q[0 +: 16];
    for (int i = 0; i < 18; i++) begin q_pad[i*18] = q_pad[i*18+16]; q_pad[i*18+17] = q_pad[i*18+1]; end
  end
  always @(posedge clk) begin
    for (int i = 0; i < 16; i++) for (int j = 0; j < 16; j++)
      q[i*16+j] <= ((q_pad[(i+1)*18+j+1 -1+18] + q_pad[(i+1)*18+j+1 +18] + q_pad[(i+1)*18+j+1 +1+18] + q_pad[(i+1)*18+j+1 -1]
        + q_pad[(i+1)*18+j+1+1] + q_pad[(i+1)*18+j+1 -1-18] + q_pad[(i+1)*18+j+1 -18] + q_pad[(i+1)*18+j+1 +1-18]) & 3'h7 | q[i*16+j]) == 3'h3;
    if (load) q <= data;
  end
endmodule
//==== casts to an enumeration
module phases (input clk, input reset, input go, input [1:0] more, output reg busy, output reg [1:0] at);
  typedef enum logic [1:0] {IDLE, RUN, LAST} Phase;
  Phase phase, next;
  always_comb begin
    case (phase)
      IDLE: next = Phase'(go ? RUN : IDLE);
      RUN: next = Phase'(more == 2'd0 ? LAST : RUN);
      LAST: next = IDLE;
      default: next = Phase'(2'bx);
    endcase
  end
  always @(posedge clk) if (reset) phase <= IDLE; else phase <= next;
  always_comb begin busy = 0; if (phase == RUN || phase == LAST) busy = 1; at = phase; end
endmodule
