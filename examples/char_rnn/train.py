"""Trains a character-level language model: a multi-layer RNN, GRU or LSTM that predicts a text's next character.

    python train.py                                      trains on the source of Python's standard library
    python train.py -data_dir my/text                    trains on my/text/input.txt
    python train.py -resume cv/lm_lstm_interrupted.t7    goes on with a run that Ctrl-C ended
    mpiexec -n 2 python train.py -distributed 1          trains with two processes, each on its own part of the text
    python train.py -help                                tells all options

The options, printed lines and checkpoints are those of Torch's char-rnn.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import nn
import optim
import pygraphnn
import torch7
from model.gru import gru
from model.lstm import lstm
from model.rnn import rnn
from torch7.dtypes import printed, tostring
from util.checkpoint import check_vocabulary, draw_step, load_checkpoint, make_directory, network_of, save_loss_curve
from util.engines import ENGINES
from util.misc import UsageError, clone_list, initial_state, only_cpu, run
from util.model_utils import clone_many_times, combine_all_parameters
from util.options import check_options, resumed_options
from util.ranks import Ranks
from util.report import Report
from util.run_log import open_log
from util.sampling import Sampler

MODELS = {"lstm": lstm, "gru": gru, "rnn": rnn}


def command_line() -> torch7.CmdLine:
    """char-rnn's options, and below them this port's own."""
    cmd = torch7.CmdLine()
    cmd.text()
    cmd.text("Train a character-level language model")
    cmd.text()
    cmd.text("Options")
    # data
    cmd.option("-data_dir", "", "data directory. Should contain the file input.txt with input data")
    # model params
    cmd.option("-rnn_size", 128, "size of LSTM internal state")
    cmd.option("-num_layers", 2, "number of layers in the LSTM")
    cmd.option("-model", "lstm", "lstm,gru or rnn")
    # optimization
    cmd.option("-learning_rate", 2e-3, "learning rate")
    cmd.option("-learning_rate_decay", 0.97, "learning rate decay")
    cmd.option("-learning_rate_decay_after", 10, "in number of epochs, when to start decaying the learning rate")
    cmd.option("-decay_rate", 0.95, "decay rate for rmsprop")
    cmd.option("-dropout", 0, "dropout for regularization, used after each RNN hidden layer. 0 = no dropout")
    cmd.option("-seq_length", 50, "number of timesteps to unroll for")
    cmd.option("-batch_size", 50, "number of sequences to train on in parallel")
    cmd.option("-max_epochs", 50, "number of full passes through the training data")
    cmd.option("-grad_clip", 5, "clip gradients at this value")
    cmd.option("-train_frac", 0.95, "fraction of data that goes into train set")
    cmd.option("-val_frac", 0.05, "fraction of data that goes into validation set")
    cmd.option("-init_from", "", "initialize network parameters from checkpoint at this path")
    # bookkeeping
    cmd.option("-seed", 123, "torch manual random number generator seed")
    cmd.option("-print_every", 1, "how many steps/minibatches between printing out the loss")
    cmd.option("-eval_val_every", 1000, "every how many iterations should we evaluate on validation data?")
    cmd.option("-checkpoint_dir", "cv", "output directory where checkpoints get written")
    cmd.option("-savefile", "lstm", "filename to autosave the checkpont to. Will be inside checkpoint_dir/")
    cmd.option("-accurate_gpu_timing", 0, "kept for scripts that set it: there is no GPU to wait for")
    # GPU/CPU
    cmd.option("-gpuid", 0, "which gpu to use. -1 = use CPU")
    cmd.option("-opencl", 0, "use OpenCL (instead of CUDA)")
    # beyond char-rnn
    cmd.text()
    cmd.text("Options that char-rnn has not")
    cmd.option("-resume", "", "continue the run that saved this checkpoint, exactly where it was")
    cmd.option("-float", 0, "1 computes in float32: faster, and no longer the digits of Torch's DoubleTensor")
    cmd.option("-encoding", "bytes", "what a character is: bytes, or utf8 for the characters of a UTF-8 text")
    cmd.option("-sample_length", 300, "how many characters to sample at each evaluation. 0 = none")
    cmd.option("-log", "", "also log each minibatch beside the checkpoints, as torch, csv, jsonl or tensorboard")
    cmd.option("-engine", "unroll", "unroll, which is fast, or clones, with the digits of Torch's char-rnn")
    cmd.option("-distributed", 0, "1 = all processes that mpiexec started train together, -batch_size sequences each")
    cmd.text()
    return cmd


class Trainer:
    """A network, what runs it over time, the data and the optimizer's state, new or from a checkpoint."""

    def __init__(self, opt: Any, checkpoint: Any, ranks: Ranks):
        self.opt, self.ranks, self.report = opt, ranks, Report()
        self.say = self.report.say
        torch7.manualSeed(opt.seed)
        only_cpu(opt, self.say)
        fractions = (opt.train_frac, opt.val_frac, max(0, 1 - (opt.train_frac + opt.val_frac)))
        self.loader = ranks.loader(opt.data_dir, opt.batch_size, opt.seq_length, fractions, opt.encoding)
        self.say(f"vocab size: {self.loader.vocab_size}")
        if ranks.first:
            make_directory(self.path("").parent)
        self.make_network(checkpoint)
        self.make_engine()
        self.train_losses: list[float] = []
        self.val_losses: dict[int, float] = {}
        self.optim_state: Any = torch7.Table(learningRate=opt.learning_rate, alpha=opt.decay_rate)
        self.init_state = initial_state(opt, opt.batch_size, self.params.dtype)
        self.init_state_global = clone_list(self.init_state)
        self.first = 1
        ranks.seed(opt.seed)
        if opt.resume:
            self.resume(checkpoint)
        self.log = open_log(opt.log, self.path, self.first - 1) if ranks.first else None
        self.mean_feval = pygraphnn.distributed(self.feval, ranks.comm, self.params)

    def path(self, ending: str) -> Path:
        """A file that the run writes."""
        return Path(self.opt.checkpoint_dir) / f"lm_{self.opt.savefile}_{ending}"

    def make_network(self, checkpoint: Any) -> None:
        """The network for one time step, new or from a checkpoint, and its flat parameters."""
        opt = self.opt
        if checkpoint is not None:
            self.take_network(checkpoint, opt.resume or opt.init_from)
        else:
            self.say(f"creating an {opt.model} with {opt.num_layers} layers")
            build = MODELS[opt.model]
            network = build(self.loader.vocab_size, opt.rnn_size, opt.num_layers, opt.dropout)
            self.protos = torch7.Table(rnn=network, criterion=nn.ClassNLLCriterion())
        for proto in self.protos.values():
            proto.float() if opt.float else proto.double()
        self.params, self.grad_params = combine_all_parameters(self.protos.rnn)
        if checkpoint is None:
            torch7.uniform_(self.params, -0.08, 0.08)  # small uniform numbers
        if opt.model == "lstm" and not opt.resume:
            self.remember_at_first()
        self.say(f"number of parameters in the model: {self.params.size}")

    def take_network(self, checkpoint: Any, path: str) -> None:
        """The network of a checkpoint, and the options that tell its form."""
        self.say(f"loading a model from checkpoint {path}")
        check_vocabulary(self.loader.vocab_mapping, checkpoint, path)
        network_of(checkpoint, path)
        self.protos, opt, saved = checkpoint.protos, self.opt, checkpoint.opt
        self.say(
            f"overwriting rnn_size={saved.rnn_size}, num_layers={saved.num_layers}, model={saved.model} "
            "based on the checkpoint."
        )
        opt.rnn_size, opt.num_layers, opt.model = saved.rnn_size, saved.num_layers, saved.model

    def remember_at_first(self) -> None:
        """Sets the biases of the LSTM's forget gates to 1, which encourages remembering in the beginning."""
        size = self.opt.rnn_size
        for layer in range(1, self.opt.num_layers + 1):
            for node in self.protos.rnn.forwardnodes:
                if node.data.annotations.name == f"i2h_{layer}":
                    self.say(f"setting forget gate biases to 1 in LSTM layer {layer}")
                    node.data.module.bias[size : 2 * size] = 1  # the gates are, in order, i, f, o, g

    def make_engine(self) -> None:
        """What runs the network over time, after flattening, which moves the parameters."""
        self.engine = ENGINES[self.opt.engine](self.protos, self.opt.seq_length, self.say)
        self.sampling_rnn = clone_many_times(self.protos.rnn, 1)[0]

    # -- computing

    def prepro(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Time first, for faster indexing."""
        return np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)

    def eval_split(self, split_index: int, max_batches: int | None = None) -> float:
        """The loss over a split (1 train, 2 val, 3 test), or its first max_batches batches."""
        self.say(f"evaluating loss over split index {split_index}")
        n = self.loader.split_sizes[split_index - 1]
        n = n if max_batches is None else min(max_batches, n)
        self.loader.reset_batch_pointer(split_index)
        total, state = 0.0, self.init_state
        for i in range(1, n + 1):
            x, y = self.prepro(*self.loader.next_batch(split_index))
            loss, state = self.engine.loss(x, y, state, training=False)
            total += loss
            self.say(f"{i}/{n}...")
        return total / n if n else float("nan")

    def feval(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss of the next minibatch and its gradient at the parameters x."""
        if x is not self.params:
            self.params[...] = x
        self.grad_params.fill(0)
        x, y = self.prepro(*self.loader.next_batch(1))
        loss, after = self.engine.loss(x, y, self.init_state_global, training=True)
        self.engine.gradient()
        self.init_state_global = after  # without a copy, as in char-rnn
        return loss, self.grad_params

    def opfunc(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss and the gradient over all ranks, clipped."""
        loss, gradient = self.mean_feval(x)
        optim.clip_by_value(gradient, self.opt.grad_clip)
        return loss, gradient

    # -- the run

    def train(self) -> None:
        """The run, with a progress bar, and with Ctrl-C taken care of."""
        iterations = self.opt.max_epochs * self.loader.ntrain
        previous = signal.signal(signal.SIGINT, self.interrupt)
        if not self.opt.distributed:  # mpiexec passes lines on, and no bar
            self.report.start(iterations, self.first - 1)
        try:
            with np.errstate(all="ignore"), optim.nonfinite(tensors=self.protos.rnn):  # the loss tells of overflows
                self.loop(iterations)
        finally:
            self.report.stop()
            if self.log:
                self.log.close()
            signal.signal(signal.SIGINT, previous)

    def loop(self, iterations: int) -> None:
        """All minibatches, one by one."""
        for i in range(self.first, iterations + 1):
            try:
                loss, line, brief = self.iteration(i, iterations)
            except FloatingPointError as error:
                self.say(f"iteration {i}: {error}")
                self.say(
                    "loss is NaN.  Checkpoints from before have good parameters. A smaller -learning_rate may help."
                )
                break
            if i % self.opt.eval_val_every == 0 or i == iterations:
                self.evaluate(i)
            self.report.step(i, line, brief, i % self.opt.print_every == 0)
            if loss > self.train_losses[0] * 3:
                self.say("loss is exploding, aborting.")
                break
            if self.mean_feval.stopped and i < iterations:
                self.leave(i)

    def iteration(self, i: int, iterations: int) -> tuple[float, str, str]:
        """One minibatch: its loss, char-rnn's line about it, and what stands beside the progress bar."""
        opt, timer = self.opt, torch7.Timer()
        epoch = i / self.loader.ntrain
        _, (loss,) = optim.rmsprop(self.opfunc, self.params, self.optim_state)
        seconds = timer.time().real
        self.train_losses.append(loss)
        ratio = np.linalg.norm(self.grad_params) / np.linalg.norm(self.params)
        if self.log:
            self.log.add([i, loss, ratio, self.optim_state.learningRate])
        if i % self.loader.ntrain == 0 and opt.learning_rate_decay < 1 and epoch >= opt.learning_rate_decay_after:
            factor, after = opt.learning_rate_decay, opt.learning_rate_decay_after
            rate = optim.exponential_decay(opt.learning_rate, i // self.loader.ntrain, factor, after)
            self.optim_state.learningRate = rate
            self.say(f"decayed learning rate by a factor {tostring(factor)} to {tostring(rate)}")
        line = (
            f"{i}/{iterations} (epoch {printed(epoch, '.3f')}), train_loss = {loss:6.8f}, "
            f"grad/param norm = {ratio:6.4e}, time/batch = {seconds:.4f}s"
        )
        return loss, line, f"epoch {epoch:.2f}  loss {loss:.4f}  {seconds:.3f} s"

    def evaluate(self, i: int) -> None:
        """Validation loss, checkpoint and a sample."""
        self.val_losses[i] = loss = float(np.mean(self.mean_feval.allgather(self.eval_split(2))))
        path = self.path(f"epoch{printed(i / self.loader.ntrain, '.2f')}_{loss:.4f}.t7")
        self.save(path, i, loss)
        if self.opt.sample_length and self.ranks.first:
            self.show_sample()

    def show_sample(self) -> None:
        """Prints what the network writes now, drawn from a generator of its own: the run must not feel it."""
        generator = torch7.Generator()
        torch7.manualSeed(generator, self.opt.seed)
        sampler = Sampler(self.sampling_rnn, self.opt, self.loader.vocab_mapping, generator)
        try:
            text = b"".join(sampler.generate(self.opt.sample_length)).decode("utf-8", "replace")
        except UsageError as error:  # a run that diverges shall come to its own end
            text = str(error)
        self.say(f"sample of {self.opt.sample_length} characters:\n{text}\n--------------------------")

    def save(self, path: Path, i: int, val_loss: float | None) -> None:
        """Writes a checkpoint with char-rnn's fields and what `-resume` needs besides, and a picture of the losses."""
        self.say(f"saving checkpoint to {path}")
        of_ranks = self.ranks.gathered(self.mean_feval, self.init_state_global)
        if not self.ranks.first:
            return
        checkpoint = torch7.Table(
            protos=self.protos,
            opt=self.opt,
            train_losses=self.train_losses,
            val_loss=val_loss,
            val_losses=torch7.Table(self.val_losses),
            i=i,
            epoch=i / self.loader.ntrain,
            vocab=torch7.Table(self.loader.vocab_mapping),
            resume=torch7.Table(
                optim_state=self.optim_state,
                batch_ix=self.loader.batch_ix,
                split_sizes=self.loader.split_sizes,
                **of_ranks,
            ),
        )
        torch7.save(path, checkpoint)
        save_loss_curve(path.with_suffix(".png"), self.train_losses, self.val_losses)

    def resume(self, checkpoint: Any) -> None:
        """Goes back to where the run was when it saved the checkpoint."""
        saved = checkpoint.resume
        if self.loader.split_sizes != saved.split_sizes:
            raise UsageError(
                f"{self.opt.resume} cannot go on with this text: it has {self.loader.split_sizes} batches for "
                f"training, validation and test, and the run had {saved.split_sizes}"
            )
        if checkpoint.i >= self.opt.max_epochs * self.loader.ntrain:
            raise UsageError(
                f"{self.opt.resume} is from the end of its run: give more than {self.opt.max_epochs} as -max_epochs "
                "to train on"
            )
        state, random_numbers = self.ranks.own(saved, self.opt.batch_size)
        self.first = checkpoint.i + 1
        self.train_losses = list(checkpoint.train_losses)
        self.val_losses = dict(torch7.pairs(checkpoint.val_losses))
        self.optim_state = saved.optim_state
        self.loader.batch_ix = list(saved.batch_ix)
        self.init_state_global = self.engine.carry(state)
        torch7.setRNGState(random_numbers)

    def interrupt(self, signum: int, frame: FrameType | None) -> None:
        """The first Ctrl-C lets the minibatch end, so that a whole state is saved; the second one does not wait."""
        if self.mean_feval.stopping:
            raise KeyboardInterrupt
        self.mean_feval.stop()
        with contextlib.suppress(RuntimeError):  # the signal came in the middle of another print
            self.say("interrupted: finishing this minibatch, then saving (press Ctrl-C again to quit at once)")

    def leave(self, i: int) -> None:
        """Saves after an interruption, says how to go on, and ends the program."""
        self.report.stop()
        path = self.path("interrupted.t7")
        last = self.val_losses[max(self.val_losses)] if self.val_losses else None
        self.save(path, i, last)
        print(f"to go on after iteration {i}: {self.ranks.command('-resume', str(path))}")
        sys.exit(130)


def main() -> None:
    """Trains as the command line says."""
    opt = command_line().parse()
    check_options(opt)
    start = opt.resume or opt.init_from
    checkpoint = load_checkpoint(start) if start else None
    if opt.resume:
        opt = resumed_options(command_line(), checkpoint, opt.resume)
    ranks = Ranks(opt.distributed)
    with ranks.together():
        with ranks.alike():
            trainer = Trainer(opt, checkpoint, ranks)
            if ranks.first:
                draw_step(trainer.protos.rnn, trainer.path("step.svg"), opt.model, trainer.say)
        trainer.train()


if __name__ == "__main__":
    run(main)
