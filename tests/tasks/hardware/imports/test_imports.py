"""Published problems: their references score 1, what cannot be graded is refused with the reason, names and folders are understood."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Submission, TaskNotFoundError, load_task_set
from mx_tasks.errors import TaskSetError
from mx_tasks.hardware.grading.inside.edges import mended
from mx_tasks.hardware.grading.judge import grade_answer
from mx_tasks.hardware.imports.adoption import Adopted, Record, adopt
from mx_tasks.hardware.imports.cvdp import read_cvdp
from mx_tasks.hardware.imports.rtllm import read_rtllm
from mx_tasks.hardware.imports.verilog_eval import read_verilog_eval
from mx_tasks.hardware.sets.published import ImportedTasks

pytestmark = pytest.mark.eda

BLOCKS = (Path(__file__).parent / "styles.v").read_text("utf-8").split("//==== ")[1:]
BENCH = """`timescale 1ns/1ns
module testbench; reg [7:0] a, b; reg cin; wire [7:0] sum; wire cout; integer i, error, f; reg [7:0] given [0:3];
adder_8bit uut(.a(a), .b(b), .cin(cin), .sum(sum), .cout(cout));
initial begin error = 0; $readmemh("data.dat", given);
for (i = 0; i < 100; i = i + 1) begin a = i < 4 ? given[i] : $random; b = $random; cin = $random; #10;
error = {cout, sum} !== a + b + cin ? error + 1 : error; end
if (error == 0) $display("===========Your Design Passed==========="); else $display("===========Test completed with %d /100 failures===========", error);
$finish; end endmodule
"""


def test_every_sample_but_the_one_that_is_broken_grades_its_reference_1(
    samples: ImportedTasks, hdl: Sandbox
) -> None:
    assert samples.size("test") == 19
    assert list(samples.refused) == ["Prob099_m2014_q6c"]
    assert "Y2" in samples.refused["Prob099_m2014_q6c"]
    for index in range(19):
        task = samples.task("test", index)
        assert samples.grade(task, samples.gold(task), hdl).score == 1.0
        assert samples.grade(task, Submission(), hdl).score == 0.0


def test_a_refused_problem_says_why_when_it_is_asked_for(samples: ImportedTasks) -> None:
    with pytest.raises(TaskNotFoundError, match="testbench does not compile"):
        samples.find("Prob099_m2014_q6c")
    with pytest.raises(TaskNotFoundError, match="did you mean 'Prob108_rule90'"):
        samples.find("Prob108_rule91")


ANSWERS = {
    "Prob137_fsm_serial": (
        "module TopModule(input clk, input reset, input in, output done); reg [3:0] n; reg bad, d; "
        "always @(posedge clk) if (reset) begin n <= 0; bad <= 0; d <= 0; end else begin d <= 0; "
        "if (bad) bad <= ~in; else if (n == 0) n <= in ? 0 : 1; else if (n < 9) n <= n + 1; "
        "else begin n <= 0; d <= in; bad <= ~in; end end assign done = d; endmodule"
    ),
    "Prob104_mt2015_muxdff": (
        "module TopModule(input clk, L, q_in, r_in, output reg Q); initial Q = 0; wire d = L & r_in | ~L & q_in; "
        "always @(posedge clk) Q <= d; endmodule"
    ),
    "Prob078_dualedge": (
        "module TopModule(input clk, d, output q); reg a, b; always @(posedge clk) a <= d ^ b; "
        "always @(negedge clk) b <= d ^ a; assign q = a ^ b; endmodule"
    ),
    "Prob125_kmap3": "module TopModule(input a, b, c, d, output out); assign out = a | (~b & c); endmodule",
    "Prob056_ece241_2013_q7": (
        "module TopModule(input clk, j, k, output reg Q); always @(posedge clk) case ({j, k}) 2'b00: Q <= Q; 2'b01: Q <= 0; "
        "2'b10: Q <= 1; 2'b11: Q <= ~Q; endcase endmodule"
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_honest_answer_of_another_structure_passes(
    samples: ImportedTasks, hdl: Sandbox, name: str
) -> None:
    grade = samples.grade(samples.find(name), Submission(ANSWERS[name]), hdl)
    assert grade.passed, grade.log
    assert grade.score >= 0.9


MUTATIONS = (
    ("&", "|"),
    ("|", "&"),
    ("^", "&"),
    ("==", "!="),
    ("+1", "+2"),
    ("posedge", "negedge"),
    ("<= 0", "<= 1"),
    ("~", ""),
)


def test_mutants_never_reach_the_score_of_all_tests(samples: ImportedTasks, hdl: Sandbox) -> None:
    """Each is textually another design; one that is the same circuit all the same is proven, all others stay below 0.70."""
    asked = []
    for index in range(19):
        task = samples.task("test", index)
        text = samples.gold(task).answer
        asked += [(task, text.replace(old, new, 1)) for old, new in MUTATIONS if old in text]
    with ThreadPoolExecutor(4) as pool:
        grades = list(pool.map(lambda each: samples.verdict(each[0], Submission(each[1]), hdl), asked))
    wrong = [grade for grade in grades if grade.proof != "proven"]
    assert len(wrong) > 30
    assert all(grade.score < 0.7 for grade in wrong), [grade.log for grade in wrong if grade.score >= 0.7]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_references_in_many_styles_are_adopted(hdl: Sandbox, block: str) -> None:
    name, _, text = block.partition("\n")
    modules = re.findall(r"^module\s+(\w+)", text, re.MULTILINE)
    top = modules[0] if "written after its use" in name else modules[-1]
    found = adopt(Record(name, "", text, top, "TopModule", "", ""), hdl)
    assert found.circuit is not None, found.reason


def test_a_testbench_runs_on_a_reference_that_only_yosys_reads(tmp_path: Path, hdl: Sandbox) -> None:
    """Older versions of Icarus know no casts to an enumeration; the reference's netlist stands in."""
    name, _, text = next(block for block in BLOCKS if block.startswith("casts")).partition("\n")
    ports = "clk, reset, go, more"
    bench = f"""
module tb; reg clk = 0, reset = 1, go = 0; reg [1:0] more = 1; wire b1, b2; wire [1:0] a1, a2; integer samples = 0, errors = 0;
  RefModule good({ports}, b1, a1); TopModule dut({ports}, b2, a2);
  always #5 clk = ~clk;
  always @(posedge clk) begin samples = samples + 1; if ({{b1, a1}} !== {{b2, a2}}) errors = errors + 1;
    reset <= 0; go <= $random; more <= $random; end
  initial begin #600 $display("Mismatches: %0d in %0d samples", errors, samples); $finish; end
endmodule"""
    row = {
        "id": name,
        "prompt": "Phases.",
        "reference": text.replace("phases", "RefModule"),
        "testbench": bench,
    }
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(row), "utf-8")
    tasks = load_task_set("hardware:verilog-eval", folder=path, sandbox=hdl, cache=False)
    task = tasks.task("test", 0)
    answer = tasks.gold(task).answer  # type: ignore[attr-defined]
    assert tasks.grade(task, Submission(answer), hdl).score == 1.0
    assert tasks.grade(task, Submission(answer.replace("? LAST : RUN", "? RUN : LAST")), hdl).score < 0.7


def rtllm(folder: Path, **changes: str) -> Path:
    place = folder / "RTLLM" / "Arithmetic" / "adder_8bit"
    place.mkdir(parents=True)
    files = {
        "design_description.txt": "Please act as a professional verilog designer.\n\nModule name:\n    adder_8bit\nInput ports: ...",
        "testbench.v": BENCH,
        "verified_adder_8bit.v": (
            "module verified_adder_8bit(input [7:0] a, b, input cin, output [7:0] sum, output cout);\n"
            "full_adder_8 fa(a, b, cin, {cout, sum});\nendmodule\n"
            "module full_adder_8(input [7:0] a, b, input c, output [8:0] s); assign s = a + b + c; endmodule\n"
        ),
        "data.dat": "01 02 ff 80\n",
        "makefile": "all:\n",
    }
    for name, text in {**files, **changes}.items():
        (place / name).write_text(text, "utf-8")
    return folder / "RTLLM"


def adopted(folder: Path, hdl: Sandbox) -> Adopted:
    (record,) = read_rtllm(folder)
    return adopt(record, hdl)


def test_renamed_modules_and_data_files_of_rtllm_are_handled(tmp_path: Path, hdl: Sandbox) -> None:
    tasks = load_task_set("hardware:rtllm", folder=rtllm(tmp_path), sandbox=hdl, cache=False)
    task = tasks.task("test", 0)
    assert "Call the top module `adder_8bit`" in task.prompt
    assert "input a (8 bits)" in task.prompt
    answer = "module adder_8bit(input [7:0] a, b, input cin, output [7:0] sum, output cout); assign {cout, sum} = a + b + cin; endmodule"
    assert tasks.grade(task, Submission(answer), hdl).score >= 0.99


def row_of(folder: Path) -> dict[str, object]:
    """The same problem as a row of a table."""
    place = next(folder.rglob("testbench.v")).parent
    return {
        "id": place.name,
        "desc": (place / "design_description.txt").read_text(),
        "testbench": [
            {"name": name, "content": (place / name).read_text()}
            for name in ("makefile", "data.dat", "testbench.v")
        ],
        "verified": (place / "verified_adder_8bit.v").read_text(),
    }


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_rtllm_as_a_table_is_the_same_as_its_folders(tmp_path: Path, form: str) -> None:
    (expected,) = read_rtllm(rtllm(tmp_path))
    row, path = row_of(tmp_path), tmp_path / f"rtllm.{form}"
    if form == "parquet":
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist([row]), path)
    else:
        path.write_text(json.dumps(row if form == "jsonl" else [row]), "utf-8")
    assert read_rtllm(path) == [expected]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"id": "x"}\n{"id":\n', "line 2 of"),
        ("a.json", "[", "is no JSON"),
        ("a.parquet", "nothing", "is no Parquet file"),
        ("a.jsonl", '{"id": "x"}\n[1]\n"text"\n', "no "),
    ],
)
def test_a_broken_copy_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content, "utf-8")
    for read in (read_rtllm, read_verilog_eval, read_cvdp):
        with pytest.raises(TaskSetError, match=said):
            read(path)


def test_a_reference_that_fails_its_testbench_is_refused(tmp_path: Path, hdl: Sandbox) -> None:
    wrong = "module verified_adder_8bit(input [7:0] a, b, input cin, output [7:0] sum, output cout); assign {cout, sum} = a + b; endmodule"
    found = adopted(rtllm(tmp_path, **{"verified_adder_8bit.v": wrong}), hdl)
    assert found.circuit is None
    assert "does not pass its own testbench" in found.reason
    assert "failures" in found.reason


def test_a_reference_that_is_no_circuit_is_refused(tmp_path: Path, hdl: Sandbox) -> None:
    clock = "module verified_adder_8bit(input [7:0] a, b, input cin, output [7:0] sum, output reg cout); initial cout = 0; always #5 cout = ~cout; endmodule"
    found = adopted(rtllm(tmp_path, **{"verified_adder_8bit.v": clock}), hdl)
    assert found.circuit is None
    assert found.reason


def test_a_circuit_without_inputs_is_a_task_too(tmp_path: Path, hdl: Sandbox) -> None:
    """As the first of VerilogEval is."""
    head = "module {name}(output [7:0] sum); assign sum = {value}; endmodule"
    bench = """
module tb; wire [7:0] sum; adder_8bit dut(.sum(sum));
  initial begin #10 if (sum === 8'h5a) $display("===========Your Design Passed==========="); else $display("Error"); $finish; end
endmodule
"""
    changes = {
        "testbench.v": bench,
        "verified_adder_8bit.v": head.format(name="verified_adder_8bit", value="8'h5a"),
    }
    tasks = load_task_set("hardware:rtllm", folder=rtllm(tmp_path, **changes), sandbox=hdl, cache=False)
    task = tasks.task("test", 0)
    for value, score in (("8'h5a", 1.0), ("8'h5b", 0.05), ("8'h00", 0.05)):
        answer = head.format(name="adder_8bit", value=value)
        assert tasks.grade(task, Submission(answer), hdl).score == pytest.approx(score, abs=0.05)


def test_a_testbench_that_drives_unknowns_leaves_the_questions_to_chance(
    tmp_path: Path, hdl: Sandbox
) -> None:
    bench = """
module tb; reg [7:0] a; wire [7:0] sum; integer error = 0; adder_8bit dut(.a(a), .sum(sum));
  initial begin
    repeat (5) begin a = $random % (1 << 32); #10 if (sum !== a + 8'd3) error = error + 1; end
    if (error == 0) $display("===========Your Design Passed==========="); else $display("Error"); $finish;
  end
endmodule
"""
    head = "module {name}(input [7:0] a, output [7:0] sum); assign sum = a + {value}; endmodule"
    changes = {
        "testbench.v": bench,
        "verified_adder_8bit.v": head.format(name="verified_adder_8bit", value="3"),
    }
    tasks = load_task_set("hardware:rtllm", folder=rtllm(tmp_path, **changes), sandbox=hdl, cache=False)
    task = tasks.task("test", 0)
    for value, passed in (("3", True), ("4", False)):
        grade = tasks.grade(task, Submission(head.format(name="adder_8bit", value=value)), hdl)
        assert grade.passed == passed


def test_version_1_of_verilog_eval_is_read_with_its_descriptions(
    tmp_path: Path, hdl: Sandbox, published: Path
) -> None:
    sample = next(
        json.loads(line)
        for line in (published / "problems.jsonl").read_text().splitlines()
        if "Prob011" in line
    )
    test = sample["testbench"].replace("RefModule", "reference_module").replace("TopModule", "top_module")
    reference = sample["reference"].replace("RefModule", "reference_module")
    row = {
        "task_id": "norgate",
        "prompt": "module top_module (\n\tinput a,\n\tinput b,\n\toutput out\n);",
        "canonical_solution": "\n\tassign out = ~(a | b);\nendmodule\n",
        "test": reference + test,
    }
    (tmp_path / "VerilogEval_Human.jsonl").write_text(json.dumps(row))
    (tmp_path / "VerilogDescription_Human.jsonl").write_text(
        json.dumps({"task_id": "norgate", "detail_description": "Create a NOR gate."})
    )
    tasks = load_task_set("hardware:verilog-eval", folder=tmp_path, sandbox=hdl, cache=False)
    task = tasks.task("test", 0)
    assert "Create a NOR gate." in task.prompt
    assert tasks.grade(task, tasks.gold(task), hdl).score == 1.0  # type: ignore[attr-defined]


def test_a_testbench_that_its_own_time_out_ends_has_passed_when_it_says_so(
    tmp_path: Path, hdl: Sandbox
) -> None:
    """As that of VerilogEval's Prob082 does, whatever is put before it."""
    row = {
        "id": "toggle",
        "prompt": "Toggle.",
        "reference": "module RefModule(input clk, input reset, output reg q); always @(posedge clk) q <= !reset & !q; endmodule",
        "testbench": """
module tb; reg clk = 0, reset = 1; wire q, other; integer samples = 0, errors = 0;
  RefModule good(clk, reset, q); TopModule dut(clk, reset, other);
  always #5 clk = ~clk;
  always @(posedge clk) begin samples = samples + 1; if (q !== other) errors = errors + 1; reset <= 0; end
  initial begin #200 $display("TIMEOUT"); $display("\\nMismatches: %0d in %0d samples", errors, samples); $finish; end
endmodule""".replace("\\\\n", "\\n"),
    }
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(row), "utf-8")
    tasks = load_task_set("hardware:verilog-eval", folder=path, sandbox=hdl, cache=False)
    assert tasks.size("test") == 1


def test_folders_of_version_2_and_the_cache_give_the_same_tasks(
    tmp_path: Path,
    hdl: Sandbox,
    published: Path,
    samples: ImportedTasks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "verilog-eval" / "dataset_spec-to-rtl"
    folder.mkdir(parents=True)
    for line in (published / "problems.jsonl").read_text().splitlines()[:3]:
        row = json.loads(line)
        for ending, field in (("prompt.txt", "prompt"), ("ref.sv", "reference"), ("test.sv", "testbench")):
            (folder / f"{row['id']}_{ending}").write_text(row[field])
    first = load_task_set("hardware:verilog-eval", folder=folder.parent, sandbox=hdl)
    again = load_task_set("hardware:verilog-eval", folder=folder, sandbox=hdl)
    assert len(list((tmp_path / "cache" / "mx-envs" / "hardware").glob("*.json"))) == 3
    assert first.fingerprint == again.fingerprint
    for index in range(3):
        assert first.task("test", index) == again.task("test", index) == samples.task("test", index)


def test_cvdp_records_with_a_reference_are_graded_and_others_refused(tmp_path: Path, hdl: Sandbox) -> None:
    design = "module inc(input clk, input rst_n, input [3:0] d, output reg [3:0] q);\nalways @(posedge clk or negedge rst_n) if (!rst_n) q <= 0; else q <= d + 1;\nendmodule\n"
    rows = [
        {
            "id": f"cvdp_copilot_{n}",
            "categories": ["cid003", "easy"],
            "input": {"prompt": "Increment.", "context": {}},
            "output": {"response": "", "context": {"rtl/inc.sv": text}},
            "harness": {"files": {"src/.env": "TOPLEVEL = inc\n"}},
        }
        for n, text in (("with", design), ("without", ""))
    ]
    path = tmp_path / "cvdp.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert [record.reference_top for record in read_cvdp(path)] == ["inc", "none"]
    tasks = load_task_set("hardware:cvdp", folder=path, sandbox=hdl, cache=False)
    assert tasks.refused == {"cvdp_copilot_without": "it comes without a reference design"}  # type: ignore[attr-defined]
    task = tasks.task("test", 0)
    assert tasks.grade(task, Submission(design.replace("d + 1", "1 + d")), hdl).passed
    assert tasks.grade(task, Submission(design.replace("d + 1", "d + 2")), hdl).score < 0.5


@pytest.mark.parametrize("name", ["verilog-eval", "rtllm", "cvdp"])
def test_a_copy_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(TaskSetError, match="own copy"):
        load_task_set(f"hardware:{name}", folder=tmp_path / "nowhere")
    with pytest.raises(TaskSetError, match=r"no (VerilogEval|RTLLM|CVDP)"):
        load_task_set(f"hardware:{name}", folder=tmp_path)


@pytest.mark.parametrize(
    ("event", "test"),
    [("posedge clk or negedge a", "!rst"), ("posedge clk or rst", "rst")],
    ids=["an edge that nothing asks for", "a level among edges"],
)
def test_a_reference_with_a_sensitivity_list_for_simulators_is_adopted(
    hdl: Sandbox, event: str, test: str
) -> None:
    text = (
        "module m(input clk, input a, input rst, input [3:0] d, output reg [3:0] q);\n"
        f"always @({event}) if ({test}) q <= 0; else q <= d;\nendmodule\n"
    )
    found = adopt(Record("m", "", text, "m", "m", "", ""), hdl)
    assert found.circuit is not None, found.reason
    answer = text.replace(" or negedge a", "").replace("or rst", "or posedge rst")
    assert grade_answer(found.circuit, answer, hdl).passed
    assert grade_answer(found.circuit, text.replace("q <= 0", "q <= 1"), hdl).score < 0.7


def test_lists_that_synthesis_takes_stay_as_they_are() -> None:
    for text in (
        "always @(posedge c or posedge r or posedge s) if (r) q <= 0; else if (s) q <= 1; else q <= d;",
        "always @(posedge clk, negedge clk) q <= d;",
        "always @(posedge clk or negedge rst_n) begin if (rst_n == 1'b0) q <= 0; end",
        "always @(a or b) q = a;",
        "always @* q = a;",
    ):
        assert mended(text) == text
