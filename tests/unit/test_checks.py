"""What is checked before a job starts: every fault at once, without Spark, and the order of its steps."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from genreatlas import checks, cli
from genreatlas.checks.collecting import COMPOSED, PARTS
from genreatlas.checks.plan import facts_of, make_plan
from genreatlas.config import load_config

ROOT = Path(__file__).parents[2]
CONF = sorted((ROOT / "conf").rglob("*.toml"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Paths of configurations are relative: a folder without any data, and no credentials."""
    monkeypatch.chdir(tmp_path)
    for name in ("GENREATLAS_MASTER", "SPARK_REMOTE", "HADOOP_CONF_DIR", "YARN_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET", "SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)


def plan(*overrides, files=(), steps=None):
    config = load_config(files, overrides)
    return make_plan(steps or config.pipeline.steps, config)


def faults(*overrides, files=(), steps=None):
    return [str(fault) for fault in plan(*overrides, files=files, steps=steps).found()]


def warnings(*overrides, files=(), steps=None):
    return [str(fault) for fault in plan(*overrides, files=files, steps=steps).found(warnings=True)]


@pytest.mark.parametrize("name", cli.STEPS)
def test_every_step_has_a_check_and_is_described_without_being_imported(name):
    step = importlib.import_module(f"genreatlas.steps.{name}")
    assert step.check is getattr(checks, name)
    facts = facts_of(name)
    assert (facts.reads, facts.writes, facts.sections) == (tuple(step.READS), tuple(step.WRITES), tuple(step.SECTIONS))
    assert facts.summary == step.__doc__.strip().splitlines()[0]


@pytest.mark.parametrize("file", CONF, ids=lambda file: file.name)
def test_a_configuration_that_comes_along_lacks_nothing_but_data_and_what_its_user_has_to_say(file):
    found = plan(files=[file])
    for fault in found.found():
        expected = ("acknowledge_terms", "SPOTIFY_CLIENT_ID", "folder.path", "import_features.path", "split_lists")
        assert any(word in str(fault) for word in expected), fault
        assert fault.path is not None or "acknowledge" in str(fault) or "SPOTIFY" in str(fault)
    assert not found.found(warnings=True)


def test_the_demo_has_neither_faults_nor_warnings():
    demo = [ROOT / "conf" / "demo.toml"]
    assert (faults(files=demo), warnings(files=demo)) == ([], [])


def test_the_job_prints_the_plan_and_all_errors_and_exits_with_2(capsys):
    settings = ('train.candidates=[{engine="sklearn",estimator="gausian_nb"}]', 'extract.feature_sets=["sumary9"]')
    with pytest.raises(SystemExit) as stopped:
        cli.check([part for setting in settings for part in ("--set", setting)])
    assert stopped.value.code == 2
    said = capsys.readouterr().out
    assert said.index(" 1. import_folder") < said.index(" 5. train_models") < said.index("5 errors:")
    assert "reads   clips, clip_audio" in said and "writes  fold_scores, experiments" in said
    assert 'extract.feature_sets = ["sumary9"]' in said
    for fault in (
        "  - folder.path = data/music: no such folder. Set folder.path.",
        "  - extract.feature_sets: no feature set is called 'sumary9'. Did you mean summary9?",
        "  - train.candidates: unknown scikit-learn estimator 'gausian_nb'. Known: linear_svc",
        "  - train.feature_sets: summary9 was not extracted, and no step before train_models extracts it",
    ):
        assert fault in said


def test_a_job_without_errors_says_so_and_starts_nothing(capsys, tmp_path):
    (tmp_path / "music").mkdir()
    cli.check(["--set", "folder.path=music"])
    assert capsys.readouterr().out.endswith("No errors found. Run it with the job pipeline.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def test_another_job_can_be_checked(capsys):
    with pytest.raises(SystemExit):
        cli.check(["--job", "purge"])
    assert "purge.provider is not set" in capsys.readouterr().out


def test_no_step_of_a_job_starts_when_its_last_one_has_an_error(monkeypatch, capsys):
    import genreatlas.runner
    import genreatlas.session

    monkeypatch.setattr(genreatlas.session, "get_spark", lambda settings: pytest.fail("a session was started"))
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "x")
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", "x")
    settings = (
        "spotify.acknowledge_terms=true",
        "deezer.acknowledge_terms=true",
        'train.candidates=[{engine="sklearn",estimator="linear_svm",grid={C=[-1]}}]',
        "report.title=x",
    )
    arguments = ["--conf", str(ROOT / "conf" / "fanout.toml")]
    with pytest.raises(SystemExit) as stopped:
        cli.pipeline([*arguments, *(part for setting in settings for part in ("--set", setting))])
    assert stopped.value.code == 2
    assert "unknown scikit-learn estimator 'linear_svm'. Did you mean linear_svc?" in capsys.readouterr().err


def test_checking_loads_neither_spark_nor_scikit_learn():
    code = (
        "import sys\nfrom genreatlas import cli\ntry:\n    cli.check(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'pyspark', 'sklearn', 'scipy', 'pandas', 'librosa', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--conf", str(ROOT / "conf" / "fanout.toml")],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "lib"), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.splitlines()[-1] == "[]"


#: Steps, settings, and what must be said of them.
WRONG = (
    (["probe"], ["probe.experiments=[]"], "there is nothing to probe"),
    (["probe"], ['probe.experiments=["apart"]'], "probe.apart is empty"),
    (["probe"], ['probe.feature_sets=["mel128"]'], "mel128 holds quantised, which probes cannot use"),
    (["probe"], ['probe.feature_sets=[["summary9", "mfcc12_frames"]]'], "probe.feature_sets: mfcc12_frames+summary9"),
    (["probe"], ['probe.apart=[{name="one", genres=["Jazz", "jazz"]}]'], "two genres or more are needed"),
    (["probe"], ['probe.apart=[{name="q", genres=["jazz", "soul"], quiet="jaz"}]'], "Did you mean jazz?"),
    (["probe"], ['probe.apart=[{name="q", genres=["a", "b"]}, {name="q", genres=["a", "c"]}]'], "'q' occurs twice"),
    (["train_models"], ['train.candidates=[{engine="sklearn",estimator="svc",grid={gama=[1]}}]'], "mean gamma"),
    (["train_models"], ['train.candidates=[{engine="spark",estimator="gbt",grid={maxDepth=[-1]}}]'], "maxDepth = -1"),
    (["train_models"], ['train.candidates=[{engine="baseline",estimator="majorty"}]'], "Did you mean majority?"),
    (
        ["train_models"],
        ['train.candidates=[{engine="sklearn",estimator="svc",feature_sets=["gtzan57"]}]'],
        "gtzan57 is not in train.feature_sets (summary9, mfcc12_frames). Add it there.",
    ),
    (["train_models"], ["train.feature_sets=[]"], "train.feature_sets is empty"),
    (["train_models"], ['train.feature_sets=["sumary9"]'], "no feature set is called 'sumary9'"),
    (["train_models"], ['train.feature_sets=[["summary9", "mfcc12_frames"]]'],
     "mfcc12_frames+summary9: mfcc12_frames holds frames, but only sets with one row of numbers per clip"),
    (["train_models"], ['train.feature_sets=[["summary9", "groov"]]'], "no feature set is called 'groov'"),
    (["train_models"], ['train.genres=["rock"]'], "a classifier needs two genres"),
    (["extract_features", "train_models"], ['train.feature_sets=["gtzan57"]', 'extract.feature_sets=["summary9"]'],
     "gtzan57 was not extracted, and no step before train_models extracts it (extract.feature_sets = summary9)"),
    (["train_models", "extract_features"], ['train.feature_sets=["summary9"]'], "is written by extract_features"),
    (["import_folder"], ["folder.labels=fma"], "folder.labels = 'fma' needs folder.manifest"),
    (["import_folder"], ["folder.genre_aliases={rap='hip hop', 'hip hop'='rap'}"], "form a cycle"),
    (["import_folder"], ["folder.genre_parents={a='b', b='a'}"], "is among its own ancestors"),
    (["import_features"], [], "import_features.path is not set"),
    (["import_features"], ["import_features.path=x.csv"], "import_features.path = x.csv: no such file"),
    (["import_features"], ["import_features.encoding=utf9"], "import_features.encoding = 'utf9': no such encoding"),
    (["import_folder"], ["folder.encoding=base64"], "folder.encoding = 'base64': no such encoding"),
    (["import_features"], ["import_features.name=gtzan57"], "'gtzan57' is a built-in feature set"),
    (["import_features"], ['import_features.song_pattern="(a"'], "song_pattern is not a regular expression"),
    (["import_features"], ['import_features.split_lists={tset="x.txt"}'], "'tset' is not a part"),
    (["scrape_genres"], ["every_noise.map=page.html"], "every_noise.map = page.html: no such file"),
    (["collect_songs"], ["spotify.acknowledge_terms=true"], "SPOTIFY_CLIENT_ID, SPOTIFY_CLIENT_SECRET"),
    (["collect_songs"], ['spotify.searches=[{genre="unknown"}]'], "[[spotify.searches]] number 1: 'unknown' is no"),
    (["collect_songs"], ['spotify.routes=["configuration"]'], "these routes have nothing to read"),
    (["fetch_previews"], ['fetch_previews.providers=["http"]'], "http has no list of files. Set http.manifest."),
    (["fetch_previews"], ['fetch_previews.providers=["deezer"]'], "deezer is off"),
    (["export"], ['export.feature_sets=["summary9"]'], "summary9 has one row per clip"),
    (["export"], ['export.feature_sets=["imported_by_somebody"]'], "no feature set is called 'imported_by_somebody'"),
    (["compose_library"], ['sandbox.genres=["tecno"]'], "'tecno' cannot be composed. Did you mean techno?"),
    (["map_genres"], ["map.influences=x.csv"], "map.influences = x.csv: no such file"),
    (["purge"], [], "purge.provider is not set"),
    (["rebuild_training_set"], [], "rebuild.model_id is not set"),
    (["score"], ["score.path=songs"], "score.path = songs: no such file or folder"),
    (["promote_model"], ["retrain.engines=[]"], "retrain.engines is empty"),
    (["scrape_genres"], ["fan_out.runner=executors", "spark.settings={'spark.speculation'='true'}"], "= false"),
)  # fmt: skip


@pytest.mark.parametrize(("steps", "overrides", "message"), WRONG)
def test_an_error_says_what_is_wrong_and_what_to_do(steps, overrides, message):
    assert any(message in fault for fault in faults(*overrides, steps=steps)), faults(*overrides, steps=steps)


@pytest.mark.parametrize(
    ("step", "key"),
    [
        ("train_models", "models.path"),
        ("train_models", "train.shared_path"),
        ("write_report", "report.path"),
        ("export", "export.path"),
        ("compose_library", "sandbox.path"),
        ("housekeeping", "store.path"),
        ("rebuild_training_set", "rebuild.path"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_found(step, key, tmp_path):
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "below"
    expected = f"{key} = {place}: {tmp_path / 'file'} is a file, so the folder cannot be created. Set {key}."
    assert expected in faults(f"{key}='{place}'", steps=[step])
    if Path("/proc/self").exists():
        assert any("/proc cannot be written to" in fault for fault in faults(f"{key}=/proc/none", steps=[step]))


def test_packages_that_settings_need_are_looked_for(monkeypatch):
    find = checks.problems.importlib.util.find_spec
    without = ("aiohttp", "mlflow", "umap")
    monkeypatch.setattr(
        checks.problems.importlib.util, "find_spec", lambda name, *more: None if name in without else find(name, *more)
    )
    assert faults("world.start=true", "mlflow.tracking_uri=file:/x", steps=["log_mlflow"]) == [
        "world.start: the sandbox world needs aiohttp, which is not installed: pip install 'genreatlas[sandbox]'",
        "mlflow.tracking_uri is set, which needs mlflow, which is not installed: pip install mlflow-skinny",
    ]
    assert faults("map.method=umap", steps=["map_genres"])[-1] == (
        "map.method = \"umap\" needs umap, which is not installed: pip install 'genreatlas[atlas-methods]'"
    )


def test_a_step_whose_input_nobody_gives_is_a_warning_that_names_the_step_to_put_before_it():
    said = warnings(steps=["assign_splits", "evaluate_models", "import_folder", "train_models"])
    assert said == [
        "assign_splits: no earlier step writes song_genres, and the store has no such table. Put import_folder before "
        "it.",
        "evaluate_models: no earlier step writes models, and the store has no such table. Put train_models before it.",
    ]


def test_what_the_store_has_needs_no_step_and_a_store_elsewhere_is_not_looked_at(tmp_path, monkeypatch):
    for table in ("splits", "song_genres", "features_summary9"):
        (tmp_path / "data" / "tables" / table / "_delta_log").mkdir(parents=True)
    alone = ['train.feature_sets=["summary9"]']
    assert (faults(*alone, steps=["train_models"]), warnings(*alone, steps=["train_models"])) == ([], [])
    elsewhere = ["store.path=dbfs:/tables", 'train.feature_sets=["own"]']
    assert (faults(*elsewhere, steps=["train_models"]), warnings(*elsewhere, steps=["train_models"])) == ([], [])
    monkeypatch.setenv("GENREATLAS_MASTER", "yarn")
    own = ["store.path=/hdfs/tables", 'train.feature_sets=["own"]']
    assert (faults(*own, steps=["train_models"]), warnings(*own, steps=["train_models"])) == ([], [])
    monkeypatch.delenv("GENREATLAS_MASTER")
    in_a_catalog = ["store.catalog=main", 'train.feature_sets=["own"]']
    assert (faults(*in_a_catalog, steps=["train_models"]), warnings(*in_a_catalog, steps=["train_models"])) == ([], [])


def test_a_folder_that_an_earlier_step_makes_need_not_be_there():
    composed = ("sandbox.path=made", "folder.path=made")
    assert faults(*composed, steps=["compose_library", "import_folder"]) == []
    assert faults(*composed, steps=["import_folder"]) == ["folder.path = made: no such folder. Set folder.path."]


def test_settings_that_have_no_effect_are_warnings():
    listed = 'train.candidates=[{engine="sklearn",estimator="svc"}]'
    assert any("train.preset = full has no effect" in text for text in warnings(listed, "train.preset=full"))
    assert any("macro_average_precision" in text for text in warnings("train.labels=multi"))
    assert any("splits.test = 0" in text for text in warnings("splits.test=0.0"))
    assert any("it will be missing in some folds" in text for text in warnings("train.min_songs=4"))


def test_names_that_are_known_without_loading_what_they_belong_to_are_its_names():
    from genreatlas.sandbox import GENRES, PAIRED
    from genreatlas.sources.feature_tables import parts

    assert tuple(parts.PARTS) == PARTS
    assert (*GENRES, *PAIRED) == COMPOSED


def test_what_an_extra_would_bring_is_named_with_the_extra_before_anything_starts(monkeypatch, tmp_path):
    for name in ("lameenc", "mutagen"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "music").mkdir()
    own = f"folder.path={tmp_path}/music"
    assert faults(own, steps=["import_folder"]) == []
    assert faults(own, "folder.labels=tags", steps=["import_folder"]) == [
        "folder.labels = 'tags' needs mutagen, which is not installed: pip install 'genreatlas[tags]'"
    ]
    assert faults(steps=["compose_library"]) == [
        "compose_library needs lameenc, which is not installed: pip install 'genreatlas[sandbox]'"
    ]


def test_similar_songs_are_compared_by_one_row_of_numbers_a_clip():
    assert not faults(steps=["find_neighbours"])
    (fault,) = faults("neighbours.feature_set=mfcc12_frames", steps=["find_neighbours"])
    assert fault.startswith("neighbours.feature_set: mfcc12_frames holds frames")
