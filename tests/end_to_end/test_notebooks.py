"""The notebooks, run as `make notebooks` does, on as little music as they can be run on."""

import subprocess
import sys

import pytest
from whole_jobs import ROOT, environment

IN_ORDER = sorted(path.name for path in (ROOT / "notebooks").glob("*.py"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_notebooks_run_one_after_the_other_and_leave_their_pages(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "genreatlas.notebook"),
            *(f"notebooks/{name}" for name in IN_ORDER),
            *("--out", str(tmp_path / "html")),
            *("--set", "conf=conf/demo.toml tests/resources/notebook.toml"),
            *("--set", f"home={tmp_path / 'home'}"),
            *("--set", "n_genres=4"),
            *("--set", f"02_collect:home={tmp_path / 'world'}"),
        ],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT / "lib")),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "html").glob("*.html")}
    assert sorted(f"{stem}.py" for stem in pages) == IN_ORDER
    assert "train_models: read" in pages["01_quickstart"]
    assert "fetch_previews: read" in pages["02_collect"]
    assert pages["02_collect"].count("<audio") == 4
    assert pages["03_explore"].count("<svg") >= 14
    assert pages["03_explore"].count("<audio") == 4
    assert "nothing was left to do" in pages["04_train_and_judge"]
    assert "Largest absolute sample of the mono mix; above 0 where it clips. [dBFS]" in pages["05_sql"]
    assert "as the model has it" in pages["06_retrain"]
    assert "<audio" in pages["06_retrain"]
    assert not any("http" in page.split("<style>")[0] or "<script" in page for page in pages.values())
