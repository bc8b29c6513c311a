"""Sweeps: each file by W&B's own rules, its command by ours, and one of them from end to end."""

import csv
import itertools
import json
import math
import re
import sys
from pathlib import Path

import pytest
import yaml

from lit_gan.cli import main

pytest.importorskip("wandb", reason='needs wandb: pip install ".[wandb]"')
sweeps = pytest.importorskip("sweeps", reason="needs W&B's package sweeps, which make test installs")

from wandb.sdk.launch.sweeps import utils  # noqa: E402

from benchmarks.clock import results  # noqa: E402
from benchmarks.gamma_sweep import table  # noqa: E402
from benchmarks.wandb_server import SweepServer  # noqa: E402

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SWEEPS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted((ROOT / "examples" / "sweeps").glob("*.yaml"))}
FINISHED, RUNNING = sweeps.RunState.finished, sweeps.RunState.running
FEW = ["--trainer.logger=CSVLogger", "--trainer.max_epochs=1", "--trainer.limit_train_batches=2"]
FEW += ["--trainer.limit_val_batches=1", "--trainer.check_val_every_n_epoch=1", "--trainer.enable_model_summary=false"]
FEWER = {
    "fid_lite0": ["--trainer.callbacks.n_fake=120", "--trainer.callbacks.n_real=120"],
    "strict": ["--data.train_size=2000", "--data.held_out_size=2000"],
}


@pytest.fixture(autouse=True)
def where_the_command_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lit-gan"])
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "examples").symlink_to(ROOT / "examples")


def arguments(sweep, **parameters):
    """Return what lit-gan is given, parameters as W&B's agent writes them."""
    values = {name: {"value": value} for name, value in parameters.items()}
    written = utils.create_sweep_command_args({"args": values})
    start, *rest = utils.create_sweep_command(list(sweep["command"]))
    assert (start, rest[0], rest[-1]) == ("${env}", "lit-gan", "${args}")
    return [*rest[1:-1], *written["args"]]


def ends(parameter):
    values = parameter.get("values") or [parameter["min"], parameter["max"]]
    return values[0], values[-1]


def printed(capsys, *given):
    with pytest.raises(SystemExit) as caught:
        main([*given, "--print_config"])
    assert caught.value.code == 0, capsys.readouterr().err
    return yaml.safe_load(capsys.readouterr().out)


def flat(config, key=""):
    """Return the values of a config by their dotted names on the command line, which leave init_args out."""
    if not isinstance(config, dict):
        return {key: config}
    parts = [flat(part, key if name == "init_args" else f"{key}.{name}".strip(".")) for name, part in config.items()]
    return {name: value for part in parts for name, value in part.items()}


@pytest.mark.parametrize("name", SWEEPS)
def test_the_file_is_one_of_wandbs(name):
    assert sweeps.schema_violations_from_proposed_config(SWEEPS[name]) == []
    assert f"wandb sweep examples/sweeps/{name}.yaml" in (ROOT / "examples" / "sweeps" / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", SWEEPS)
def test_each_parameter_is_an_argument_and_changes_the_config(name, capsys):
    low, high = (
        {parameter: ends(choice)[end] for parameter, choice in SWEEPS[name]["parameters"].items()} for end in (0, 1)
    )
    one, other = (flat(printed(capsys, *arguments(SWEEPS[name], **values))) for values in (low, high))
    changed = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    assert all(any(f"{key}.".startswith(f"{parameter}.") for key in changed) for parameter in low)


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_the_goal_is_logged_under_its_name(name):
    sweep = SWEEPS[name]
    goal = sweep["metric"]["name"]
    data = ["--data=FashionMNISTSample", "--data.image_size=32"] if name == "gamma_r1_r2" else []
    main([*arguments(sweep), *FEW, *FEWER.get(goal.rpartition("/")[2], []), *data])
    (log,) = Path().glob("**/metrics.csv")
    with log.open() as file:
        assert any(math.isfinite(float(row.get(goal) or "nan")) for row in csv.DictReader(file))


@pytest.mark.parametrize(("value", "written"), [(None, "null"), ("None", "null")])
def test_no_value_is_null_not_none(value, written, capsys):
    """W&B's agent writes Python's None, which is refused: a sweep says "null", as a string."""
    sweep = SWEEPS["gamma"]
    with pytest.raises(SystemExit):
        main(arguments(sweep, **{"model.gradient_clip": value}))
    assert "--model.gradient_clip=None is none of what it takes" in capsys.readouterr().err
    assert printed(capsys, *arguments(sweep, **{"model.gradient_clip": written}))["model"]["gradient_clip"] is None


@pytest.mark.parametrize("value", [True, False])
def test_booleans_are_taken_as_python_writes_them(value, capsys):
    given = arguments(SWEEPS["gamma"], **{"model.share_fakes": value})
    assert printed(capsys, *given)["model"]["share_fakes"] is value


def test_options_of_the_last_callback_can_be_swept_and_each_run_names_itself(capsys):
    """Of a list of callbacks only the one that the command added is reached by --trainer.callbacks.OPTION."""
    given = printed(capsys, *arguments(SWEEPS["gamma"], **{"trainer.callbacks.n_fake": 500}))["trainer"]
    assert [c["class_path"].rpartition(".")[2] for c in given["callbacks"]] == [
        "SampleGrid",
        "EquilibriumMonitor",
        "GenerativeMetrics",
    ]
    assert given["callbacks"][-1]["init_args"]["n_fake"] == 500
    assert given["logger"]["init_args"]["name"] is None


def finished(run, goal, score):
    run.state, run.history = FINISHED, [{goal: score}]
    return run


@pytest.mark.filterwarnings("ignore:The optimal value found for dimension")  # of a Gaussian process, in few points
@pytest.mark.parametrize("name", SWEEPS)
def test_the_search_goes_on_from_finished_runs(name):
    """A grid to its end, the others as long as they are asked."""
    sweep, runs = SWEEPS[name], []
    goal, choices, most = sweep["metric"]["name"], sweep["parameters"], 100 if sweep["method"] == "grid" else 10
    while len(runs) < most and (run := sweeps.next_run(sweep, runs, validate=True)) is not None:
        run.state, run.history = FINISHED, [{goal: float(len(runs) % 7)}]
        runs.append(run)
    if sweep["method"] == "grid":
        most = math.prod(len(choice["values"]) for choice in choices.values())
    assert len(runs) == most
    for parameter, choice in choices.items():
        values = [run.config[parameter]["value"] for run in runs]
        if "values" in choice:
            assert all(value in choice["values"] for value in values)
        else:
            assert all(choice["min"] <= value <= choice["max"] for value in values)
            assert max(values) > 3 * min(values)


@pytest.mark.parametrize(
    ("history", "stops"),
    [
        ([9.0], False),  # the first look is at the second score
        ([9.0, 8.0], True),
        ([9.0, 2.0], False),
        ([2.0, 9.0], True),  # it goes by the score at the look
        ([9.0, 2.0, 9.0], False),  # and by that one until the next look, at the fourth
        ([9.0, None, None, None], False),  # rows without the goal do not count
        ([9.0, math.nan], False),
    ],
)
def test_hyperband_counts_the_scores_that_were_logged(history, stops):
    sweep = SWEEPS["two_players"]
    goal = sweep["metric"]["name"]
    others = [sweeps.SweepRun(state=FINISHED, history=[{goal: 9.0}, {goal: score}]) for score in (1.0, 2.0, 3.0, 4.0)]
    rows = [{"loss/d": 1.0} if score is None else {goal: score} for score in history]
    run = sweeps.SweepRun(name="this", state=RUNNING, history=rows)
    assert sweeps.stop_runs(sweep, [*others, run], validate=True) == ([run] if stops else [])


def test_the_table_is_what_the_sweep_gave():
    record, page = json.loads(results("gamma_sweep").read_text()), (ROOT / "docs" / "sweeps.md").read_text()
    runs = [(row["gamma"], row["seed"]) for row in record["rows"]]
    choices = [choice["values"] for choice in SWEEPS["gamma"]["parameters"].values()]
    assert runs == list(itertools.product(*choices))
    assert [line for line in table(record["rows"]) if line not in page] == []
    cost = re.search(r"# Cost: (\d+) s of a core", (ROOT / "examples" / "sweeps" / "gamma.yaml").read_text())
    assert float(cost[1]) == pytest.approx(record["core_seconds_a_run"], rel=0.1)


@pytest.mark.extended
def test_a_sweep_from_end_to_end(tmp_path):
    """W&B's own programs start real runs; one fails, the others log, and the best of them is the search's best."""
    sweep = {**SWEEPS["modes"], "method": "grid"}
    sweep["parameters"] = {"model.generator_optimizer.lr": {"values": [1e30, 0.003, 0.000001]}}
    small = ["--model.generator.width=16", "--model.generator.depth=2", "--model.discriminator.width=16"]
    few = ["--trainer.max_steps=60", "--trainer.limit_train_batches=20", *FEWER["strict"]]
    sweep["command"] = [*sweep["command"][:-1], *small, *few, "--trainer.callbacks.n_fake=2000", "${args}"]
    Path("sweep.yaml").write_text(yaml.safe_dump(sweep))
    with SweepServer() as server:
        said = server.run(Path("sweep.yaml"), tmp_path, "--count", "3", timeout=600)

    goal = sweep["metric"]["name"]
    failed, *done = server.runs.values()
    assert (failed.state, failed.exitcode) == ("failed", 2)
    assert "error: " in said
    assert [run.state for run in done] == ["finished", "finished"]
    scores = {}
    for run in done:
        folder = tmp_path / "runs" / "lit_gan" / run.name  # each run's own, with all that it wrote
        own = [entry["scores"][goal.removeprefix("val/")] for entry in json.loads((folder / "scores.json").read_text())]
        assert run.metric_history(goal) == own
        assert run.summary_metrics[goal] == own[-1]
        config = yaml.safe_load((folder / "config.yaml").read_text())
        rate = config["model"]["generator_optimizer"]["init_args"]["lr"]
        assert rate == run.config["model.generator_optimizer.lr"]["value"]
        assert len(list(folder.glob("checkpoints/*.ckpt"))) == 1
        scores[run.name] = min(own)
    assert len(set(scores.values())) == 2
    assert server.best().name == min(scores, key=scores.get)
