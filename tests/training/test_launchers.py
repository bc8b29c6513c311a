"""The launchers of docs/scaling.md: its commands, on two processes of this machine in place of 64 GPUs."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
HERE = {
    "--nnodes": "1",
    "--nproc-per-node": "2",
    "--rdzv-endpoint": "localhost:0",
    "--trainer.num_nodes": "1",
    "--trainer.devices": "2",
    "--config": "few.yaml",
}
"""What is another number here."""
FEW = """
seed_everything: 0
trainer: {accelerator: cpu, max_steps: 2, limit_val_batches: 1, enable_progress_bar: false}
model:
  generator: {class_path: MLPGenerator, init_args: {features: 2, latent_dim: 2, width: 8}}
  discriminator: {class_path: MLPDiscriminator, init_args: {features: 2, width: 8}}
data: {class_path: GaussianMixture, init_args: {train_size: 1024, held_out_size: 64}}
"""


def command(program):
    """Return the arguments of a command of the page, with the numbers of this machine."""
    line = re.search(rf"^{program} (.*?[^\\])$", PAGE, re.MULTILINE | re.DOTALL)[1].replace("\\\n", " ")
    words = shlex.split(line)
    for option, value in HERE.items():
        if option in words:
            words[words.index(option) + 1] = value
    return words


def check(folder):
    """One run of both processes, not two beside each other: 2 · 256 points in each of two steps."""
    (checkpoint,) = folder.rglob("*.ckpt")
    assert torch.load(checkpoint, weights_only=True)["state_dict"]["images_seen"] == 2 * 2 * 256


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "few.yaml").write_text(FEW)
    return tmp_path


@pytest.mark.slow
def test_torchrun(folder):
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *command("torchrun")],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    check(folder)


@pytest.mark.extended
def test_slurm(folder):
    """Without a cluster: each task is given what SLURM would give it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    tasks = []
    for rank in ("0", "1"):
        job = {"JOB_ID": "1", "JOB_NAME": "gan", "NTASKS": "2", "NTASKS_PER_NODE": "2", "NODELIST": "localhost"}
        job |= {"PROCID": rank, "LOCALID": rank, "NODEID": "0", "NNODES": "1"}
        task = {f"SLURM_{name}": value for name, value in job.items()}
        task |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        words = [sys.executable, "-m", "lit_gan", *command("srun lit-gan")]
        tasks.append(subprocess.Popen(words, cwd=folder, env=os.environ | task, stderr=subprocess.PIPE, text=True))
    ends = [(task.communicate(timeout=120)[1], task.returncode) for task in tasks]
    assert [code for _, code in ends] == [0, 0], ends
    check(folder)
