"""The images: each has its tools in the versions that its Dockerfile pins, and a name that follows its content."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest

from mx_agents.runs.folder import read_config, write_config
from mx_sandboxes import Sandbox, SandboxError, SandboxUnavailableError, open_sandbox
from mx_sandboxes.backends.docker import images, tags
from mx_sandboxes.backends.docker.connection import connect

PYTHON_OF_TOOLS = "PYTHONPATH=/mx/eda/site /mx/eda/python"
ANSWERS = {
    "python": {"python -m pytest --version": "pytest 8.3.5", "python --version": "Python 3.13."},
    "hdl": {
        "iverilog -V": "Icarus Verilog version 12.0",
        "vvp -V": "Icarus Verilog runtime version 12.0",
        "/mx/eda/site/pyosys/yosys-abc -c version": "UC Berkeley, ABC",
        f"{PYTHON_OF_TOOLS} -c 'from pyosys import libyosys; print(libyosys.Design)'": "libyosys.Design",
        f"{PYTHON_OF_TOOLS} -c 'import bitwuzla; print(bitwuzla.Options())'": "bitwuzla",
        "ls /mx/eda/site": "pyosys-0.70.dist-info",
        "verilator --version": "Verilator 5.032",
        "python -m pytest --version": "pytest 8.3.5",
    },
    "trading": {
        "python -c 'import numpy; print(numpy.__version__)'": "2.2.4",
        "python -c 'import pandas; print(pandas.__version__)'": "2.2.3",
    },
}


def opened(image: str) -> Sandbox:
    """The image's sandbox; skips, or fails in continuous integration, where it is not built."""
    try:
        return open_sandbox("docker", image=image, slots=1)
    except SandboxUnavailableError as error:
        if "docker" in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail(f"MX_REQUIRE lists docker: {error}")
        pytest.skip(str(error))


def test_there_are_these_images() -> None:
    assert set(tags.image_names()) == set(ANSWERS)


@pytest.mark.docker
@pytest.mark.parametrize("image", ANSWERS)
def test_an_image_has_its_tools_in_the_pinned_versions(image: str) -> None:
    with opened(image) as sandbox:
        for command, answer in ANSWERS[image].items():
            done = sandbox.run(["sh", "-c", command])
            assert answer in (done.stdout + done.stderr).decode(), (command, done)
        packages = sandbox.run(["cat", "/mx/packages"]).stdout.decode()
    pins = re.findall(r"'([a-z0-9-]+)=([^']*)\*'", dockerfile(image).read_text())
    assert pins
    for package, version in pins:
        assert re.search(rf"^{package} {re.escape(version)}", packages, re.MULTILINE), (package, version)


@pytest.mark.docker
@pytest.mark.parametrize("image", ANSWERS)
def test_an_image_has_no_program_that_changes_the_user(image: str) -> None:
    search = "import os; print([os.path.join(d, f) for d, _, fs in os.walk('/usr') for f in fs"
    search += " if (m := os.lstat(os.path.join(d, f)).st_mode) & 0o6000 and m & 0o170000 == 0o100000])"
    with opened(image) as sandbox:
        assert sandbox.run(["python", "-c", search]).stdout == b"[]\n"


@pytest.mark.docker
def test_a_digest_tells_which_image_it_was() -> None:
    opened("python").close()
    digest = images.image_digest("python")
    assert digest is not None
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    assert images.image_digest("nobody/built-this:1") is None


@pytest.mark.docker
def test_a_run_on_docker_records_the_digests(tmp_path: Path) -> None:
    opened("python").close()
    write_config(tmp_path, {"sandbox": "docker"})
    assert read_config(tmp_path)["versions"]["image python"] == images.image_digest("python")
    write_config(tmp_path, {"sandbox": "bubblewrap"})
    assert "image python" not in read_config(tmp_path)["versions"]


def test_a_tag_follows_what_goes_into_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tags.image_tag("python")
    monkeypatch.setattr(tags, "FOLDER", tmp_path)
    (tmp_path / "python").mkdir()
    copy = tmp_path / "python/Dockerfile"
    copy.write_bytes(dockerfile("python", Path(images.__file__).parent / "images").read_bytes())
    assert tags.image_tag("python") == before
    copy.write_text(copy.read_text() + "RUN true\n")
    assert tags.image_tag("python") != before


@pytest.mark.docker
def test_a_base_of_another_release_is_refused() -> None:
    opened("python").close()
    client = connect()
    recipe = f"FROM {tags.image_tag('python')}\nRUN sed -i s/13/12/ /etc/os-release\n"
    base, _ = client.images.build(fileobj=io.BytesIO(recipe.encode()), tag="mx-envs-test/other:12", rm=True)
    said: list[str] = []
    try:
        with pytest.raises(SandboxError, match="could not be built from 'mx-envs-test/other:12'"):
            images.build_image("python", base="mx-envs-test/other:12", log=said.append)
        assert "the base is not Debian 13 (trixie)" in "\n".join(said)
    finally:
        client.images.remove(base.id, force=True)
        client.close()


def dockerfile(image: str, folder: Path = tags.FOLDER) -> Path:
    """Where an image's recipe is."""
    return folder / image / "Dockerfile"
