"""The wheel holds the whole package, and finds the library by itself."""

import os
import subprocess
import sys
import zipfile

import pytest

TOP = os.environ["SAKER_TOP"]


def test_the_wheel_works_alone(tmp_path):
    pytest.importorskip("setuptools")
    pytest.importorskip("wheel")
    library = os.environ["SAKER_LIBRARY"]
    wheel = subprocess.run([TOP + "/tools/python/build", str(tmp_path / "wheel"), library], check=True, text=True,
                           capture_output=True, env={**os.environ, "PYTHON": sys.executable}).stdout.strip()
    with zipfile.ZipFile(wheel) as packed:
        held = {os.path.basename(name) for name in packed.namelist() if name.startswith("saker/")}
    assert held == {name for name in os.listdir(TOP + "/tools/python/saker") if not name.startswith("__pycache__")}
    clean = {name: value for name, value in os.environ.items()
             if name not in ("SAKER_LIBRARY", "LD_LIBRARY_PATH", "PYTHONPATH")}
    out = subprocess.run([sys.executable, "-c", "import saker; print(saker.__version__, saker.__file__)"], check=True,
                         text=True, capture_output=True, cwd=tmp_path, env={**clean, "PYTHONPATH": wheel}).stdout
    assert wheel in out


def test_a_library_that_is_not_there_is_said(tmp_path):
    out = subprocess.run([sys.executable, "-c", "import saker"], text=True, capture_output=True,
                         env={**os.environ, "SAKER_LIBRARY": str(tmp_path / "none.so")})
    assert out.returncode == 1 and "libsaker is not found: install saker, or set SAKER_LIBRARY" in out.stderr
