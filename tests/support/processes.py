"""Functions run in processes of their own: two that train together on gloo, or one to be killed."""

import multiprocessing
import os
import pickle
import signal
import socket
import traceback
from multiprocessing.connection import Connection, wait

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch", "pytorch_lightning", "lit_gan", "lit_gan.data", "tests.support.small"])


def on_ranks(function, *args, world_size=2, timeout=120):
    """Return what ``function(*args)`` returns in each of ``world_size`` processes that find one another as ranks."""
    port = free_port()
    ranks = [start(function, *args, rank=rank, world_size=world_size, port=port) for rank in range(world_size)]
    return [result(process, reading, timeout) for process, reading in ranks]


def free_port() -> int:
    """Return the number of a port that nothing listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(function, *args, rank=0, world_size=1, port=0):
    """Start a process; give it and the end of a pipe to :func:`result`."""
    reading, writing = _context.Pipe(duplex=False)
    process = _context.Process(target=_run, args=(writing, rank, world_size, port, function, args), daemon=False)
    process.start()
    writing.close()
    return process, reading


def result(process, reading: Connection, timeout=120):
    try:
        ready = wait([reading, process.sentinel], timeout)
        assert ready, f"no result in {timeout} seconds"
        if reading not in ready and not reading.poll():
            raise EOFError("the process ended without a result")
        ok, value = pickle.loads(reading.recv_bytes())
    finally:
        process.join(5)
        process.kill()
    assert ok, value
    return value


def _run(writing: Connection, rank, world_size, port, function, args):
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C
    multiprocessing.set_start_method("fork", force=True)  # as in a program of its own: loaders start their workers so
    if world_size > 1:
        os.environ.update(
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
            LOCAL_RANK=str(rank),
            NODE_RANK="0",
            WORLD_SIZE=str(world_size),
        )
    try:
        writing.send_bytes(pickle.dumps((True, function(*args))))
    except BaseException:
        writing.send_bytes(pickle.dumps((False, traceback.format_exc())))
        raise
